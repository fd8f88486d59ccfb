"""Applying: wrong bases, broken patches, and power cuts at any byte."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy import delta
from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import RoadworthyError, StoreError

CHANCE = SeededChance(11).random
BASE = CHANCE.randbytes(9000) + b"\0" * 3000
TARGET = BASE[4000:8000] + CHANCE.randbytes(500) + BASE[:11_000]
OPTIONS = delta.MakeOptions(delta.RamClass.RAM_60K, delta.BackEnd.MIXING, step_bytes=4096)
PATCH = delta.make(BASE, TARGET, OPTIONS).data
HEADER_BYTES = delta.inspect(PATCH).header_length_bytes


def reader(base: bytes, offset: int, length: int) -> bytes:
    return base[offset : offset + length]


def decoder(journal: bytes | None = None) -> delta.Decoder:
    return delta.Decoder(lambda offset, length: reader(BASE, offset, length), journal)


def test_bytes_come_out_before_the_patch_is_whole() -> None:
    machine = decoder()
    early = machine.feed(PATCH[: len(PATCH) - 100])
    assert len(early) > 4000
    assert TARGET.startswith(early)
    assert not machine.done


def test_one_byte_at_a_time_gives_the_same_target() -> None:
    machine = decoder()
    assert b"".join(machine.feed(PATCH[i : i + 1]) for i in range(len(PATCH))) == TARGET
    machine.finish()
    assert machine.target_offset == len(TARGET)
    assert machine.patch_offset == len(PATCH)


def test_pieces_end_where_steps_end() -> None:
    machine = decoder()
    steps = []
    for piece in machine.stream(PATCH):
        assert len(piece) <= 1 << 16
        steps.append((machine.target_offset, machine.steps))
    assert (4096, 1) in steps
    assert (8192, 2) in steps


def test_a_power_cut_between_any_two_bytes_loses_nothing() -> None:
    machine = decoder()
    written = b""
    while machine.patch_offset < len(PATCH):
        at = machine.patch_offset
        written += machine.feed(PATCH[at : at + 61])
        machine = decoder(machine.journal())
        assert machine.target_offset == len(written)
    machine.finish()
    assert written == TARGET


def test_a_power_cut_in_the_middle_of_a_fed_piece_loses_nothing() -> None:
    machine = decoder()
    written = b""
    while not machine.done:
        piece = next(machine.stream(PATCH[machine.patch_offset :]), b"")
        written += piece
        machine = decoder(machine.journal())
    assert written == TARGET


def test_a_wrong_base_is_refused_before_the_first_byte() -> None:
    other = bytearray(BASE)
    other[-1] ^= 1
    machine = delta.Decoder(lambda offset, length: reader(bytes(other), offset, length))
    with pytest.raises(delta.WrongBaseError):
        machine.feed(PATCH)
    assert machine.target_offset == 0
    with pytest.raises(delta.WrongBaseError):
        machine.feed(b"")
    with pytest.raises(delta.WrongBaseError):
        b"".join(delta.apply(BASE + b"x", PATCH))


def test_a_base_that_cannot_be_read_is_our_storage_failing() -> None:
    machine = delta.Decoder(lambda offset, length: reader(BASE, offset, length)[1:])
    with pytest.raises(StoreError):
        machine.feed(PATCH)

    def broken(_offset: int, _length: int) -> bytes:
        raise StoreError("disk is gone")

    with pytest.raises(StoreError, match="disk is gone"):
        delta.Decoder(broken).feed(PATCH)


def test_a_patch_that_is_cut_short_is_not_finished() -> None:
    for length in (0, 50, HEADER_BYTES, len(PATCH) - 1):
        machine = decoder()
        machine.feed(PATCH[:length])
        with pytest.raises(delta.PatchError):
            machine.finish()


def test_a_patch_that_goes_on_after_its_end_is_refused() -> None:
    with pytest.raises(delta.PatchError):
        decoder().feed(PATCH + b"x")
    machine = decoder()
    machine.feed(PATCH)
    with pytest.raises(delta.PatchError):
        machine.feed(b"x")


def test_the_header_says_what_the_patch_is_for() -> None:
    header = delta.inspect(PATCH[:HEADER_BYTES])
    assert header.base_length_bytes == len(BASE)
    assert header.target_length_bytes == len(TARGET)
    assert header.patch_length_bytes == len(PATCH)
    assert header.ram_class is delta.RamClass.RAM_60K
    assert header.step_bytes == 4096
    for length in (0, 4, HEADER_BYTES - 1):
        with pytest.raises(delta.PatchError):
            delta.inspect(PATCH[:length])


@given(at=st.integers(0, len(PATCH) - 1), flip=st.integers(1, 255))
@settings(max_examples=120, deadline=None)
def test_a_changed_byte_never_gives_another_target(at: int, flip: int) -> None:
    broken = bytearray(PATCH)
    broken[at] ^= flip
    try:
        assert b"".join(delta.apply(BASE, bytes(broken))) == TARGET
    except (delta.PatchError, delta.TargetMismatchError):
        return
    assert at >= len(PATCH) - 8, "only the last bytes of the range coder have spare bits"


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused_with_a_typed_error(data: bytes) -> None:
    with pytest.raises(RoadworthyError):
        b"".join(delta.apply(BASE, data))


@given(at=st.integers(0, 60_000), flip=st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_a_damaged_journal_is_refused(at: int, flip: int) -> None:
    machine = decoder()
    machine.feed(PATCH[:700])
    journal = bytearray(machine.journal())
    journal[at % len(journal)] ^= flip
    with pytest.raises(delta.JournalError):
        decoder(bytes(journal))
    with pytest.raises(delta.JournalError):
        decoder(bytes(journal[: at % len(journal)]))


def test_a_journal_of_a_few_header_bytes_goes_on() -> None:
    machine = decoder()
    machine.feed(PATCH[:30])
    machine = decoder(machine.journal())
    assert machine.patch_offset == 30
    assert machine.feed(PATCH[30:]) == TARGET
