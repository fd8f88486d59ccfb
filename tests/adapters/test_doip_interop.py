"""A stock tester (udsoncan over doipclient) flashes our ECU over real TCP."""

import asyncio
import hashlib
from contextlib import closing

from doipclient.client import DoIPClient
from doipclient.connectors import DoIPClientUDSConnector
from tests.diagnostics.ecu_bench import IDENTITY, SECRET, Bench, image, new_bench
from typing_extensions import override
from udsoncan import AsciiCodec, DidCodec, MemoryLocation
from udsoncan.client import Client
from udsoncan.services.DiagnosticSessionControl import DiagnosticSessionControl
from udsoncan.services.ECUReset import ECUReset
from udsoncan.typing import ClientConfig

from roadworthy.adapters.doip import DoipTcpServer
from roadworthy.base.clock import SystemClock
from roadworthy.diagnostics.boot import Phase
from roadworthy.diagnostics.doip_server import DoipServer
from roadworthy.diagnostics.identity import Did, decode_status
from roadworthy.diagnostics.lock import derive_key
from roadworthy.diagnostics.routines import METADATA_ADDRESS, Routine, erase

ECU = 0x1001
NEW = image(hashlib.sha256(b"firmware").digest() * 1000)


class RawCodec(DidCodec):
    @override
    def decode(self, string_bin: bytes) -> bytes:
        return string_bin

    @override
    def encode(self, *_: object) -> bytes:
        raise NotImplementedError

    @override
    def __len__(self) -> int:
        return 70


def answer_seed(level: int, seed: bytes, params: object) -> bytes:
    assert level == 1
    assert params is None
    return derive_key(SECRET, seed)


CONFIG: ClientConfig = {
    "security_algo": answer_seed,
    "security_algo_params": None,
    "data_identifiers": {
        int(Did.ECU_SERIAL): AsciiCodec(len(IDENTITY.serial)),
        int(Did.VEHICLE): AsciiCodec(17),
        int(Did.SLOT_STATUS): RawCodec(),
    },
    "request_timeout": 10,
    "p2_timeout": 5,
}


def transfer(client: Client, address: int, data: bytes) -> None:
    place = MemoryLocation(address, len(data), address_format=32, memorysize_format=32)
    answer = client.request_download(place)
    assert answer is not None
    step = answer.service_data.max_length - 2
    for index, offset in enumerate(range(0, len(data), step), start=1):
        client.transfer_data(index % 256, data[offset : offset + step])
    client.request_transfer_exit()


def connect(port: int) -> DoIPClient:
    return DoIPClient("127.0.0.1", ECU, tcp_port=port)  # type: ignore[no-untyped-call]


def update(port: int) -> bytes:
    with (
        closing(connect(port)) as doip,
        Client(DoIPClientUDSConnector(doip), config=CONFIG) as client,  # type: ignore[no-untyped-call]
    ):
        identity = client.read_data_by_identifier([int(Did.ECU_SERIAL), int(Did.VEHICLE)])
        assert identity.service_data.values[Did.ECU_SERIAL] == IDENTITY.serial
        assert identity.service_data.values[Did.VEHICLE] == IDENTITY.vehicle
        client.change_session(DiagnosticSessionControl.Session.extendedDiagnosticSession)
        client.change_session(DiagnosticSessionControl.Session.programmingSession)
        client.unlock_security_access(1)
        client.tester_present()
        client.start_routine(Routine.ERASE, erase(len(NEW.data)).option)
        transfer(client, 0, NEW.data)
        transfer(client, METADATA_ADDRESS, NEW.metadata)
        client.start_routine(Routine.CHECK, bytes.fromhex(NEW.sha256))
        client.start_routine(Routine.ACTIVATE, bytes.fromhex(NEW.sha256))
        client.ecu_reset(ECUReset.ResetType.hardReset)
        status = client.read_data_by_identifier(int(Did.SLOT_STATUS))
        raw: bytes = status.service_data.values[Did.SLOT_STATUS]
        return raw


async def test_a_stock_tester_flashes_our_ecu_byte_for_byte() -> None:
    bench: Bench = new_bench()
    server = DoipTcpServer(DoipServer(0x1000, {ECU: bench.server.handle}), SystemClock())
    port = await server.start()
    try:
        status = decode_status(await asyncio.to_thread(update, port))
    finally:
        await server.close()
    assert (status.phase, status.running_sha256) == (Phase.TRIAL, NEW.sha256)
    assert bench.memory.read(status.running, 0, len(NEW.data)) == NEW.data
