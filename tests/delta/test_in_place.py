"""Where the target replaces the base, nothing is read that is overwritten already."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy import delta
from roadworthy.base.clock import SeededChance

NOISE = SeededChance(11).random.randbytes(60_000)
STEP = 4096


def apply_in_place(region: bytearray, patch: bytes) -> None:
    """Do as a bootloader does: check, move the base up, write page after page over it."""
    header = delta.inspect(patch)
    moved = False

    def read(offset: int, length: int) -> bytes:
        start = offset + (header.shift_bytes if moved else 0)
        return bytes(region[start : start + length])

    machine = delta.Decoder(read)
    machine.feed(patch[: delta.HEADER_SIZE_BYTES])
    base = region[: header.base_length_bytes]
    region[header.shift_bytes : header.shift_bytes + len(base)] = base
    moved = True
    at = 0
    for piece in machine.stream(patch[machine.patch_offset :]):
        region[at : at + len(piece)] = piece
        at += len(piece)
    machine.finish()


def made(base: bytes, target: bytes, region_bytes: int) -> bytes:
    options = delta.MakeOptions(region_bytes=region_bytes, step_bytes=STEP)
    return delta.make(base, target, options).data


def test_a_shipped_pair_is_replaced_in_a_region_that_is_hardly_larger(
    pair: tuple[bytes, bytes],
) -> None:
    base, target = pair
    size = (max(len(base), len(target)) // STEP + 8) * STEP
    patch = made(base, target, size)
    region = bytearray(base + bytes(size - len(base)))
    apply_in_place(region, patch)
    assert region[: len(target)] == target
    assert len(patch) < len(target) * 0.9


@pytest.mark.parametrize("insert", [0, 1, 4096, 30_000])
def test_what_moved_up_is_found_where_the_region_has_room(insert: int) -> None:
    target = NOISE[:insert] + NOISE[:40_000]
    patch = made(NOISE[:40_000], target, 100_000)
    region = bytearray(NOISE[:40_000] + bytes(60_000))
    apply_in_place(region, patch)
    assert region[: len(target)] == target
    assert len(patch) < insert + 600


@given(
    st.lists(st.tuples(st.integers(0, 50_000), st.integers(1, 9000)), max_size=6),
    st.integers(0, 20_000),
)
@settings(max_examples=40, deadline=None)
def test_any_order_of_parts_comes_out(parts: list[tuple[int, int]], room: int) -> None:
    base = NOISE[:30_000]
    target = b"".join(NOISE[start : start + length] for start, length in parts)
    size = max(len(base), len(target)) + room
    region = bytearray(base + bytes(size - len(base)))
    apply_in_place(region, made(base, target, size))
    assert region[: len(target)] == target


def test_the_same_patch_makes_the_target_beside_the_base_too() -> None:
    base, target = NOISE[:30_000], NOISE[9000:30_000] + NOISE[:9000]
    assert b"".join(delta.apply(base, made(base, target, 30_000))) == target


@pytest.mark.parametrize("size", [29_999, 1])
def test_a_region_that_is_too_small_is_refused(size: int) -> None:
    with pytest.raises(delta.PatchError):
        made(NOISE[:30_000], NOISE[:100], size)
