"""A vehicle to try with: simulated ECUs on a DoIP port, and an agent that finds them."""

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli, Server, program, read_line

from roadworthy.adapters.ports import reserved_port
from roadworthy.base.clock import SystemClock
from roadworthy.vehicle.config import load_config

_LIMIT_S = 120
_PAUSE_S = 0.1
TOO_LARGE = """
id = "too-large"
name = "Too large"
version = "1"
[[artifact]]
file = "large.bin"
name = "large.bin"
hardware_id = "{hardware_id}"
version = "9"
release_counter = 9
"""


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as held:
        yield held


def enroll(user: Cli, server: Server, folder: Path, vin: str, doip_port: int) -> str:
    vehicle_port = server.ready["vehicle"].rpartition(":")[2]
    made = user.ok(
        *("vehicle", "enroll", folder, "--vin", vin, "--type", "car-b"),
        *("--vehicle-port", vehicle_port, "--mqtt-port", str(server.ready["mqtt"])),
        *("--doip-port", str(doip_port)),
    )
    return str(made["vehicle"])


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    with program(*arguments) as process:
        yield process
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=_LIMIT_S)
        assert process.returncode == 0, errors


def line(process: subprocess.Popen[str]) -> dict[str, Any]:
    return dict(json.loads(read_line(process)))


def ecus_of(user: Cli, vehicle: str) -> list[dict[str, Any]]:
    """Wait for the vehicle's first inventory."""
    clock, idle = SystemClock(), threading.Event()
    limit = clock.monotonic() + _LIMIT_S
    while not (found := user.ok("vehicle", "show", vehicle)["ecus"]):
        assert clock.monotonic() < limit, "reported nothing"
        idle.wait(_PAUSE_S)
    return list(found)


def refuse_too_large(user: Cli, folder: Path, ecu: dict[str, Any]) -> None:
    """Try to make a release of an image one byte larger than the slot that the vehicle told."""
    kind, size_bytes = ecu["hardware_id"], ecu["slot_size_bytes"]
    (folder / "large.bin").write_bytes(bytes(size_bytes + 1))
    manifest = folder / "large.toml"
    manifest.write_text(TOO_LARGE.format(hardware_id=kind))
    result = user("release", "create", manifest)
    assert result.exit_code == 5
    for words in (kind, f"{size_bytes + 1}", f"{size_bytes}", "build a smaller image"):
        assert words in result.stderr
    assert user("release", "show", "too-large").exit_code == 4


def test_an_agent_finds_the_ecus_of_a_simulated_vehicle(
    user: Cli, server: Server, tmp_path: Path, port: int
) -> None:
    folder = tmp_path / "vehicle"
    vehicle = enroll(user, server, folder, "RWT00000000000701", port)
    simulation = ("vehicle", "simulate", folder, "--type", "car-b", "--output", "json")
    with running(*simulation) as ecus:
        assert line(ecus) == {"event": "ready", "vehicle": vehicle, "doip": port}
        config = load_config(folder / "agent.toml")
        with running("agent", "run", "--config", folder / "agent.toml"):
            found = ecus_of(user, vehicle)
    assert {ecu["address"] for ecu in found} == {ecu.address for ecu in config.ecus}
    assert f"{found[0]['slot_size_bytes']:,}" in user("vehicle", "show", vehicle).stdout
    refuse_too_large(user, tmp_path, found[0])
    before = (folder / "agent.toml").read_bytes()
    with running(*simulation) as ecus:
        line(ecus)
    assert (folder / "agent.toml").read_bytes() == before


def test_ecus_that_the_simulation_does_not_have_are_told(
    user: Cli, server: Server, tmp_path: Path, port: int
) -> None:
    folder = tmp_path / "vehicle"
    enroll(user, server, folder, "RWT00000000000702", port)
    config = folder / "agent.toml"
    config.write_text(config.read_text() + '\n[[ecus]]\naddress = 0x10\ndomain = "body"\n')
    result = user("vehicle", "simulate", folder)
    assert result.exit_code == 2
    assert "lists other ECUs than a simulated car-d has" in result.stderr


def test_a_taken_doip_port_is_told(user: Cli, server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        enroll(user, server, tmp_path / "vehicle", "RWT00000000000703", port)
        result = user("vehicle", "simulate", tmp_path / "vehicle")
    assert result.exit_code == 6
    assert f"DoIP 127.0.0.1:{port}" in result.stderr


@pytest.mark.parametrize("text", [None, "vehicle = 1", "=", 'vehicle = "x"\nstorage = "y"\n'])
def test_a_folder_without_an_enrolled_vehicle_is_told(
    cli: Cli, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "agent.toml").write_text(text)
    assert cli("vehicle", "simulate", tmp_path).exit_code == 2
