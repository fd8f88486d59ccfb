"""Decisions that no encoder takes: both decoders make the same of them, in any pieces."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.delta.second_decoder.container import read_header
from tests.delta.second_decoder.fast import FastWalk
from tests.delta.second_decoder.places import Cover, Places, read_covers
from tests.delta.second_decoder.seals import Seal, with_seals
from tests.delta.second_decoder.writer import Writer, number, script
from tests.delta.test_header import QUICK, Fields

from roadworthy import delta
from roadworthy.base.clock import SeededChance

NOISE = SeededChance(77).random.randbytes(3000)


def patch_of(
    fields: Fields,
    base: bytes,
    choose: Callable[[int], int],
    covers: list[Cover] | None = None,
    seals: Sequence[Seal] = (),
) -> tuple[bytes, bytes]:
    """Return the patch that says what is chosen, and its target; `covers` are not coded."""
    header = read_header(fields.header())
    writer = Writer(header.slot_count, choose)
    writer.write_seals(seals, header.target_length)
    covers = (
        covers
        if covers is not None
        else read_covers(writer, header.cover_count, header.target_length)
    )
    walk = FastWalk(header, base, writer, Places(([], []), covers, header.memo_bits))
    walk.started = True
    while len(walk.target) < header.target_length:
        walk.step()
    payload, target = writer.written(), with_seals(walk.target, seals)
    hashes = hashlib.sha256(base).digest(), hashlib.sha256(target).digest()
    return replace(fields, payload=len(payload), hashes=hashes).header() + payload, target


def fields_of(base: bytes, target_length: int, window_bits: int, covers: int) -> Fields:
    return replace(
        QUICK,
        base=len(base),
        target=target_length,
        covers=covers,
        bits=(0, window_bits, 0),
        step_bits=13,
        lines=256,
    )


def decoded(base: bytes, patch: bytes, piece: int) -> bytes:
    return b"".join(delta.apply(base, [patch[i : i + piece] for i in range(0, len(patch), piece)]))


@pytest.mark.parametrize("piece", [1, 400])
def test_a_match_reaches_back_over_the_whole_window(piece: int) -> None:
    base = NOISE[:64]
    equal, match = [1], [1]
    said = chain(number(0), number(8), number(0), equal, match, number(4), number(31))
    patch, target = patch_of(fields_of(base, 72, 5, 1), base, script(said))
    assert target == base + base[32:40]
    assert decoded(base, patch, piece) == target


@pytest.mark.parametrize("said", [2**32 - 2, 2**32 - 4, 2**32 - 5])
def test_a_match_of_any_length_ends_where_the_gap_does(said: int) -> None:
    patch, target = patch_of(fields_of(b"", 9, 5, 0), b"", script([1, *number(said), *number(0)]))
    assert target == bytes(9)
    assert decoded(b"", patch, 400) == target


def biased(seed: int) -> Callable[[int], int]:
    """Return choices that are likely, or not, for some time."""
    chance = SeededChance(seed).random

    def choices() -> Iterator[int]:
        while True:
            share = chance.choice((0.03, 0.5, 0.97))
            for _ in range(chance.randrange(1, 120)):
                yield int(chance.random() < share)

    made = choices()
    return lambda _: next(made)


@given(
    seed=st.integers(0, 1 << 32),
    window_bits=st.sampled_from([0, 1, 4, 12]),
    length=st.sampled_from([1, 2, 5, 300]),
    piece=st.integers(1, 50),
)
@settings(deadline=None, max_examples=60)
def test_any_decisions_make_the_same_bytes(
    seed: int, window_bits: int, length: int, piece: int
) -> None:
    patch, target = patch_of(fields_of(b"", length, window_bits, 0), b"", biased(seed))
    assert decoded(b"", patch, piece) == target
