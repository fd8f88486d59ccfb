"""`roadworthy demo`: the product in one minute, with nothing simulated but the vehicles' metal.

It starts the server (with its broker) and the fleet as processes of their own, does the main
job as an operator would, and shows the rollout. `--once` ends with 0 only if the rollout
converged: the campaign finished, every sound vehicle runs the release by hash on every ECU,
and exactly the vehicles with a lasting fault failed, with old images and the true reason.
"""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from roadworthy.base.clock import SystemChance, SystemClock
from roadworthy.base.errors import RoadworthyError, StoreError
from roadworthy.cloud.client import OperatorClient
from roadworthy.cloud.folder import create_folder
from roadworthy.sim.demo_children import Child, started
from roadworthy.sim.demo_job import CampaignJob, publish
from roadworthy.sim.demo_screen import Screen
from roadworthy.sim.fleet import FleetConfig
from roadworthy.sim.vehicle_types import new_release

__all__ = ["DemoOptions", "Seen", "problems", "run_demo"]

_POLL_S = 0.5
_FAULTS_FROM = 10
_INTERRUPTED = 130
_OVER = frozenset({"finished", "aborted"})
_LASTING = "ecu-rejects"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How to run the demo.

    pace: how fast; 10 is ten times as fast. port: of the page, 0 for any.
    folder: where to keep everything; a temporary one that is removed at the end if None.
    """

    vehicles: int = 50
    seed: int = 1
    once: bool = False
    pace: float = 1.0
    port: int = 0
    folder: Path | None = None


@dataclass(slots=True)
class Seen:
    """What the fleet's process said: the ground truth beside the cloud's view.

    faults: by vehicle. runs: image hash by vehicle and ECU.
    """

    order: dict[int, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    runs: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    crashed: list[str] = field(default_factory=list)
    doip_port: int | None = None

    def take(self, line: Mapping[str, Any]) -> None:
        """Take in one line."""
        match line:
            case {"event": "vehicle", "index": index, "vehicle": vehicle, "fault": fault}:
                self.order[index] = vehicle
                self.faults[vehicle] = fault
            case {"event": "ecu-runs", "vehicle": vehicle, "ecu": ecu}:
                place = self.runs.setdefault(vehicle, {})
                place[ecu] = (line["hardware_id"], line["sha256"])
            case {"event": "doip", "port": port}:
                self.doip_port = port
            case {"event": "crashed", "vehicle": vehicle, "error": error}:
                self.crashed.append(f"{vehicle}: {error}")


def run_demo(options: DemoOptions) -> int:
    """Run the demo; return the exit status: 0 converged, 1 not, 130 interrupted."""
    screen = Screen(Console())
    try:
        return asyncio.run(_until_interrupted(options, screen))
    except RoadworthyError as error:
        screen.end_live()
        screen.problem(str(error))
        return error.exit_status


def problems(campaign: Mapping[str, Any], members: list[dict[str, Any]], seen: Seen) -> list[str]:
    """Return what speaks against convergence; empty when all is as it must be."""
    found = [f"vehicle process: {text}" for text in seen.crashed]
    if campaign["state"] != "finished":
        found.append(f"the campaign is {campaign['state']}: {campaign['reason']}")
    images = new_release().images.values()
    wanted: dict[str, str] = {image.hardware_id: image.sha256 for image in images}
    for member in members:
        vehicle, stage = member["vehicle"], member["stage"]
        lasting = seen.faults.get(vehicle) == _LASTING
        running = seen.runs.get(vehicle, {}).values()
        new = [sha256 == wanted[kind] for kind, sha256 in running if kind in wanted]
        if stage != ("failed" if lasting else "confirmed"):
            found.append(f"{vehicle} is {stage} ({member['code']}): {member['detail']}")
        elif any(new) if lasting else not (new and all(new)):
            found.append(f"{vehicle} is {stage}, but its ECUs do not run what that says")
    return found


async def _until_interrupted(options: DemoOptions, screen: Screen) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel if task else int)
    try:
        with _folder(options) as folder:
            return await _demo(options, screen, folder)
    except asyncio.CancelledError:
        screen.end_live()
        return 0 if not options.once else _INTERRUPTED


@contextlib.contextmanager
def _folder(options: DemoOptions) -> Any:  # noqa: ANN401 - a context of a path
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        yield options.folder
        return
    with tempfile.TemporaryDirectory(prefix="roadworthy-demo-") as name:
        yield Path(name)


async def _demo(options: DemoOptions, screen: Screen, folder: Path) -> int:
    clock, seen = SystemClock(), Seen()
    server_folder, offline = folder / "server", folder / "offline-keys"
    create_folder(server_folder, offline, names=(), chance=SystemChance(), now=clock.now())
    screen.step("Made the keys: 4 offline (roots and images, 2 of 2 each), 3 online")
    async with _server(options, folder) as ready:
        screen.step("Server and broker run: TLS 1.3, client certificates")
        screen.link(ready["sign_in"])
        token = _read(ready["token_file"])
        with contextlib.closing(OperatorClient(ready["operator"], token)) as client:
            await asyncio.to_thread(publish, client, offline)
            screen.step("Signed 2 releases of real firmware with 2 offline keys each")
            async with _fleet(options, folder, ready, token) as fleet:
                return await _roll_out(options, screen, CampaignJob(client, clock), fleet, seen)


def _read(path: str) -> str:
    return Path(path).read_text(encoding="ascii").strip()


@contextlib.asynccontextmanager
async def _server(options: DemoOptions, folder: Path) -> AsyncIterator[dict[str, Any]]:
    arguments = ["roadworthy", "--output", "json", "serve", "--folder", str(folder / "server")]
    arguments += ["--operator-port", str(options.port), "--vehicle-port", "0"]
    arguments += ["--mqtt-port", "0", "--environment", "Demo", "--price-per-mb", "0.50"]
    async with started("server", arguments, folder) as child:
        yield await child.line("ready")


@contextlib.asynccontextmanager
async def _fleet(
    options: DemoOptions, folder: Path, ready: Mapping[str, Any], token: str
) -> AsyncIterator[Child]:
    faults = int(options.vehicles >= _FAULTS_FROM)
    config = FleetConfig(
        folder=str(folder / "fleet"),
        url=ready["vehicle"],
        mqtt_host="127.0.0.1",
        mqtt_port=ready["mqtt"],
        operator_url=ready["operator"],
        operator_token=token,
        vehicles=options.vehicles,
        seed=options.seed,
        pace=1 / options.pace,
        power_cuts=faults,
        rejecting=faults,
    )
    path = folder / "fleet.json"
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.encode(config))
    async with started("fleet", ["roadworthy.sim.fleet", "--config", str(path)], folder) as child:
        yield child


async def _roll_out(
    options: DemoOptions, screen: Screen, job: CampaignJob, fleet: Child, seen: Seen
) -> int:
    listening = asyncio.create_task(_listen(fleet, seen))
    try:
        await _first(job.wait_for_inventories(options.vehicles), listening, fleet)
        screen.step(f"{options.vehicles} vehicles enrolled and reported their ECUs")
        screen.step(f"A truck answers any UDS tester: DoIP on 127.0.0.1:{seen.doip_port}")
        canary = [seen.order[index] for index in range(min(2, options.vehicles))]
        await _first(job.start(canary), listening, fleet)
        screen.step("Deltas made; campaign of three waves started")
        campaign = await _first(_watch(job, screen), listening, fleet)
        members = await asyncio.to_thread(job.members)
        found = problems(campaign, members, seen)
        _sum_up(screen, found, members, seen)
        if not options.once:
            screen.step("Everything stays up; Ctrl-C ends it")
            await listening
        return int(bool(found))
    finally:
        listening.cancel()


async def _listen(fleet: Child, seen: Seen) -> None:
    async for line in fleet.lines():
        seen.take(line)


async def _first(work: Any, listening: "asyncio.Task[None]", fleet: Child) -> Any:  # noqa: ANN401
    """Do the work, unless the fleet's process ends before."""
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.wait((doing, listening), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise StoreError(f"ended early: {fleet.log_tail()}", value="fleet")
        return doing.result()
    finally:
        doing.cancel()


async def _watch(job: CampaignJob, screen: Screen) -> Mapping[str, Any]:
    clock = SystemClock()
    while True:
        campaign = await asyncio.to_thread(job.state)
        screen.rollout(campaign)
        if campaign["state"] in _OVER:
            screen.end_live()
            return campaign
        if campaign["state"] == "paused" and campaign["changed_by"] == "gate":
            screen.end_live()
            screen.step(f"The gate paused the campaign: {campaign['reason']}")
            await asyncio.to_thread(job.resume)
            screen.step("Looked at the reason, accepted this failure and resumed")
        await clock.sleep(_POLL_S)


def _sum_up(screen: Screen, found: list[str], members: list[dict[str, Any]], seen: Seen) -> None:
    for member in members:
        if member["code"]:
            where = f"{member['vehicle']} {member['stage']} at {member['ecu'] or 'no ECU'}"
            screen.step(f"{where} ({member['code']}): {member['detail']}")
    for text in found:
        screen.problem(text)
    if not found:
        lasting = sum(fault == _LASTING for fault in seen.faults.values())
        sound = len(seen.faults) - lasting
        screen.step(
            f"Converged: {sound} vehicles run the release, by hash on every ECU; {lasting} with a "
            "refusing ECU kept its old software and says why"
        )
