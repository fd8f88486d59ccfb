"""Code that no cover holds: read as instructions, its calls said by where they go."""

import struct

import pytest
from tests.delta.code import moved_code
from tests.delta.second_decoder import instructions as isa
from tests.delta.second_decoder.decoder import decode

from roadworthy import delta
from roadworthy.base.clock import SeededChance

A = delta.Architecture
MIXING = delta.BackEnd.MIXING
FUNCTIONS = 24
FUNCTION_BYTES = 64
LIBRARY_BYTES = FUNCTIONS * FUNCTION_BYTES
CALLS = {A.THUMB: 0xF800F000, A.ARM: 0xEB000000, A.AARCH64: 0x94000000, A.RISCV: 0x000000EF}


def library() -> bytes:
    return SeededChance("functions").random.randbytes(LIBRARY_BYTES)


def call_of(architecture: delta.Architecture, at: int, target: int) -> bytes:
    found = isa.reference(architecture, CALLS[architecture], at)
    assert found is not None
    word = found[2](target)
    assert word is not None
    return word.to_bytes(4, "little")


def callers(architecture: delta.Architecture, count: int) -> bytes:
    """Calls of functions of the library, each after other instructions."""
    chance = SeededChance("callers").random
    code = bytearray()
    while len(code) < 12 * count:
        code += struct.pack("<HHHH", *(chance.choice((0xBF00, 0x2001, 0x4628, 0xB510)),) * 4)
        to = chance.randrange(FUNCTIONS) * FUNCTION_BYTES
        code += call_of(architecture, LIBRARY_BYTES + len(code), to)
    return bytes(code)


def size(base: bytes, target: bytes, architecture: delta.Architecture) -> int:
    options = delta.MakeOptions(back_end=MIXING, architecture=architecture)
    patch = delta.make(base, target, options)
    assert b"".join(delta.apply(base, patch.data)) == target
    return len(patch.data)


@pytest.mark.parametrize("architecture", list(CALLS))
def test_new_calls_of_known_functions_take_few_bytes(architecture: delta.Architecture) -> None:
    base = library()
    target = base + callers(architecture, 400)
    as_code, as_bytes = size(base, target, architecture), size(base, target, A.NONE)
    assert as_code < 0.75 * as_bytes
    assert as_code < 1.6 * 400, "24 functions and four fillers are less than seven bits each"


@pytest.mark.parametrize("architecture", list(CALLS))
def test_code_that_stands_twice_is_said_once(architecture: delta.Architecture) -> None:
    once = library() + callers(architecture, 200)  # its second copy calls functions of its own
    options = delta.MakeOptions(back_end=MIXING, architecture=architecture)
    patch = delta.make(b"", once + once, options).data
    assert decode(b"", patch) == once + once
    assert len(patch) - size(b"", once, architecture) < 60


def test_the_target_alone_tells_the_instruction_set_when_all_is_new() -> None:
    for architecture in (A.THUMB, A.ARM, A.AARCH64):
        target = library() + callers(architecture, 400)
        assert delta.make(b"", target).header.architecture == architecture
    noise = SeededChance("noise").random.randbytes(20_000)
    assert delta.make(b"", noise).header.architecture == A.NONE


def pools(count: int) -> bytes:
    """Functions that load what is in the pools behind them, in order."""
    chance = SeededChance("pools").random
    code = bytearray()
    for _ in range(count):
        at, loads = len(code), chance.randrange(2, 9)
        length = (4 * loads + chance.randrange(2) * 2 + 3) // 4 * 4
        body = bytearray()
        for number in range(loads):
            pc = at + len(body) + 4 & ~3
            body += struct.pack("<BB", (at + length + 4 * number - pc) // 4, 0x48)
            body += struct.pack("<H", 0x4700 | chance.randrange(8) << 3)
        code += body.ljust(length, b"\0")
        code += b"".join(chance.randbytes(2) + b"\0\x20" for _ in range(loads))
    return bytes(code)


def test_loads_from_new_pools_are_guessed() -> None:
    target = pools(300)
    loads = sum(target[i + 1] == 0x48 for i in range(0, len(target), 2))
    as_code, as_bytes = size(b"", target, A.THUMB), size(b"", target, A.NONE)
    assert as_code < as_bytes - loads / 4, "at least two bits for each load"


@pytest.mark.parametrize("ram", [delta.RamClass.RAM_60K, delta.RamClass.RAM_4M])
@pytest.mark.parametrize("architecture", list(A))
def test_the_second_decoder_agrees_on_code_that_is_all_new(
    architecture: delta.Architecture, ram: delta.RamClass
) -> None:
    base, target = moved_code(architecture)
    new = target[len(target) // 2 :] + base[: len(base) // 3]
    options = delta.MakeOptions(ram, MIXING, architecture, 4096)
    for before in (b"", base[: len(base) // 2]):
        assert decode(before, delta.make(before, new, options).data) == new


def test_the_second_decoder_agrees_on_pools_and_calls_that_are_all_new() -> None:
    base, target = pools(12), pools(20)[::-1] + library()[:100] + pools(20)
    target += callers(A.THUMB, 12)
    for ram in (delta.RamClass.RAM_60K, delta.RamClass.RAM_4M):
        options = delta.MakeOptions(ram, MIXING, A.THUMB, 4096)
        assert decode(base, delta.make(base, target, options).data) == target
