"""A fleet in real time: many vehicles as tasks of one process, over real connections.

`python -m roadworthy.sim.fleet --config FILE` enrols the vehicles through the operator API, runs
them until SIGINT or SIGTERM, and says what happens as JSON lines on standard output:

    {"event": "vehicle", "index": 0, "vehicle": "v…", "type": "truck-40t", "fault": ""}
    {"event": "doip", "vehicle": "v…", "port": 40123}
    {"event": "ready", "vehicles": 50}
    {"event": "ecu-runs", "vehicle": "v…", "ecu": "…", "hardware_id": "…", "sha256": "…"}
    {"event": "power-lost", "vehicle": "v…"} and "power-back"
    {"event": "crashed", "vehicle": "v…", "error": "…"}

One folder is for one run: the vehicles' flash memories live in the process and start anew.
"""

import argparse
import asyncio
import contextlib
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from roadworthy.adapters.delta_thread import ThreadCodec
from roadworthy.adapters.tls import TlsClient
from roadworthy.base.clock import Chance, SeededChance, SystemChance
from roadworthy.base.errors import InputError, RoadworthyError, StoreError
from roadworthy.base.ids import VehicleKey, Vin
from roadworthy.cloud.client import OperatorClient
from roadworthy.diagnostics.conversation import Pace
from roadworthy.sim.ecu import EcuPace
from roadworthy.sim.real_ports import SharedCodec
from roadworthy.sim.real_vehicle import Connection, RealVehicle
from roadworthy.sim.vehicle import Build
from roadworthy.sim.vehicle_types import VehicleType, factory_release, vehicle_type, vin
from roadworthy.trust import certificates
from roadworthy.trust.keys import SEED_BYTES, key_of, key_to_json, signer_from_seed
from roadworthy.trust.tuf import CryptoSigner
from roadworthy.updates.install_plan import Policy
from roadworthy.vehicle.ports import Codec
from roadworthy.vehicle.settings import AgentSettings

__all__ = [
    "EnrolRequest",
    "Enrolled",
    "FleetConfig",
    "api_enrolment",
    "faulty",
    "fleet_types",
    "main",
    "run_fleet",
]

_MIX = ("truck-40t", "car-d", "car-b", "car-d", "car-b")
_ENROL_AT_ONCE = 8


class FleetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a fleet needs to know.

    folder: for keys, certificates and the agents' storage; empty at the start.
    url: the vehicles' HTTPS listener. mqtt_host, mqtt_port: the broker.
    operator_url, operator_token: where and as whom the vehicles are enrolled.
    pace: factor on all times of the ECUs and agents; 0.1 is ten times as fast.
    broken_share: part of the downloads that break off once, 0..1.
    power_cuts, rejecting: how many vehicles lose power while flashing, and how many have an
        ECU that refuses to be programmed. See `faulty` for which ones.
    off_s: how long power stays away.
    start_spread_s: the vehicles start within so many seconds.
    """

    folder: str
    url: str
    mqtt_host: str
    mqtt_port: int
    operator_url: str = ""
    operator_token: str = ""
    vehicles: int = 50
    seed: int = 1
    pace: float = 1.0
    broken_share: float = 0.05
    power_cuts: int = 1
    rejecting: int = 1
    off_s: float = 3.0
    start_spread_s: float = 3.0

    def check(self) -> None:
        """Raise InputError unless every number makes sense."""
        if not 1 <= self.vehicles <= 1000:  # noqa: PLR2004 - the VIN has three digits for it
            raise InputError("must be 1 to 1000", value="vehicles")
        if not 0 <= self.broken_share <= 1:
            raise InputError("must be between 0 and 1", value="broken_share")
        if min(self.pace, self.off_s, self.start_spread_s) < 0:
            raise InputError("must not be negative", value="pace, off_s, start_spread_s")
        if min(self.power_cuts, self.rejecting) < 0:
            raise InputError("must not be negative", value="power_cuts, rejecting")
        if self.power_cuts + self.rejecting > self.vehicles:
            raise InputError("are more than there are vehicles", value="power_cuts, rejecting")


class EnrolRequest(msgspec.Struct, frozen=True):
    """What a vehicle asks for; csr: PKCS #10 as PEM. report_key: as `trust.keys` writes it."""

    vin: Vin
    type: str
    csr: str
    report_key: str


class Enrolled(msgspec.Struct, frozen=True):
    """What it gets: its key, its certificate (PEM) and whom it has to trust."""

    vehicle: VehicleKey
    certificate: str
    authority: str
    director_root: str
    images_root: str


Enrol: TypeAlias = Callable[[EnrolRequest], Awaitable[Enrolled]]
Emit: TypeAlias = Callable[[dict[str, str | int]], None]


def fleet_types(vehicles: int) -> list[str]:
    """Return the vehicle type of each vehicle: one truck in five, cars of both types."""
    return [_MIX[index % len(_MIX)] for index in range(vehicles)]


def faulty(config: FleetConfig) -> dict[int, str]:
    """Return which vehicles get which fault: cars first, from the end of the fleet.

    So the first vehicles are sound and fit for a canary wave that shall pass.
    """
    indexes = reversed(range(config.vehicles))
    order = sorted(indexes, key=lambda index: _MIX[index % len(_MIX)].startswith("truck"))
    faults = ["ecu-rejects"] * config.rejecting + ["power-cut"] * config.power_cuts
    return dict(zip(order, faults, strict=False))


async def run_fleet(
    config: FleetConfig, stop: asyncio.Event, *, enrol: Enrol, emit: Emit, chance: Chance
) -> None:
    """Enrol the fleet and run it until `stop` is set.

    Args:
        config: what it is.
        stop: ends it.
        enrol: gives a vehicle its key and certificate.
        emit: told what happens; see the module.
        chance: draws the vehicles' keys.

    Raises:
        RoadworthyError: a vehicle could not be enrolled, or its folder not be written.
    """
    config.check()
    vehicles = await _enrolled(config, enrol=enrol, emit=emit, chance=chance)
    tasks = [
        asyncio.create_task(_run_one(config, index, vehicle, emit))
        for index, vehicle in enumerate(vehicles)
    ]
    emit({"event": "ready", "vehicles": len(vehicles)})
    try:
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def api_enrolment(client: OperatorClient) -> Enrol:
    """Return enrolment through the operator API."""

    async def enrol(request: EnrolRequest) -> Enrolled:
        """Enrol one vehicle."""
        body = msgspec.to_builtins(request)
        answer = await asyncio.to_thread(client.post, "/vehicles", body)
        return msgspec.convert(answer, Enrolled)

    return enrol


async def _enrolled(
    config: FleetConfig, *, enrol: Enrol, emit: Emit, chance: Chance
) -> list[RealVehicle]:
    limit, faults = asyncio.Semaphore(_ENROL_AT_ONCE), faulty(config)
    codec = SharedCodec(ThreadCodec())

    async def one(index: int, type_name: str) -> RealVehicle:
        async with limit:
            vehicle = await _make(config, index, codec, enrol=enrol, emit=emit, chance=chance)
        fault = faults.get(index, "")
        if fault == "ecu-rejects":
            vehicle.reject_programming()
        elif fault:
            vehicle.lose_power_while_flashing()
        facts: dict[str, str | int] = {"index": index, "type": type_name, "fault": fault}
        emit({"event": "vehicle", "vehicle": vehicle.key, **facts})
        return vehicle

    types = fleet_types(config.vehicles)
    return await asyncio.gather(*(one(index, name) for index, name in enumerate(types)))


async def _make(
    config: FleetConfig,
    index: int,
    codec: Codec,
    *,
    enrol: Enrol,
    emit: Emit,
    chance: Chance,
) -> RealVehicle:
    """Enrol one vehicle and build it."""
    signer = signer_from_seed(bytes.fromhex(chance.token(SEED_BYTES)))
    key = certificates.connection_key(bytes.fromhex(chance.token(certificates.SCALAR_BYTES)))
    kind = vehicle_type(fleet_types(config.vehicles)[index])
    number = vin(config.seed, index)
    csr = certificates.build_csr(key, "vehicle")
    enrolled = await enrol(
        EnrolRequest(
            vin=number,
            type=kind.name,
            csr=ssl.DER_cert_to_PEM_cert(csr).replace("CERTIFICATE", "CERTIFICATE REQUEST"),
            report_key=key_to_json(key_of(signer)).decode(),
        )
    )
    folder = Path(config.folder) / f"vehicle-{index:03d}"
    tls = await asyncio.to_thread(_write_tls, folder, enrolled, certificates.key_pem(key))
    vehicle = RealVehicle(
        _build(kind, enrolled, signer),
        Connection(config.url, config.mqtt_host, config.mqtt_port, tls, config.broken_share),
        folder / "storage",
        settings=_settings(config.pace),
        pace=_ecu_pace(config.pace),
        chance=SeededChance(f"fleet/{config.seed}/{index}"),
        codec=codec,
        tell=lambda event, facts: emit({"event": event, "vehicle": enrolled.vehicle, **facts}),
    )
    await vehicle.prepare()
    return vehicle


def _build(kind: VehicleType, enrolled: Enrolled, signer: CryptoSigner) -> Build:
    return Build(
        key=enrolled.vehicle,
        type=kind,
        software=factory_release(),
        signer=signer,
        director_root=enrolled.director_root.encode(),
        images_root=enrolled.images_root.encode(),
    )


async def _run_one(config: FleetConfig, index: int, vehicle: RealVehicle, emit: Emit) -> None:
    """Run a vehicle; an error of one is told and leaves the others alone."""
    over_tcp = index == fleet_types(config.vehicles).index(_MIX[0])
    await asyncio.sleep(config.start_spread_s * index / config.vehicles)
    try:
        await vehicle.run(over_tcp=over_tcp, off_s=config.off_s)
    except Exception as error:  # noqa: BLE001 - told, not hidden; the demo must see it
        words = f"{type(error).__name__}: {error}"
        emit({"event": "crashed", "vehicle": vehicle.key, "error": words})


def _write_tls(folder: Path, enrolled: Enrolled, key: bytes) -> TlsClient:
    files = {
        "ca.pem": enrolled.authority.encode(),
        "vehicle.pem": enrolled.certificate.encode(),
        "vehicle.key": key,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = folder / name
            path.touch(mode=0o600)
            path.write_bytes(data)
    except OSError as error:
        raise StoreError(f"can't be written ({error.strerror})", value=str(folder)) from error
    return TlsClient(
        ca=folder / "ca.pem",
        certificate=folder / "vehicle.pem",
        private_key=folder / "vehicle.key",
    )


def _settings(pace: float) -> AgentSettings:
    """Return the agent's patience, in step with its ECUs."""
    return AgentSettings(
        poll_s=60.0,
        poll_retry_s=2.0,
        resend_s=5.0,
        glance_every_s=0.5,
        progress_percent=5,
        policy=Policy(pause_s=0.5, pause_max_s=5.0),
        pace=Pace(boot_pause_s=0.5 * pace, loss_pause_s=0.2, busy_pause_s=0.1),
    )


def _ecu_pace(pace: float) -> EcuPace:
    """Return the ECUs' times: about two seconds for an image of 400 KB at pace 1."""
    return EcuPace(
        erase_s=0.005 * pace,
        write_bytes_per_s=300_000.0 / max(pace, 0.001),
        check_s=0.2 * pace,
        boot_s=0.4 * pace,
        answer_s=0.002 * pace,
    )


def main(arguments: Sequence[str]) -> int:
    """Run a fleet as a process of its own; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m roadworthy.sim.fleet")
    parser.add_argument("--config", type=Path, required=True, help="JSON, see FleetConfig")
    path: Path = parser.parse_args(arguments).config
    try:
        config = msgspec.json.decode(path.read_bytes(), type=FleetConfig)
        config.check()
        asyncio.run(_serve(config))
    except (OSError, msgspec.DecodeError) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return InputError.exit_status
    except RoadworthyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return 0


async def _serve(config: FleetConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with contextlib.closing(OperatorClient(config.operator_url, config.operator_token)) as client:
        await run_fleet(
            config, stop, enrol=api_enrolment(client), emit=_print, chance=SystemChance()
        )


def _print(event: dict[str, str | int]) -> None:
    sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
