"""Flash memory that power loss can tear, behind the port `diagnostics.memory.SlotMemory`.

What the ECU writes is unsettled until `settle` says that its time has passed. `tear` is power
loss before that: of the unsettled steps some happened, one stopped half-way, the rest never
began. A torn erase leaves some blocks old, a torn write a prefix and a few bytes of noise;
the boot record is stored atomically and is old or new. Only the slot that was being changed
can be harmed.
"""

from collections.abc import Callable

from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import StoreError
from roadworthy.diagnostics.boot import BootState, Slot, encode_boot_state

__all__ = ["BLOCK_BYTES", "FlashMemory"]

BLOCK_BYTES = 4096
_ERASED = b"\xff"
_NOISE_BYTES_MAX = 16
_Undo = Callable[[], None]
_Tear = Callable[[SeededChance], None]


class FlashMemory:
    """Two slots and the boot record.

    Args:
        slot_size_bytes: size of one slot.
        state: the boot record as it left the factory.
        image: content of the committed slot.
    """

    def __init__(self, slot_size_bytes: int, state: BootState, image: bytes) -> None:
        self._slot_size_bytes = slot_size_bytes
        self._slots: dict[Slot, bytes | bytearray] = {
            state.committed: image,
            state.committed.other: b"",
        }
        self._record = encode_boot_state(state)
        self._unsettled: list[tuple[_Undo, _Tear]] = []

    @property
    def slot_size_bytes(self) -> int:
        """Bytes of one slot."""
        return self._slot_size_bytes

    def erase(self, slot: Slot) -> None:
        """Make a slot read as 0xFF."""
        before = self._slots[slot]

        def tear(chance: SeededChance) -> None:
            erased = chance.random.randrange(len(before) // BLOCK_BYTES + 1) * BLOCK_BYTES
            noise = chance.random.randbytes(min(_NOISE_BYTES_MAX, len(before) - erased))
            torn = _ERASED * erased + noise + before[erased + len(noise) :]
            self._slots[slot] = bytearray(torn)

        self._note(slot, before, tear)
        self._slots[slot] = bytearray()

    def write(self, slot: Slot, offset: int, data: bytes) -> None:
        """Write `data`; a bit that is 0 stays 0 until the next erase, as in NOR flash.

        Raises:
            StoreError: beyond the end of the slot.
        """
        if offset < 0 or offset + len(data) > self._slot_size_bytes:
            raise StoreError("write beyond the end of the slot", value=f"slot {slot}")
        before = self._slots[slot]
        start = len(before)

        def undo() -> None:
            held = self._own(slot)
            del held[start:]
            held[offset : offset + len(under)] = under

        def tear(chance: SeededChance) -> None:
            undo()
            kept = chance.random.randrange(len(data) + 1)
            self._put(
                slot, offset, data[:kept] + chance.random.randbytes(_noise(chance, data, kept))
            )

        under = bytes(before[offset : offset + len(data)])
        self._unsettled.append((undo, tear))
        self._put(slot, offset, data)

    def read(self, slot: Slot, offset: int, length: int) -> bytes:
        """Return `length` bytes of a slot."""
        return bytes(self._slots[slot][offset : offset + length]).ljust(length, _ERASED)

    def load(self) -> bytes:
        """Return the boot record."""
        return self._record

    def store(self, record: bytes) -> None:
        """Replace the boot record."""
        before = self._record

        def undo() -> None:
            self._record = before

        def tear(chance: SeededChance) -> None:
            self._record = chance.random.choice((before, record))

        self._unsettled.append((undo, tear))
        self._record = record

    def settle(self) -> None:
        """Everything written so far is in the cells now."""
        self._unsettled.clear()

    def tear(self, chance: SeededChance) -> None:
        """Lose power: see the module's rules. Nothing happens when all is settled."""
        if not self._unsettled:
            return
        stopped = chance.random.randrange(len(self._unsettled))
        for undo, _ in reversed(self._unsettled[stopped + 1 :]):
            undo()
        self._unsettled[stopped][1](chance)
        self._unsettled.clear()

    def _note(self, slot: Slot, before: bytes | bytearray, tear: _Tear) -> None:
        def undo() -> None:
            self._slots[slot] = before

        self._unsettled.append((undo, tear))

    def _own(self, slot: Slot) -> bytearray:
        """Return the slot's bytes to write into; an image that is shared gets copied first."""
        held = self._slots[slot]
        if not isinstance(held, bytearray):
            held = bytearray(held)
            self._slots[slot] = held
        return held

    def _put(self, slot: Slot, offset: int, data: bytes) -> None:
        held = self._own(slot)
        held.extend(_ERASED * (offset + len(data) - len(held)))
        cells = int.from_bytes(held[offset : offset + len(data)], "big")
        cells &= int.from_bytes(data, "big")
        held[offset : offset + len(data)] = cells.to_bytes(len(data), "big")


def _noise(chance: SeededChance, data: bytes, kept: int) -> int:
    return chance.random.randrange(min(_NOISE_BYTES_MAX, len(data) - kept) + 1)
