"""A workshop's stock tester on the truck's DoIP port, while the agent updates the same truck."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from doipclient.client import DoIPClient
from doipclient.connectors import DoIPClientUDSConnector
from tests.e2e.conftest import World
from tests.e2e.processes import LIMIT_S, until
from tests.e2e.world import add_release, members, open_campaign
from typing_extensions import override
from udsoncan import AsciiCodec
from udsoncan.client import Client
from udsoncan.services.DiagnosticSessionControl import DiagnosticSessionControl

from roadworthy.base.ids import VehicleKey
from roadworthy.diagnostics.identity import Did
from roadworthy.sim.vehicle_types import EcuType, Image, ecu_serial, factory_release, vehicle_type

if TYPE_CHECKING:
    from udsoncan.typing import ClientConfig

TESTER = 0x0E80
UPDATED = ("hw-hvac-h3", "hw-seat-s1", "hw-light-l4", "hw-radar-77g", "hw-door-d2", "hw-airbag-a4")
"""Enough for the update to take many of the tester's rounds."""
RELEASE, CAMPAIGN = "comfort-2", "comfort"


class PatientClient(DoIPClient):
    """Gives a slow machine more than two seconds to acknowledge a request."""

    @override
    def send_diagnostic(self, diagnostic_payload: bytearray, timeout: float = LIMIT_S) -> None:
        super().send_diagnostic(diagnostic_payload, timeout)  # type: ignore[no-untyped-call]


@contextmanager
def stock_tester(port: int, ecu: EcuType, serial: str, version: str) -> Iterator[Client]:
    config: ClientConfig = {
        "data_identifiers": {
            int(Did.ECU_SERIAL): AsciiCodec(len(serial)),
            int(Did.SOFTWARE_VERSION): AsciiCodec(len(version)),
            int(Did.HARDWARE_ID): AsciiCodec(len(ecu.hardware_id)),
        },
        "request_timeout": LIMIT_S,
        "p2_timeout": LIMIT_S,
    }
    client = PatientClient(  # type: ignore[no-untyped-call]
        "127.0.0.1", ecu.address, tcp_port=port, client_logical_address=TESTER
    )
    with closing(client), Client(DoIPClientUDSConnector(client), config=config) as uds:  # type: ignore[no-untyped-call]
        yield uds


def read(uds: Client, did: Did) -> str:
    answer = uds.read_data_by_identifier(int(did))
    assert answer is not None
    return str(answer.service_data.values[int(did)])


def test_a_stock_tester_reads_a_truck_that_is_being_updated(world: World) -> None:
    truck = VehicleKey(world.fleet.vehicles[0])
    port = until(lambda: world.fleet.seen.doip_port, "the truck's DoIP port")
    ecu = next(
        ecu for ecu in vehicle_type("truck-40t").ecus if ecu.hardware_id.startswith("hw-ebs")
    )
    serial, version = ecu_serial(truck, ecu), factory_release().images[ecu.hardware_id].version
    images = [Image(kind, "2.0", 2, bytes(range(256)) * 160) for kind in UPDATED]
    add_release(world.client, world.server.offline, RELEASE, *images)
    with stock_tester(port, ecu, serial, version) as uds:
        open_campaign(world.client, CAMPAIGN, RELEASE, ["truck-40t"])
        stages: list[str] = []
        while not stages or stages[-1] != "confirmed":
            assert read(uds, Did.ECU_SERIAL) == serial
            assert read(uds, Did.SOFTWARE_VERSION) == version
            assert read(uds, Did.HARDWARE_ID) == ecu.hardware_id
            uds.change_session(DiagnosticSessionControl.Session.extendedDiagnosticSession)
            stages += [member["stage"] for member in members(world.client, CAMPAIGN)]
            assert stages[-1] not in {"failed", "rolled-back"}, str(members(world.client, CAMPAIGN))
    assert {"downloading", "verified", "staged", "activated"} & set(stages), "the agent was faster"
