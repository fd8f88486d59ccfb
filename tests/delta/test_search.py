"""What the encoder finds: near places first, repeats far back, the instruction set by trial."""

from itertools import pairwise

import pytest
from tests.delta.code import FILLERS, moved_code
from tests.delta.conftest import FIRMWARE
from tests.delta.second_decoder.coder import Coder
from tests.delta.second_decoder.container import read_header
from tests.delta.second_decoder.places import read_covers, read_segments
from tests.delta.second_decoder.seals import read_seals

from roadworthy import delta
from roadworthy.base.clock import SeededChance

CHANCE = SeededChance("search").random
NOISE = CHANCE.randbytes(420_000)


def size(base: bytes, target: bytes, options: delta.MakeOptions | None = None) -> int:
    patch = delta.make(base, target, options)
    assert b"".join(delta.apply(base, patch.data)) == target
    return len(patch.data)


def changed(image: bytes, places: int) -> bytes:
    """Change some bytes, and put some in and out."""
    chance = SeededChance("changes").random
    pieces, at = [], 0
    for end in sorted(chance.sample(range(len(image)), places)):
        pieces += [image[at:end], chance.randbytes(chance.randrange(1, 4))]
        at = end + chance.randrange(3)
    return b"".join([*pieces, image[at:]])


def test_of_two_equal_slots_each_is_made_from_its_own() -> None:
    # Strings of few different words occur everywhere; only the nearby one is the right one.
    words = [CHANCE.randbytes(6) for _ in range(300)]
    slot = b"".join(CHANCE.choice(words) for _ in range(12_000))
    one, both = size(slot, changed(slot, 60)), size(slot * 2, changed(slot, 60) * 2)
    assert both < 1.6 * one


def test_what_repeats_beyond_the_usual_window_is_said_once() -> None:
    new = CHANCE.randbytes(20_000)
    target = new + NOISE + new
    assert size(NOISE, target) < len(new) + 1000
    fast = delta.MakeOptions(back_end=delta.BackEnd.FAST)
    assert size(NOISE, target, fast) < len(new) + 1000


@pytest.mark.parametrize("architecture", [each for each in delta.Architecture if FILLERS[each]])
def test_no_instruction_set_is_taken_that_makes_a_longer_patch(
    architecture: delta.Architecture,
) -> None:
    base, target = moved_code(architecture)
    found = size(base, target)
    for told in (delta.Architecture.NONE, architecture):
        assert found <= size(base, target, delta.MakeOptions(architecture=told))


def test_many_covers_leave_no_memory_for_a_larger_window() -> None:
    chance = SeededChance("covers").random
    blocks = [chance.randbytes(34) for _ in range(100_000)]
    base = b"".join(blocks)
    chance.shuffle(blocks)
    new = chance.randbytes(6000)
    target = new + b"".join(blocks[:10_000]) + new + b"".join(blocks[10_000:])
    options = delta.MakeOptions(architecture=delta.Architecture.AARCH64)
    assert size(base, target, options) < len(target) // 4


def test_many_equal_slots_far_apart_take_next_to_nothing() -> None:
    # It ends at all because repeats are looked at until they are enough, and not to their ends.
    slot = NOISE[:300_000]
    patch = delta.make(slot, slot * 8)
    assert len(patch.data) < 100
    assert b"".join(delta.apply(slot, patch.data)) == slot * 8


@pytest.mark.parametrize("pair", ["boot-tfa-arm64", "boot-opensbi-rv64"])
def test_short_strings_far_away_are_not_gone_to(pair: str) -> None:
    base, target = ((FIRMWARE / pair / name).read_bytes() for name in ("old.bin", "new.bin"))
    patch = delta.make(base, target).data
    header = read_header(patch)
    coder = Coder(patch[header.length :], header.slot_count, fast=False, wide=True)
    read_seals(coder, header.target_length)
    for side in range(2):
        read_segments(coder, side)
    covers = read_covers(coder, header.cover_count, header.target_length)
    shifts = [cover.base - cover.target for cover in covers]
    changes = zip(covers[1:], pairwise(shifts), strict=True)
    away = [c for c, (old, new) in changes if c.length < 24 and abs(new - old) > 8192]
    assert len(away) < len(covers) / 50


@pytest.mark.parametrize("architecture", [delta.Architecture.AARCH64, delta.Architecture.ARM])
def test_what_moved_by_no_multiple_of_an_instruction_is_still_the_same(
    architecture: delta.Architecture,
) -> None:
    like_code = bytes(CHANCE.choices(range(64), k=30_000)) + bytes(16 - 30_000 % 16)
    base, target = moved_code(architecture)
    options = delta.MakeOptions(architecture=architecture)
    odd, even = (
        size(
            like_code + base, bytes(range(moved)) + like_code + bytes(16 - moved) + target, options
        )
        for moved in (3, 4)
    )
    assert odd < even + 8


def test_a_few_flipped_bits_far_apart_need_no_covers_of_their_own() -> None:
    base = NOISE[:60_000]
    target = bytearray(base)
    for place in (5000, 14_000, 23_000):
        target[place] ^= 1
    patch = delta.make(base, bytes(target))
    assert patch.header.cover_count == 1
    assert len(patch.data) - patch.header.header_length_bytes < 12
