"""Two slots and one rule: a new image boots once on trial and stays only if it is committed.

    COMMITTED --arm--> ARMED --reset--> TRIAL --commit--> COMMITTED (on the new slot)
        ^                |                |
        +-----revert-----+--reset/revert--+                   (on the old slot)

The state is one small record that the memory port stores atomically; nothing else decides
which slot runs. A slot has a `SlotRecord` only while its image is verified: the record is
dropped before the slot's first byte changes and comes back only after verification. So a
power cut at any moment leaves the running slot intact and an unverified slot never bootable.
"""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from roadworthy.base.errors import ConflictError, StoreError
from roadworthy.base.ids import Sha256

__all__ = [
    "BootState",
    "Phase",
    "Slot",
    "SlotRecord",
    "arm",
    "boot",
    "commit",
    "decode_boot_state",
    "encode_boot_state",
    "factory_state",
    "invalidate",
    "revert",
    "verified",
]


class Slot(StrEnum):
    """One of the two places for an image."""

    A = "A"
    B = "B"

    @property
    def other(self) -> "Slot":
        """The other slot."""
        return Slot.B if self is Slot.A else Slot.A


class Phase(StrEnum):
    """COMMITTED: settled. ARMED: the next reset tries the other slot. TRIAL: it runs on trial."""

    COMMITTED = "committed"
    ARMED = "armed"
    TRIAL = "trial"


class SlotRecord(msgspec.Struct, frozen=True):
    """A verified image in a slot. `release_counter` only grows from image to image (0..2^32-1)."""

    sha256: Sha256
    length_bytes: int
    version: str
    release_counter: int


class BootState(msgspec.Struct, frozen=True):
    """What survives power loss.

    committed: the slot that runs unless a trial says otherwise. slot_a, slot_b: their verified
    images, None while unverified. metadata_version: newest director metadata ever accepted.
    """

    committed: Slot
    phase: Phase = Phase.COMMITTED
    slot_a: SlotRecord | None = None
    slot_b: SlotRecord | None = None
    metadata_version: int = 0

    @property
    def running(self) -> Slot:
        """The slot that a machine in this state has booted."""
        return self.committed.other if self.phase is Phase.TRIAL else self.committed

    def record(self, slot: Slot) -> SlotRecord | None:
        """Return the verified image in a slot, None if there is none."""
        return self.slot_a if slot is Slot.A else self.slot_b


def factory_state(record: SlotRecord) -> BootState:
    """Return the state of an ECU that leaves the factory with an image in slot A."""
    return BootState(committed=Slot.A, slot_a=record)


def boot(state: BootState, is_intact: Callable[[Slot, SlotRecord], bool]) -> BootState:
    """Return the state after a reset; its `running` is the slot to start.

    An armed slot is tried once, and only if its image is still the verified one. A trial that
    was not committed before this reset falls back.
    """
    if state.phase is not Phase.ARMED:
        return _replace(state, phase=Phase.COMMITTED)
    candidate = state.committed.other
    record = state.record(candidate)
    is_bootable = record is not None and is_intact(candidate, record)
    return _replace(state, phase=Phase.TRIAL if is_bootable else Phase.COMMITTED)


def arm(state: BootState, sha256: Sha256) -> BootState:
    """Let the next reset try the other slot, which must hold the verified image `sha256`.

    Armed or on trial with this image already: nothing changes.

    Raises:
        ConflictError: that image is not verified in the other slot, or a trial is going on.
    """
    record = state.record(state.committed.other)
    if record is None or record.sha256 != sha256:
        raise ConflictError("the inactive slot holds no verified image of that name", value="image")
    return state if state.phase is Phase.TRIAL else _replace(state, phase=Phase.ARMED)


def commit(state: BootState, sha256: Sha256) -> BootState:
    """Keep the image on trial; nothing changes if it is committed already.

    Raises:
        ConflictError: the running image is another one, or it does not run yet.
    """
    record = state.record(state.running)
    if record is None or record.sha256 != sha256 or state.phase is Phase.ARMED:
        raise ConflictError("that image is not the one that runs", value="image")
    return _replace(state, committed=state.running, phase=Phase.COMMITTED)


def revert(state: BootState, sha256: Sha256) -> BootState:
    """Return to the image `sha256` at the next reset: end a trial, or undo a commit.

    Undoing a commit is what a failed installation of several ECUs needs; it is possible while
    the previous image stays verified in its slot. Naming the image makes a repeat harmless.

    Raises:
        ConflictError: no slot holds that image, verified.
    """
    for slot in (state.committed, state.committed.other):
        record = state.record(slot)
        if record is not None and record.sha256 == sha256:
            return _replace(state, committed=slot, phase=Phase.COMMITTED)
    raise ConflictError("no slot holds a verified image of that name", value="image")


def invalidate(state: BootState) -> BootState:
    """Drop the inactive slot's record, before its first byte changes.

    Raises:
        ConflictError: a trial is going on: the inactive slot is the way back.
    """
    if state.phase is Phase.TRIAL:
        raise ConflictError("an image is on trial", value="slot", todo="commit or revert it first")
    return _with_record(_replace(state, phase=Phase.COMMITTED), state.committed.other, None)


def verified(state: BootState, record: SlotRecord, metadata_version: int) -> BootState:
    """Note that the inactive slot's image passed verification."""
    newest = max(state.metadata_version, metadata_version)
    return _with_record(_replace(state, metadata_version=newest), state.committed.other, record)


def encode_boot_state(state: BootState) -> bytes:
    """Return the record for the memory port."""
    return msgspec.json.encode(state)


def decode_boot_state(data: bytes) -> BootState:
    """Parse the record of the memory port.

    Raises:
        StoreError: the bytes are damaged.
    """
    try:
        return msgspec.json.decode(data, type=BootState)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError("the boot record is damaged", value="boot record") from error


def _replace(state: BootState, **changes: object) -> BootState:
    return msgspec.structs.replace(state, **changes)


def _with_record(state: BootState, slot: Slot, record: SlotRecord | None) -> BootState:
    if slot is Slot.A:
        return _replace(state, slot_a=record)
    return _replace(state, slot_b=record)
