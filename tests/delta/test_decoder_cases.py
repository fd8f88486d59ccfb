"""The C decoder where Python can't reach: its own small program checks it."""

import struct
import subprocess
from pathlib import Path

import pytest
from tests.delta.c_programs import ENCODER, compiled
from tests.delta.code import moved_pools

from roadworthy import delta
from roadworthy.base.clock import SeededChance

NOISE = SeededChance(5).random.randbytes(30_000)
FIRMWARE = Path(delta.__file__).parent.parent / "sim" / "firmware" / "mcu-greatfet-cm4"


def thumb_pair() -> tuple[bytes, bytes]:
    old, new = (FIRMWARE / "old.bin").read_bytes(), (FIRMWARE / "new.bin").read_bytes()
    equal = NOISE[:3000]
    return old[20_000:25_000] + equal, new[20_000:24_000] + NOISE[5000:5100] + equal


def test_the_decoder_keeps_its_rules_in_every_case(tmp_path: Path) -> None:
    base, target = thumb_pair()
    options = delta.MakeOptions(
        delta.RamClass.RAM_60K, delta.BackEnd.MIXING, delta.Architecture.THUMB, 4096
    )
    (tmp_path / "base").write_bytes(base)
    (tmp_path / "patch").write_bytes(delta.make(base, target, options).data)
    program = compiled(tmp_path, "decoder_cases.c")
    command = [str(program), str(tmp_path / "base"), str(tmp_path / "patch")]
    result = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_fast_back_end_finds_matches_in_any_image(tmp_path: Path) -> None:
    program = compiled(tmp_path, "hints_cases.c", str(ENCODER / "rw_hints.c"))
    result = subprocess.run([str(program)], check=False, capture_output=True, text=True)  # noqa: S603
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_planner_knows_what_earlier_bytes_of_the_target_tell(tmp_path: Path) -> None:
    program = compiled(tmp_path, "echo_cases.c", str(ENCODER / "rw_echo.c"))
    result = subprocess.run([str(program)], check=False, capture_output=True, text=True)  # noqa: S603
    assert result.returncode == 0, result.stdout + result.stderr


ARM, THUMB = delta.Architecture.ARM, delta.Architecture.THUMB


@pytest.mark.parametrize("architecture", [ARM, THUMB])
def test_pools_that_count_from_the_program_counter_come_back(
    architecture: delta.Architecture,
) -> None:
    base, target = moved_pools(architecture)
    patch = delta.make(base, target, delta.MakeOptions(architecture=architecture))
    assert b"".join(delta.apply(base, patch.data)) == target


def elf(segments: list[tuple[int, int, int]], content: bytes) -> bytes:
    """Return an image with an ELF header: each segment is (offset, address, length)."""
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0, 52, 0, 0, 52, 32, len(segments), 0, 0, 0)
    for offset, address, length in segments:
        head += struct.pack("<8I", 1, offset, address, address, length, length, 5, 4)
    return head + content


def test_a_branch_to_what_is_gone_before_all_covers_comes_back() -> None:
    calls = b"".join(b"\xff\xf7" + bytes([n % 64, 0xFE]) + b"\x70\x47" for n in range(200))
    base = elf([(0, 0, 1500)], NOISE[:180] + calls)
    changed = b"".join(calls[i : i + 4] + b"\x71\x47" for i in range(0, 1200, 6))
    patch = delta.make(base, changed, delta.MakeOptions(architecture=THUMB))
    assert b"".join(delta.apply(base, patch.data)) == changed


def many_segments(seed: int) -> bytes:
    """Return an image whose segments stand in no order, so that they take many bytes."""
    chance = SeededChance(seed).random
    places = chance.sample(range(300, 20_000), 8)
    segments = [(at, chance.randrange(1 << 32), chance.randrange(900, 2300)) for at in places]
    return elf(segments, NOISE)


def test_parameters_that_take_many_bytes_come_back_from_pieces_of_one() -> None:
    base, target = many_segments(1), many_segments(2)
    patch = delta.make(base, target, delta.MakeOptions(architecture=ARM)).data
    pieces = [patch[i : i + 1] for i in range(len(patch))]
    assert b"".join(delta.apply(base, pieces)) == target
