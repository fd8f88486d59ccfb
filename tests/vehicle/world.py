"""A vehicle with real ECU machines and a signing cloud, in memory; each await can be the last.

`Tick` counts the awaits: every port waits once before and once after what it does, so power can
go at each of them. Time passes only by `sleep` and `receive`.
"""

import types
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from tests.vehicle.repository import START, Repository

from roadworthy.adapters.delta_thread import DirectCodec
from roadworthy.base.clock import SeededChance
from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import LinkError, NotFoundError
from roadworthy.base.ids import EcuSerial, HardwareId, Sha256, VehicleKey
from roadworthy.delta import make
from roadworthy.diagnostics.boot import SlotRecord, factory_state
from roadworthy.diagnostics.identity import EcuIdentity
from roadworthy.diagnostics.memory import RamSlotMemory
from roadworthy.diagnostics.server import EcuSettings, UdsServer
from roadworthy.fleet.inventory import Domain
from roadworthy.sim.ecu import partial_verification
from roadworthy.trust.envelope import unseal
from roadworthy.trust.keys import key_of, signer_from_seed
from roadworthy.trust.repository import make_director_targets, make_image_targets
from roadworthy.trust.targets import DeltaTarget, EcuTarget, ImageTarget
from roadworthy.trust.tuf import CryptoSigner
from roadworthy.updates.install_plan import Conditions
from roadworthy.updates.reports import Inventory, Progress, Refusal, Report, Result, parse_report
from roadworthy.vehicle.agent import Agent
from roadworthy.vehicle.artifacts import image_name
from roadworthy.vehicle.settings import AgentSettings, EcuPlace, Identity, Ports

VEHICLE = VehicleKey("v0123456789abcdef")
REPORT_SIGNER = signer_from_seed(b"\x07" * 32)
SLOT_SIZE_BYTES = 16 * 1024
SECRET = b"0123456789abcdef"


def content(name: str, size_bytes: int = 1500) -> bytes:
    """Bytes that look like firmware of that name: two versions have most in common."""
    return (name.encode() + bytes(range(256)) * 10)[:size_bytes]


def sha(data: bytes) -> Sha256:
    return Sha256(sha256_hex(data))


@types.coroutine
def _pause() -> Generator[None, None, None]:
    yield


@dataclass
class Tick:
    """Counts the awaits of a vehicle and tells its time; a clock port."""

    time: datetime = START
    count: int = 0

    def now(self) -> datetime:
        return self.time

    async def step(self) -> None:
        self.count += 1
        await _pause()

    async def sleep(self, duration_s: float) -> None:
        await self.step()
        self.time += timedelta(seconds=duration_s)


@dataclass
class MemoryStorage:
    tick: Tick
    files: dict[str, bytes] = field(default_factory=dict)

    async def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    async def write(self, name: str, data: bytes) -> None:
        await self.tick.step()
        self.files[name] = data
        await self.tick.step()

    async def append(self, name: str, data: bytes) -> None:
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            await self.tick.step()
            self.files[name] = self.files.get(name, b"") + part
        await self.tick.step()

    async def delete(self, name: str) -> None:
        await self.tick.step()
        self.files.pop(name, None)

    async def size(self, name: str) -> int:
        return len(self.files.get(name, b""))


@dataclass
class MemoryCloud:
    """Metadata, artifacts, and a broker; takes in reports and acknowledges them.

    breaks_after: bytes after which each download connection breaks. is_up: the network is there.
    rests: how often the vehicle waited for a message with nothing else to do.
    """

    tick: Tick
    director: Repository = field(default_factory=lambda: Repository(1))
    images: Repository = field(default_factory=lambda: Repository(101))
    artifacts: dict[Sha256, bytes] = field(default_factory=dict)
    inbox: list[Report] = field(default_factory=list)
    down: list[bytes] = field(default_factory=list)
    requested: list[tuple[Sha256, int]] = field(default_factory=list)
    breaks_after: int | None = None
    is_up: bool = True
    acknowledges: bool = True
    rests: int = 0

    async def metadata(self, repository: str, name: str) -> bytes | None:
        await self.tick.step()
        if not self.is_up:
            raise LinkError("no network")
        return {"director": self.director, "images": self.images}[repository].files.get(name)

    async def artifact(self, sha256: Sha256, offset: int) -> AsyncGenerator[bytes]:
        self.requested.append((sha256, offset))
        await self.tick.step()
        if not self.is_up:
            raise LinkError("no network")
        if sha256 not in self.artifacts:
            raise NotFoundError("there is no such artifact")
        data = self.artifacts[sha256]
        for start in range(offset, len(data), 500):
            await self.tick.step()
            if self.breaks_after is not None and start - offset >= self.breaks_after:
                raise LinkError("connection lost")
            yield data[start : start + 500]

    async def send(self, payload: bytes) -> None:
        await self.tick.step()
        if not self.is_up:
            raise LinkError("no network")
        report = parse_report(unseal(payload, key_of(REPORT_SIGNER)))
        self.inbox.append(report)
        if self.acknowledges:
            answer = {"type": "ack", "sequence": report.sequence}
            self.down.append(msgspec.json.encode(answer))
        await self.tick.step()

    async def receive(self, timeout_s: float) -> bytes | None:
        await self.tick.step()
        if self.down and self.is_up:
            return self.down.pop(0)
        self.tick.time += timedelta(seconds=timeout_s)
        self.rests += timeout_s > 1
        if not self.is_up:
            raise LinkError("no network")
        return None

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the reports of a kind, each once, in the order of their numbers."""
        by_number = {report.sequence: report for report in self.inbox if isinstance(report, kind)}
        return [by_number[number] for number in sorted(by_number)]

    @property
    def results(self) -> list[Result]:
        return self.of(Result)

    @property
    def refusals(self) -> list[Refusal]:
        return self.of(Refusal)

    @property
    def inventories(self) -> list[Inventory]:
        return self.of(Inventory)

    @property
    def progress(self) -> list[Progress]:
        return self.of(Progress)


class MemoryEcu:
    """A real UDS server on memory that keeps its content without power."""

    def __init__(self, serial: str, old: bytes, director_root: bytes) -> None:
        self.old = old
        self.identity = EcuIdentity(EcuSerial(serial), HardwareId(f"hw-{serial}"), "PN-1", VEHICLE)
        self.settings = EcuSettings(self.identity, SECRET, block_length_max=1026)
        record = SlotRecord(sha(old), len(old), "1.0.0", 1)
        self.memory = RamSlotMemory(SLOT_SIZE_BYTES, factory_state(record), old)
        self.verify = partial_verification(self.identity, director_root)
        self.never_boots: set[Sha256] = set()
        self.is_silent = False
        self.says_instead: dict[int, bytes] = {}
        """Answers that it gives to a service, whatever it is asked."""
        self.power_on()

    def power_on(self) -> None:
        self.server = UdsServer(
            self.settings, self.memory, verify=self.verify, chance=SeededChance(1)
        )

    def handle(self, request: bytes, now: datetime) -> bytes:
        if self.is_silent:
            raise LinkError("no answer")
        if request[0] in self.says_instead:
            return self.says_instead[request[0]]
        answer = self.server.handle(request, now)[-1]
        if self.running() in self.never_boots:
            self.server.restart()
        return answer

    def running(self) -> Sha256 | None:
        return self.server.status.running_sha256

    def bytes_running(self) -> bytes:
        record = self.server.boot_state.record(self.server.running)
        assert record is not None
        return self.memory.read(self.server.running, 0, record.length_bytes)


@dataclass
class MemoryBus:
    tick: Tick
    ecus: dict[int, MemoryEcu]

    async def request(
        self, address: int, payload: bytes, *, p2_s: float, p2_star_s: float
    ) -> bytes:
        assert 0 < p2_s < p2_star_s
        await self.tick.step()
        if self.ecus[address].is_silent:
            self.tick.time += timedelta(seconds=p2_s)
        answer = self.ecus[address].handle(payload, self.tick.now())
        await self.tick.step()
        return answer


@dataclass
class MemoryConditions:
    now: Conditions = field(default_factory=Conditions)

    async def read(self) -> Conditions:
        return self.now


class World:
    """One vehicle with its ECUs, its cloud and its power switch."""

    def __init__(self, serials: Iterable[str] = ("brake", "cluster")) -> None:
        self.tick = Tick()
        self.cloud = MemoryCloud(self.tick)
        self.storage = MemoryStorage(self.tick)
        self.conditions = MemoryConditions()
        self.settings = AgentSettings(append_bytes=600)
        root = self.cloud.director.root
        self.ecus = {
            0x10 + index: MemoryEcu(serial, content(f"{serial}-1"), root)
            for index, serial in enumerate(serials)
        }
        self.identity = Identity(
            vehicle=VEHICLE,
            signer=REPORT_SIGNER,
            ecus=tuple(EcuPlace(address, Domain.BODY) for address in self.ecus),
            secrets={ecu.identity.serial: SECRET for ecu in self.ecus.values()},
            director_root=root,
            images_root=self.cloud.images.root,
        )
        self.new: dict[str, bytes] = {}
        self.work: Coroutine[Any, Any, None] | None = None
        self.boot()

    def ecu(self, serial: str) -> MemoryEcu:
        return next(ecu for ecu in self.ecus.values() if ecu.identity.serial == serial)

    def boot(self) -> None:
        """Start a new agent; the one before is cut off where it stands."""
        self.close()
        ports = Ports(
            cloud=self.cloud,
            messages=self.cloud,
            bus=MemoryBus(self.tick, self.ecus),
            storage=self.storage,
            clock=self.tick,
            conditions=self.conditions,
            codec=DirectCodec(),
        )
        self.agent = Agent(ports, self.identity, self.settings)
        self.work = self.agent.run()

    def close(self) -> None:
        """End the agent's coroutine."""
        if self.work is not None:
            self.work.close()

    def cut_power(self) -> None:
        """Everything stops at once and starts again from what is durable."""
        self.close()
        for ecu in self.ecus.values():
            ecu.power_on()
        self.boot()

    def keep_base(self, serial: str) -> None:
        """Put what the ECU runs into storage, as the base of a delta."""
        old = self.ecu(serial).old
        self.storage.files[image_name(sha(old))] = old

    def offer(
        self, offer: str, *serials: str, deltas: Iterable[str] = (), hardware: str = ""
    ) -> None:
        """Release version 2 for the ECUs and offer it."""
        targets = []
        for order, serial in enumerate(serials):
            ecu, data = self.ecu(serial), content(f"{serial}-2")
            self.new[serial] = data
            self.cloud.artifacts[sha(data)] = data
            hardware_id = HardwareId(hardware) if hardware else ecu.identity.hardware_id
            image = ImageTarget(f"{serial}.bin", len(data), sha(data), hardware_id, "2.0.0", 2)
            delta = self._delta(ecu.old, data) if serial in deltas else None
            targets.append(EcuTarget(ecu.identity.serial, image, delta, order))
        expires = self.cloud.images.expires
        listed = make_image_targets(
            [target.image for target in targets],
            version=self.cloud.images.version + 1,
            expires=expires,
        )
        self.cloud.images.publish(listed)
        self.direct(offer, targets)

    def direct(
        self, offer: str, targets: list[EcuTarget], signer: CryptoSigner | None = None
    ) -> None:
        """Sign what the director wants; the vehicle learns of it by a notice."""
        director = self.cloud.director
        signed = make_director_targets(
            VEHICLE, offer, targets, version=director.version + 1, expires=director.expires
        )
        director.publish(signed, signer)
        self.cloud.down.append(b'{"type":"notice"}')

    def _delta(self, old: bytes, new: bytes) -> DeltaTarget:
        patch = make(old, new).data
        self.cloud.artifacts[sha(patch)] = patch
        return DeltaTarget(sha(old), sha(patch), len(patch))

    def run(self, *, awaits: int | None = None, until_s: float = 7200.0) -> int:
        """Let the vehicle work; return the number of awaits.

        Args:
            awaits: stop after so many; None: until all is done.
            until_s: fail when so much time has passed without an end.
        """
        first, began, rests = self.tick.count, self.tick.time, self.cloud.rests
        while awaits is None or self.tick.count - first < awaits:
            self.go_on()
            assert self.tick.time - began < timedelta(seconds=until_s), "does not come to an end"
            if awaits is None and self.is_done(rests):
                break
        return self.tick.count - first

    def is_done(self, rests: int) -> bool:
        """Whether the cloud knows everything and the vehicle has come to rest since."""
        return self.agent.is_idle and not self.cloud.down and self.cloud.rests > rests

    def pass_time(self, duration_s: float) -> None:
        """Let the vehicle work for so long."""
        until = self.tick.time + timedelta(seconds=duration_s)
        while self.tick.time < until:
            self.go_on()

    def go_on(self) -> None:
        """Let the vehicle work up to its next await."""
        assert self.work is not None
        self.work.send(None)

    def is_all_old(self) -> bool:
        return all(ecu.bytes_running() == ecu.old for ecu in self.ecus.values())

    def is_all_new(self) -> bool:
        return all(self.ecu(serial).bytes_running() == new for serial, new in self.new.items())

    def is_settled(self) -> bool:
        """Whether no ECU would fall back at a reset."""
        return all(ecu.server.status.phase == "committed" for ecu in self.ecus.values())
