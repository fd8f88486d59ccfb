"""A whole product on this machine: the server and the fleet as their users start them."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from tests.e2e.processes import LIMIT_S, Child, Process, until

from roadworthy.adapters.files import FolderArtifacts
from roadworthy.adapters.ports import reserved_port
from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.clock import SystemChance, SystemClock
from roadworthy.base.ids import Sha256
from roadworthy.cloud.client import OperatorClient
from roadworthy.cloud.folder import ServerFolder, create_folder
from roadworthy.cloud.ports import Account, StoredEntry, Tables
from roadworthy.delta import PATCH_FORMAT, make
from roadworthy.sim.demo import Seen
from roadworthy.sim.demo_job import publish
from roadworthy.sim.fleet import FleetConfig
from roadworthy.sim.vehicle_types import UPDATABLE, Image, factory_release, new_release
from roadworthy.trust.keys import signer_from_pem
from roadworthy.updates.release import Delta

__all__ = [
    "OVER",
    "Fleet",
    "Server",
    "add_release",
    "copy_template",
    "create_campaign",
    "entries",
    "finish",
    "make_template",
    "members",
    "open_campaign",
    "run_async",
    "wait_for_deltas",
    "wait_for_inventories",
]

OVER = frozenset({"finished", "aborted"})
Answer = TypeVar("Answer")


def run_async(work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run a coroutine beside whatever loop the browser keeps in this thread.

    Fails with what every task waits for when it takes longer than LIMIT_S.
    """

    async def main() -> Answer:
        task = asyncio.ensure_future(work())
        await asyncio.wait((task,), timeout=LIMIT_S)
        assert task.done(), "\n".join(map(str, (each.get_stack() for each in asyncio.all_tasks())))
        return task.result()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(main())).result()


class Server:
    """The server, which may be killed and started again on the same ports and folder.

    Args:
        folder: holds `server` and `offline-keys`, made by the key ceremony.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "server"
        self.offline = folder / "offline-keys"
        self.ready: dict[str, Any] = {}
        self._ports: tuple[int, ...] = ()
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """Its process."""
        assert self._child is not None
        return self._child

    @property
    def url(self) -> str:
        """Where its pages and its operator API are."""
        return str(self.ready["operator"])

    def start(self) -> None:
        """Start it, always on the same ports, which nobody else gets while it is down."""
        operator, vehicle, mqtt = map(str, self._ports)
        arguments = ["roadworthy", "--output", "json", "serve", "--folder", str(self.folder)]
        arguments += ["--operator-port", operator, "--vehicle-port", vehicle]
        arguments += ["--mqtt-port", mqtt, "--environment", "Test"]
        self._child = Child("server", arguments, self.folder.parent)
        self.ready = self.child.event("ready")

    def kill(self) -> None:
        """Let it die as by a power cut; the broker that it started dies with it."""
        assert self.child.end(signal.SIGKILL) == -signal.SIGKILL

    def stop(self) -> None:
        """End it in good order; nothing that it started may be left."""
        assert self.child.end() == 0, self.child.told()

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        """Run it for as long as the block does."""
        with contextlib.ExitStack() as stack:
            self._ports = tuple(stack.enter_context(reserved_port()) for _ in range(3))
            stack.callback(self._kill_all)
            self.start()
            yield self
            self.stop()

    def _kill_all(self) -> None:
        if self._child is not None:
            self._child.kill_all()

    def client(self) -> OperatorClient:
        """Return a client with the token of the command line on this machine."""
        token = Path(self.ready["token_file"]).read_text(encoding="ascii").strip()
        return OperatorClient(self.url, token)


class Fleet:
    """Vehicles in a process of their own.

    Args:
        server: a running one.
        folder: empty; for keys, certificates and the agents' storage.
        more: fields of FleetConfig that differ from a small, sound and fast fleet.
    """

    def __init__(self, server: Server, folder: Path, **more: object) -> None:
        self.seen = Seen()
        sound = {"power_cuts": 0, "rejecting": 0, "broken_share": 0.0}
        quick = {"vehicles": 5, "pace": 0.05, "start_spread_s": 0.5}
        folder.mkdir()
        with contextlib.closing(server.client()) as client:
            token = client._client.headers["authorization"].removeprefix("Bearer ")
        here = {
            "folder": str(folder / "vehicles"),
            "url": server.ready["vehicle"],
            "mqtt_host": "127.0.0.1",
            "mqtt_port": server.ready["mqtt"],
            "operator_url": server.url,
            "operator_token": token,
        }
        self.config = msgspec.convert({**here, **sound, **quick, **more}, FleetConfig)
        self._folder = folder
        self._child: Child | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator["Fleet"]:
        """Run it for as long as the block does; no vehicle may crash."""
        path = self._folder / "fleet.json"
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(self.config))
        arguments = ["roadworthy.sim.fleet", "--config", str(path)]
        child = self._child = Child("fleet", arguments, self._folder, heard=self.seen.take)
        try:
            child.event("ready")
            yield self
            assert self.seen.crashed == []
            assert child.end() == 0, child.told()
        finally:
            child.kill_all()

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        """Stand still for as long as the block does, so that it sees one moment of a rollout."""
        assert self._child is not None
        self._child.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._child.send(signal.SIGCONT)

    def family(self) -> set[Process]:
        """Return its processes."""
        return self._child.family() if self._child else set()

    @property
    def vehicles(self) -> list[str]:
        """Keys of the vehicles, in their order."""
        return [self.seen.order[index] for index in range(self.config.vehicles)]


def make_template(folder: Path) -> None:
    """Make the folder of a server with both releases and their deltas, for others to copy."""
    server = Server(folder)
    now = SystemClock().now()
    create_folder(server.folder, server.offline, names=(), chance=SystemChance(), now=now)
    with server.running(), contextlib.closing(server.client()) as client:
        publish(client, server.offline)
    _make_deltas(server.folder)


def _make_deltas(folder: Path) -> None:
    """Store the deltas between both releases, which the server makes once vehicles report."""
    place = ServerFolder(folder)
    artifacts, old, new = FolderArtifacts(place.artifacts), factory_release(), new_release()

    async def put(patch: bytes) -> Sha256:
        async def once() -> AsyncIterator[bytes]:
            yield patch

        return await artifacts.put(once())

    with contextlib.closing(SqliteStore(place.database, StoredEntry, Account)) as store:
        for hardware_id in sorted(UPDATABLE):
            base, target = old.images[hardware_id], new.images[hardware_id]
            patch = make(base.data, target.data).data
            name = run_async(partial(put, patch))
            delta = Delta(base.sha256, target.sha256, name, len(patch), PATCH_FORMAT)
            store.write_now(partial(_put_delta, delta))


def _put_delta(delta: Delta, tables: Tables) -> None:
    tables.releases.put_delta(delta)


def copy_template(template: Path, folder: Path) -> Server:
    """Return a server, not started yet, on a copy of the template."""
    shutil.copytree(template, folder, dirs_exist_ok=True)
    return Server(folder)


def wait_for_deltas(client: OperatorClient, release: str) -> None:
    """Return when every delta to the release is made."""
    until(lambda: client.get(f"/releases/{release}")["deltas_ready"], f"deltas of {release}")


def wait_for_inventories(client: OperatorClient, vehicles: Sequence[str]) -> None:
    """Return when each of the vehicles has reported its ECUs."""
    until(
        lambda: all(client.get(f"/vehicles/{key}")["ecus"] for key in vehicles), "the inventories"
    )


def add_release(client: OperatorClient, offline: Path, release: str, *images: Image) -> None:
    """Upload the images, draft a release of them, sign it with the offline keys.

    Args:
        client: of the server.
        offline: where the offline keys are.
        release: its id.
        images: one for each kind of hardware.
    """
    artifacts = [
        {
            "name": image.name,
            "hardware_id": image.hardware_id,
            "version": image.version,
            "release_counter": image.release_counter,
            "sha256": client.upload(image.data),
        }
        for image in images
    ]
    named = {"id": release, "name": f"Release {release}", "version": "1"}
    client.post("/releases", named | {"artifacts": artifacts})
    payload = client.get_bytes(f"/releases/{release}/payload")
    for name in ("targets-1", "targets-2"):
        signature = signer_from_pem((offline / f"{name}.pem").read_bytes()).sign(payload)
        signed = {"keyid": signature.keyid, "sig": signature.signature}
        client.post(f"/releases/{release}/signatures", signed)


def create_campaign(
    client: OperatorClient, campaign: str, release: str, types: Sequence[str], **more: object
) -> None:
    """Create a campaign of one wave for some types of vehicles."""
    body: dict[str, object] = {
        "id": campaign,
        "name": f"Campaign {campaign}",
        "release_id": release,
        "waves": [{"name": "All", "share": 1.0}],
        "vehicle_types": list(types),
        "gate": {"failure_share_max": 0.0, "reached_min": 100},
    }
    client.post("/campaigns", body | more)


def open_campaign(
    client: OperatorClient, campaign: str, release: str, types: Sequence[str], **more: object
) -> None:
    """Create a campaign of one wave for some types of vehicles, and start it."""
    create_campaign(client, campaign, release, types, **more)
    wait_for_deltas(client, release)
    client.post(f"/campaigns/{campaign}/start", {"reason": "test"})


def finish(client: OperatorClient, campaign: str, *states: str) -> Mapping[str, Any]:
    """Wait until a campaign has one of these states, by default that it is over."""
    wanted = frozenset(states) or OVER

    def look() -> Mapping[str, Any] | None:
        found: Mapping[str, Any] = client.get(f"/campaigns/{campaign}")
        return found if found["state"] in wanted else None

    return until(look, f"{campaign} {' or '.join(sorted(wanted))}", pause_s=0.2)


def members(client: OperatorClient, campaign: str) -> list[dict[str, Any]]:
    """Return every vehicle of a campaign."""
    return list(client.pages(f"/campaigns/{campaign}/vehicles"))


def entries(client: OperatorClient, subject: str = "") -> list[dict[str, Any]]:
    """Return the latest entries of the ledger about a subject, newest first."""
    found: list[dict[str, Any]] = client.get("/ledger", subject=subject, limit=500)["items"]
    return found
