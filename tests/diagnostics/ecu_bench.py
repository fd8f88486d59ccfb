"""One ECU on memory that can lose power, and a way to hold conversations with it in no time."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from typing_extensions import override

from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import LinkError, TrustError
from roadworthy.base.ids import EcuSerial, HardwareId, Sha256, VehicleKey
from roadworthy.diagnostics.boot import Slot, SlotRecord, factory_state
from roadworthy.diagnostics.conversation import Conversation, Pause, Progress, Request
from roadworthy.diagnostics.flash import Image
from roadworthy.diagnostics.identity import EcuIdentity
from roadworthy.diagnostics.lock import derive_key
from roadworthy.diagnostics.memory import RamSlotMemory
from roadworthy.diagnostics.server import EcuSettings, UdsServer
from roadworthy.diagnostics.slots import Approval, Candidate

T = TypeVar("T")

SECRET = b"0123456789abcdef"
START = datetime(2026, 5, 1, tzinfo=UTC)
SLOT_SIZE_BYTES = 64 * 1024
OLD = b"old image" * 300
IDENTITY = EcuIdentity(
    EcuSerial("ECU-1"), HardwareId("hw-brake"), "PN-100", VehicleKey("v0123456789abcdef")
)


class PowerCutError(Exception):
    """The lights went out."""


def sha256(data: bytes) -> Sha256:
    return Sha256(hashlib.sha256(data).hexdigest())


def image(data: bytes, *, counter: int = 2, version: int = 7) -> Image:
    """An image whose metadata is `<release counter>:<metadata version>:<hash>`."""
    return Image(data, sha256(data), f"{counter}:{version}:{sha256(data)}".encode())


def verify(candidate: Candidate, now: datetime) -> Approval:
    """Stands for the ECU's own verification; that the hash is the slot's is not its business."""
    assert now.tzinfo is not None
    counter, version, name = candidate.metadata.decode().split(":")
    if name != candidate.sha256:
        raise TrustError("names another image", value="metadata")
    if int(version) < candidate.metadata_version_min:
        raise TrustError("is older than what was accepted", value="metadata")
    return Approval(f"2.0.{counter}", int(counter), int(version))


class CuttableMemory(RamSlotMemory):
    """Loses power at the n-th change; half of a write has happened by then."""

    cut_after: int | None = None
    changes = 0

    def _count(self) -> bool:
        self.changes += 1
        return self.cut_after is not None and self.changes > self.cut_after

    @override
    def erase(self, slot: Slot) -> None:
        if self._count():
            super().write(slot, 0, b"\x00" * 7)
            raise PowerCutError
        super().erase(slot)

    @override
    def write(self, slot: Slot, offset: int, data: bytes) -> None:
        if self._count():
            super().write(slot, offset, data[: len(data) // 2])
            raise PowerCutError
        super().write(slot, offset, data)

    @override
    def store(self, record: bytes) -> None:
        if self._count():
            raise PowerCutError
        super().store(record)


@dataclass
class Bench:
    """An ECU, its memory, and time."""

    memory: CuttableMemory
    server: UdsServer
    now: datetime = START
    sent: list[bytes] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    lose: Callable[[bytes], bool] = lambda _: False

    def handle(self, request: bytes, *, after_s: float = 0.0) -> list[bytes]:
        self.now += timedelta(seconds=after_s)
        return self.server.handle(request, self.now)

    def final(self, request: bytes) -> bytes:
        return self.handle(request)[-1]

    def power_cycle(self) -> None:
        self.memory.cut_after = None
        self.server = new_server(self.memory)

    def unlock(self, *sessions: int) -> None:
        for session in sessions:
            assert self.final(bytes([0x10, session]))[0] == 0x50
        seed = self.final(b"\x27\x01")[2:]
        assert self.final(b"\x27\x02" + derive_key(SECRET, seed)) == b"\x67\x02"

    def hold(self, conversation: Conversation[T]) -> T:
        """Drive a conversation; requests for which `lose` is true get an answer nobody hears."""
        try:
            action = next(conversation)
            while True:
                action = self._step(conversation, action)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _step(
        self, conversation: Conversation[T], action: Request | Pause | Progress
    ) -> Request | Pause | Progress:
        match action:
            case Request(payload):
                self.sent.append(payload)
                answers = self.handle(payload, after_s=0.01)
                if not answers or self.lose(payload):
                    self.now += timedelta(seconds=action.p2_s)
                    return conversation.throw(LinkError("lost"))
                return conversation.send(answers[-1])
            case Pause(duration_s):
                self.now += timedelta(seconds=duration_s)
            case Progress():
                self.progress.append(action)
        return conversation.send(b"")


def new_server(memory: RamSlotMemory, *, boot_s: float = 0.0) -> UdsServer:
    settings = EcuSettings(
        IDENTITY, SECRET, block_length_max=514, boot_duration=timedelta(seconds=boot_s)
    )
    return UdsServer(settings, memory, verify=verify, chance=SeededChance(1))


def new_bench(*, boot_s: float = 0.0) -> Bench:
    record = SlotRecord(sha256(OLD), len(OLD), "1.0.0", 1)
    memory = CuttableMemory(SLOT_SIZE_BYTES, factory_state(record), OLD)
    return Bench(memory, new_server(memory, boot_s=boot_s))
