"""The real-time fleet against the real server: MQTT, HTTPS, DoIP over TCP and in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from roadworthy.base.clock import SystemChance, SystemClock
from roadworthy.base.errors import ConflictError, InputError
from roadworthy.cloud.client import OperatorClient
from roadworthy.cloud.folder import create_folder
from roadworthy.cloud.main import RunningCloud, ServerSettings, issue_local, running_cloud
from roadworthy.sim.fleet import FleetConfig, api_enrolment, faulty, fleet_types, run_fleet
from roadworthy.sim.vehicle_types import UPDATABLE, SoftwareSet, factory_release, new_release
from roadworthy.trust.keys import signer_from_pem

_LIMIT_S = 600.0


@contextlib.asynccontextmanager
async def _operator(cloud: RunningCloud) -> AsyncIterator[OperatorClient]:
    token = await issue_local(cloud.desk, kind="token", name="test")
    with OperatorClient(cloud.operator.url, token) as client:
        yield client


def _publish(client: OperatorClient, offline: Path, name: str, pack: SoftwareSet) -> None:
    """Upload, draft and sign a release as an operator does."""
    images = [image for kind, image in pack.images.items() if kind in UPDATABLE]
    artifacts = [
        {
            "name": image.name,
            "hardware_id": image.hardware_id,
            "version": image.version,
            "release_counter": image.release_counter,
            "sha256": client.upload(image.data),
            "order": image.order,
        }
        for image in images
    ]
    release = {"id": name, "name": pack.name, "version": pack.version, "artifacts": artifacts}
    client.post("/releases", release)
    for holder in ("targets-1", "targets-2"):
        signer = signer_from_pem((offline / f"{holder}.pem").read_bytes())
        signature = signer.sign(client.get_bytes(f"/releases/{name}/payload"))
        body = {"keyid": signature.keyid, "sig": signature.signature}
        client.post(f"/releases/{name}/signatures", body)


def _draft(client: OperatorClient, canary: str) -> None:
    campaign = {
        "id": "winter",
        "name": "Winter",
        "release_id": "new",
        "waves": [{"name": "canary", "size": 1, "vehicles": [canary]}, {"name": "rest"}],
        "gate": {"failure_share_max": 0.6, "reached_min": 3, "silent_after_s": _LIMIT_S},
    }
    client.post("/campaigns", campaign)


def _starts(client: OperatorClient) -> bool:
    """Start the campaign; its deltas have to be ready first."""
    try:
        client.post("/campaigns/winter/start")
    except ConflictError:
        return False
    return True


async def _until(what: Callable[[], Any]) -> None:
    clock = SystemClock()
    async with asyncio.timeout(_LIMIT_S):
        while not await asyncio.to_thread(what):
            await clock.sleep(0.1)


def _is_known(client: OperatorClient, vehicles: int) -> bool:
    found = list(client.pages("/vehicles"))
    return len(found) == vehicles and all(vehicle["ecus"] for vehicle in found)


async def test_a_fleet_with_faults_rolls_out_and_tells_the_truth(tmp_path: Path) -> None:
    clock, offline = SystemClock(), tmp_path / "offline"
    create_folder(tmp_path / "server", offline, names=(), chance=SystemChance(), now=clock.now())
    events: list[dict[str, str | int]] = []
    async with (
        running_cloud(ServerSettings(tmp_path / "server")) as cloud,
        _operator(cloud) as client,
    ):
        config = FleetConfig(
            folder=str(tmp_path / "fleet"),
            url=cloud.vehicle.url,
            mqtt_host="localhost",
            mqtt_port=cloud.broker.mqtt_port,
            vehicles=4,
            pace=0.01,
            broken_share=0.5,
            off_s=0.2,
            start_spread_s=0.0,
        )
        stop = asyncio.Event()
        fleet = asyncio.create_task(
            run_fleet(
                config,
                stop,
                enrol=api_enrolment(client),
                emit=events.append,
                chance=SystemChance(),
            )
        )
        try:
            await asyncio.to_thread(_publish, client, offline, "old", factory_release())
            await asyncio.to_thread(_publish, client, offline, "new", new_release())
            await _until(lambda: _is_known(client, config.vehicles))
            canary = next(str(e["vehicle"]) for e in events if e.get("index") == 1)
            await asyncio.to_thread(_draft, client, canary)
            await _until(lambda: _starts(client))
            await _until(lambda: client.get("/campaigns/winter")["state"] == "finished")
            members = list(
                await asyncio.to_thread(lambda: list(client.pages("/campaigns/winter/vehicles")))
            )
        finally:
            stop.set()
            await fleet
    _judge(events, members)


def _judge(events: list[dict[str, str | int]], members: list[dict[str, Any]]) -> None:
    faults = {e["vehicle"]: e["fault"] for e in events if e["event"] == "vehicle"}
    for member in members:
        expected = "failed" if faults[member["vehicle"]] == "ecu-rejects" else "confirmed"
        assert member["stage"] == expected, member
    kinds = [event["event"] for event in events]
    assert kinds.count("power-lost") == kinds.count("power-back") == 1
    assert kinds.count("doip") == 1
    assert "crashed" not in kinds
    new = {image.sha256 for image in new_release().images.values()}
    ran = {event["sha256"] for event in events if event["event"] == "ecu-runs"}
    assert ran == new


def test_faults_go_to_the_last_cars() -> None:
    config = FleetConfig("f", "u", "h", 1, vehicles=10, power_cuts=2, rejecting=1)
    assert faulty(config) == {9: "ecu-rejects", 8: "power-cut", 7: "power-cut"}
    assert fleet_types(10).count("truck-40t") == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"vehicles": 0},
        {"broken_share": 1.5},
        {"pace": -1.0},
        {"rejecting": -1},
        {"vehicles": 2, "power_cuts": 3},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        FleetConfig("f", "u", "h", 1, **wrong).check()
