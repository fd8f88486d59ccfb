"""The flash memory of an ECU: a port with two slots and one small record.

Contract: `erase` and `write` may be cut anywhere by power loss and then leave any bytes in
that slot, but never touch the other one. `store` is atomic: afterwards `load` gives either
the old or the new record.
"""

from typing import Protocol

from roadworthy.base.errors import StoreError
from roadworthy.diagnostics.boot import BootState, Slot, encode_boot_state

__all__ = ["RamSlotMemory", "SlotMemory"]

_ERASED = b"\xff"


class SlotMemory(Protocol):
    """Two slots of `slot_size_bytes` and the boot record."""

    @property
    def slot_size_bytes(self) -> int:
        """Bytes of one slot."""
        ...

    def erase(self, slot: Slot) -> None:
        """Make a slot writable; it reads as 0xFF afterwards."""
        ...

    def write(self, slot: Slot, offset: int, data: bytes) -> None:
        """Write into an erased part of a slot."""
        ...

    def read(self, slot: Slot, offset: int, length: int) -> bytes:
        """Return `length` bytes of a slot."""
        ...

    def load(self) -> bytes:
        """Return the boot record."""
        ...

    def store(self, record: bytes) -> None:
        """Replace the boot record, atomically and durably."""
        ...


class RamSlotMemory:
    """A memory of plain bytes, for tests and simulated ECUs.

    Args:
        slot_size_bytes: size of one slot.
        state: the boot record at the start.
        image: content of the committed slot at the start; shared, not copied.
    """

    def __init__(self, slot_size_bytes: int, state: BootState, image: bytes) -> None:
        self._slot_size_bytes = slot_size_bytes
        self._slots: dict[Slot, bytes | bytearray] = {
            state.committed: image,
            state.committed.other: b"",
        }
        self._record = encode_boot_state(state)

    @property
    def slot_size_bytes(self) -> int:
        """Bytes of one slot."""
        return self._slot_size_bytes

    def erase(self, slot: Slot) -> None:
        """Make a slot read as 0xFF."""
        self._slots[slot] = bytearray()

    def write(self, slot: Slot, offset: int, data: bytes) -> None:
        """Write `data`; bytes in between that were never written stay 0xFF.

        Raises:
            StoreError: beyond the end of the slot.
        """
        if offset < 0 or offset + len(data) > self._slot_size_bytes:
            raise StoreError("write beyond the end of the slot", value=f"slot {slot}")
        held = self._slots[slot]
        target = held if isinstance(held, bytearray) else bytearray(held)
        target.extend(_ERASED * (offset - len(target)))
        target[offset : offset + len(data)] = data
        self._slots[slot] = target

    def read(self, slot: Slot, offset: int, length: int) -> bytes:
        """Return `length` bytes of a slot."""
        return bytes(self._slots[slot][offset : offset + length]).ljust(length, _ERASED)

    def load(self) -> bytes:
        """Return the boot record."""
        return self._record

    def store(self, record: bytes) -> None:
        """Replace the boot record."""
        self._record = record
