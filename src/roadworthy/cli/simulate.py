"""`roadworthy vehicle simulate`: the ECUs of an enrolled vehicle, for people without one."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from roadworthy.base.errors import InputError
from roadworthy.base.ids import parse_vehicle_key
from roadworthy.cli.commands import Command
from roadworthy.cli.files import FOLDER, load_toml, read_file, replace_file
from roadworthy.cli.output import Output
from roadworthy.cli.settings import settings_of
from roadworthy.cli.signals import stopped_by_signal
from roadworthy.sim.vehicle_types import VEHICLE_TYPES, VehicleType
from roadworthy.vehicle.config import VehicleConfig, load_config

if TYPE_CHECKING:
    from roadworthy.sim.ecu import VirtualEcu
    from roadworthy.sim.workbench import Workbench

__all__ = ["simulate"]

_CONFIG, _SECRETS = "agent.toml", "ecu-secrets.json"
_SHORT = 12


class _Known(msgspec.Struct, frozen=True):
    """What of a configuration must be there before the ECUs are."""

    vehicle: str
    storage: str
    ecus: list[dict[str, object]] = []


@click.command("simulate", cls=Command)
@click.argument("folder", type=FOLDER)
@click.option(
    "--type",
    "kind",
    default="car-d",
    show_default=True,
    type=click.Choice(list(VEHICLE_TYPES)),
    help="What the vehicle is: a truck with 30 ECUs, cars with 12 and 6.",
)
@click.pass_context
def simulate(context: click.Context, *, folder: Path, kind: str) -> None:
    """Be the ECUs of the vehicle that was enrolled into FOLDER, until SIGINT or SIGTERM.

    Any UDS tester may connect to them by DoIP. An agent.toml without ECUs gets those of the
    simulated vehicle, with their unlock secrets. What is flashed lasts until the command ends.

    Then, in another terminal: roadworthy agent run --config FOLDER/agent.toml
    """
    from roadworthy.sim.workbench import Workbench  # noqa: PLC0415 - help must be fast

    output = Output(settings_of(context))
    found = VEHICLE_TYPES[kind]
    if _fill_in(folder, found):
        output.message(f"Wrote the ECUs of a {kind} into {folder / _CONFIG}")
    config = load_config(folder / _CONFIG)
    if {ecu.address for ecu in config.ecus} != {place.address for place in found.ecus}:
        raise InputError(
            f"lists other ECUs than a simulated {kind} has",
            value=str(folder / _CONFIG),
            todo="give another --type, or enrol a vehicle into a new folder",
        )
    bench = Workbench(
        config.vehicle,
        found,
        director_root=read_file(config.keys.director_root),
        tell=_teller(output),
    )
    asyncio.run(_serve(bench, config, output))


def _fill_in(folder: Path, kind: VehicleType) -> bool:
    """Give the configuration the simulated ECUs unless it has some; it changes last."""
    from roadworthy.sim.workbench import (  # noqa: PLC0415 - help must be fast
        ecu_secrets,
        store_factory_images,
    )

    path = folder / _CONFIG
    known = load_toml(path, _Known)
    if known.ecus:
        return False
    vehicle = parse_vehicle_key(known.vehicle)
    secrets = json.dumps(ecu_secrets(vehicle, kind), indent=2)
    asyncio.run(store_factory_images(kind, folder / known.storage))
    replace_file(folder / _SECRETS, f"{secrets}\n".encode(), is_secret=True)
    tables = "".join(
        f'\n[[ecus]]\naddress = 0x{place.address:04X} # {place.name}\ndomain = "{place.domain}"\n'
        for place in kind.ecus
    )
    replace_file(path, read_file(path) + tables.encode(), is_secret=True)
    return True


async def _serve(bench: "Workbench", config: VehicleConfig, output: Output) -> None:
    with stopped_by_signal() as stop:
        async with bench.served(config.doip.host, config.doip.port) as port:
            if output.settings.is_json:
                output.json({"event": "ready", "vehicle": config.vehicle, "doip": port})
            else:
                output.fields(
                    {
                        "Vehicle": config.vehicle,
                        "ECUs": len(config.ecus),
                        "DoIP": f"{config.doip.host}:{port}; Ctrl-C ends it",
                    }
                )
            await stop.wait()


def _teller(output: Output) -> Callable[["VirtualEcu"], None]:
    def tell(ecu: "VirtualEcu") -> None:
        """Say what an ECU runs now."""
        serial, sha256 = ecu.identity.serial, ecu.running_sha256()
        if output.settings.is_json:
            output.json({"event": "ecu-runs", "ecu": serial, "sha256": sha256})
            return
        output.out.print(f"{serial} runs another image: {sha256[:_SHORT]}")

    return tell
