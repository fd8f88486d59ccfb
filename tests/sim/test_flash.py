import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import StoreError
from roadworthy.base.ids import Sha256
from roadworthy.diagnostics.boot import Slot, SlotRecord, decode_boot_state, factory_state
from roadworthy.sim.flash import BLOCK_BYTES, FlashMemory

_IMAGE = bytes(range(256)) * 64


def _memory() -> FlashMemory:
    record = SlotRecord(Sha256("0" * 64), len(_IMAGE), "1.0", 1)
    return FlashMemory(4 * len(_IMAGE), factory_state(record), _IMAGE)


def test_what_is_written_is_read_again_and_the_rest_is_erased() -> None:
    memory = _memory()
    memory.erase(Slot.B)
    memory.write(Slot.B, 100, b"abc")
    assert memory.read(Slot.B, 99, 5) == b"\xffabc\xff"
    assert memory.read(Slot.A, 0, len(_IMAGE)) == _IMAGE


def test_writing_without_erasing_only_clears_bits() -> None:
    memory = _memory()
    memory.write(Slot.B, 0, b"\xf0")
    memory.write(Slot.B, 0, b"\x3c")
    assert memory.read(Slot.B, 0, 1) == b"\x30"


def test_a_write_beyond_the_slot_is_refused() -> None:
    with pytest.raises(StoreError):
        _memory().write(Slot.B, 4 * len(_IMAGE) - 1, b"ab")


def test_settled_bytes_survive_power_loss() -> None:
    memory = _memory()
    memory.write(Slot.B, 0, b"abc")
    memory.settle()
    memory.tear(SeededChance(1))
    assert memory.read(Slot.B, 0, 3) == b"abc"


@given(st.integers(0, 2**32), st.binary(min_size=1, max_size=600), st.integers(0, 50))
def test_a_torn_write_keeps_a_prefix_and_harms_nothing_else(
    seed: int, data: bytes, offset: int
) -> None:
    memory = _memory()
    memory.write(Slot.B, 0, b"\x00" * offset)
    memory.settle()
    memory.write(Slot.B, offset, data)
    memory.tear(SeededChance(seed))
    torn = memory.read(Slot.B, offset, len(data))
    same = next((i for i, (a, b) in enumerate(zip(torn, data, strict=True)) if a != b), len(data))
    rest = torn[same:].rstrip(b"\xff")
    assert len(rest) <= 16
    assert memory.read(Slot.B, 0, offset) == b"\x00" * offset
    assert memory.read(Slot.A, 0, len(_IMAGE)) == _IMAGE


@given(st.integers(0, 2**32))
def test_of_several_steps_those_after_the_torn_one_never_happened(seed: int) -> None:
    memory = _memory()
    before = memory.load()
    after = before.replace(b'"metadata_version":0', b'"metadata_version":9')
    memory.write(Slot.B, 0, _IMAGE)
    memory.settle()
    memory.store(after)
    memory.erase(Slot.B)
    memory.tear(SeededChance(seed))
    if memory.read(Slot.B, 0, len(_IMAGE)) != _IMAGE:
        assert memory.load() == after
    assert decode_boot_state(memory.load()).metadata_version in {0, 9}
    assert memory.read(Slot.A, 0, len(_IMAGE)) == _IMAGE


def test_a_torn_erase_can_leave_whole_blocks_old() -> None:
    kept = set()
    for seed in range(40):
        memory = _memory()
        memory.write(Slot.B, 0, _IMAGE)
        memory.settle()
        memory.erase(Slot.B)
        memory.tear(SeededChance(seed))
        torn = memory.read(Slot.B, 0, len(_IMAGE))
        kept.add(torn[-BLOCK_BYTES:] == _IMAGE[-BLOCK_BYTES:])
        assert torn != _IMAGE
    assert kept == {True, False}
