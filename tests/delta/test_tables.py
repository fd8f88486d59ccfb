"""Calibration tables: values that change by about as much as their neighbours do."""

import math
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.delta.second_decoder.decoder import decode

from roadworthy import delta
from roadworthy.base.clock import SeededChance

COUNT = 1500
WAVE = [round(9000 * math.sin(i / 70)) + 12_000 for i in range(COUNT)]
FORMATS = ["<H", ">H", "<i", ">i"]
CHANGES: dict[str, Callable[[int, int], int]] = {
    "raised": lambda _, value: value + 7,
    "lowered, with borrows": lambda _, value: value - 250,
    "some by one": lambda at, value: value + (at * 7919 % 10 < 3),
    "scaled": lambda _, value: round(value * 1.02),
    "a region": lambda at, value: value + 12 if 400 < at < 900 and at % 16 > 3 else value,
}


def table(form: str, values: list[int]) -> bytes:
    return struct.pack(f"{form[0]}{len(values)}{form[1]}", *values)


def pair(form: str, change: str) -> tuple[bytes, bytes]:
    return table(form, WAVE), table(form, [CHANGES[change](i, v) for i, v in enumerate(WAVE)])


def deflated_difference(base: bytes, target: bytes) -> int:
    """What tools take that compress the difference of each byte, headers left out."""
    difference = bytes(b - a & 255 for a, b in zip(base, target, strict=True))
    return len(zlib.compress(difference, 9)) - 6


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_table_is_said_by_how_its_values_changed(form: str, change: str) -> None:
    base, target = pair(form, change)
    patch = delta.make(base, target)
    assert b"".join(delta.apply(base, patch.data)) == target
    payload = len(patch.data) - patch.header.header_length_bytes
    assert payload < 0.85 * deflated_difference(base, target) + 8


@pytest.mark.parametrize("ram", list(delta.RamClass))
@pytest.mark.parametrize("change", CHANGES)
def test_the_second_decoder_agrees_on_tables(ram: delta.RamClass, change: str) -> None:
    for form in FORMATS:
        base, target = (image[:1200] for image in pair(form, change))
        options = delta.MakeOptions(ram, delta.BackEnd.MIXING)
        assert decode(base, delta.make(base, target, options).data) == target


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.lists(st.integers(-600, 600), min_size=1, max_size=8),
    st.integers(0, 1 << 30),
)
def test_tables_that_change_in_any_way_come_back(form: str, by: list[int], seed: int) -> None:
    chance = SeededChance(seed).random
    values = [chance.randrange(1000, 60_000) for _ in range(300)]
    base = table(form, values)
    target = table(form, [value + chance.choice(by) for value in values])
    assert b"".join(delta.apply(base, delta.make(base, target).data)) == target
