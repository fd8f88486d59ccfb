"""The ECU's two slots: what runs, what waits, and that nothing unverified ever boots.

This room joins the boot rule (`diagnostics.boot`) with the memory port. Every change of a slot
goes through here, in an order that survives a power cut: first the record, then the bytes;
after writing, first the verification, then the record.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from roadworthy.base.errors import ConflictError, TrustError
from roadworthy.base.ids import Sha256
from roadworthy.diagnostics.boot import (
    BootState,
    Phase,
    Slot,
    SlotRecord,
    arm,
    boot,
    commit,
    decode_boot_state,
    encode_boot_state,
    invalidate,
    revert,
    verified,
)
from roadworthy.diagnostics.identity import SlotStatus
from roadworthy.diagnostics.memory import SlotMemory
from roadworthy.diagnostics.routines import Routine

__all__ = ["Approval", "Candidate", "Slots", "Verify"]

_COUNTER_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image in the inactive slot that waits for the ECU's own verification.

    image: the bytes as they stand in the slot; sha256 is theirs. metadata: signed director
    metadata as transferred. metadata_version_min: older metadata is a rollback.
    release_counter_min: that of the running image; a lower one is a rollback.
    """

    image: bytes
    sha256: Sha256
    metadata: bytes
    metadata_version_min: int
    release_counter_min: int


@dataclass(frozen=True, slots=True)
class Approval:
    """What the verified metadata says of an image."""

    version: str
    release_counter: int
    metadata_version: int


Verify = Callable[[Candidate, datetime], Approval]
"""The port to the ECU's verification; raises TrustError or InputError to refuse the image."""


class Slots:
    """Both slots of one ECU; call `boot` before anything else.

    Args:
        memory: flash memory with the boot record.
        verify: the ECU's verification.

    Raises:
        StoreError: the boot record is damaged.
    """

    def __init__(self, memory: SlotMemory, verify: Verify) -> None:
        self._memory = memory
        self._verify = verify
        self.state: BootState = decode_boot_state(memory.load())
        self.running = self.state.running

    @property
    def slot_size_bytes(self) -> int:
        """Bytes of one slot."""
        return self._memory.slot_size_bytes

    def boot(self) -> None:
        """Start the slot that the boot rule names."""
        self._store(boot(self.state, self._is_intact))
        self.running = self.state.running

    def status(self) -> SlotStatus:
        """Return what runs and what waits."""
        current = self.state.record(self.running)
        other = self.state.record(self.running.other)
        phase = Phase.TRIAL if self.running is not self.state.committed else self.state.phase
        return SlotStatus(
            running=self.running,
            phase=phase,
            running_sha256=current.sha256 if current else None,
            other_sha256=other.sha256 if other else None,
            release_counter=current.release_counter if current else 0,
        )

    def version(self) -> str:
        """Return the running image's version."""
        record = self.state.record(self.running)
        return record.version if record else ""

    def erase(self) -> None:
        """Make the inactive slot writable.

        Raises:
            ConflictError: the running image is on trial or about to be left; the other slot is
                the way back.
        """
        self._require_settled()
        self._store(invalidate(self.state))
        self._memory.erase(self.running.other)

    def write(self, offset: int, data: bytes) -> None:
        """Write into the inactive slot, which must have been erased.

        Raises:
            ConflictError: the slot holds a verified image, or a trial is going on.
        """
        self._require_settled()
        if self.state.record(self.running.other) is not None:
            raise ConflictError("the slot is not erased", value="slot")
        self._memory.write(self.running.other, offset, data)

    def accept(self, length_bytes: int, sha256: Sha256, metadata: bytes, now: datetime) -> None:
        """Verify the image in the inactive slot; from then on it may be activated.

        Raises:
            ConflictError: the slot's bytes are not the image `sha256`, or a trial is going on.
            TrustError, InputError: the verification refuses it.
        """
        self._require_settled()
        image = self._memory.read(self.running.other, 0, length_bytes)
        if hashlib.sha256(image).hexdigest() != sha256:
            raise TrustError("is not the image announced", value="image", todo="flash it again")
        current = self.state.record(self.running)
        counter_min = current.release_counter if current else 0
        candidate = Candidate(image, sha256, metadata, self.state.metadata_version, counter_min)
        approval = self._verify(candidate, now)
        if not counter_min <= approval.release_counter <= _COUNTER_MAX:
            raise TrustError(
                f"is not between the running image's {counter_min} and 2^32-1",
                value="release_counter",
            )
        record = SlotRecord(sha256, length_bytes, approval.version, approval.release_counter)
        self._store(verified(self.state, record, approval.metadata_version))

    def is_waiting(self, sha256: Sha256) -> bool:
        """Tell whether that image waits, verified, in the inactive slot."""
        record = self.state.record(self.running.other)
        return record is not None and record.sha256 == sha256

    def switch(self, routine: Routine, sha256: Sha256) -> None:
        """ACTIVATE, COMMIT or REVERT an image.

        Raises:
            ConflictError: the boot rule does not allow it.
        """
        is_leaving = self.running is not self.state.running
        if is_leaving and routine is not Routine.REVERT:
            raise ConflictError("a reset is due", value="slot", todo="reset the ECU first")
        change = {Routine.ACTIVATE: arm, Routine.COMMIT: commit, Routine.REVERT: revert}[routine]
        self._store(change(self.state, sha256))

    def _require_settled(self) -> None:
        if self.running is not self.state.committed:
            raise ConflictError("the other slot is the way back", value="slot", todo="reset first")

    def _is_intact(self, slot: Slot, record: SlotRecord) -> bool:
        image = self._memory.read(slot, 0, record.length_bytes)
        return hashlib.sha256(image).hexdigest() == record.sha256

    def _store(self, state: BootState) -> None:
        if state != self.state:
            self._memory.store(encode_boot_state(state))
            self.state = state
