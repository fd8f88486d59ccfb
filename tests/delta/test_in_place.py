"""Where the target replaces the base, nothing is read that is overwritten already."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.delta.c_programs import compiled

from roadworthy import delta
from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import RoadworthyError

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
    first = machine.feed(patch[: header.header_length_bytes])  # all, where nothing follows
    base = region[: header.base_length_bytes]
    region[header.shift_bytes : header.shift_bytes + len(base)] = base
    moved = True
    at = len(first)
    region[:at] = first
    for piece in machine.stream(patch[machine.patch_offset :]):
        region[at : at + len(piece)] = piece
        at += len(piece)
    machine.finish()


def made(base: bytes, target: bytes, region_bytes: int) -> bytes:
    ram = delta.RamClass.RAM_60K
    options = delta.MakeOptions(ram, region_bytes=region_bytes, step_bytes=STEP)
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
@example([(1307, 1)], 0)
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


NEVER = 1 << 30


def boot(program: Path, folder: Path, call: int) -> subprocess.CompletedProcess[str]:
    """Start the bootloader; its power fails in this call."""
    names = [str(folder / name) for name in ("flash", "patch", "journal")]
    command = [str(program), *names, str(call)]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - the program just built


@pytest.mark.parametrize("back_end", [delta.BackEnd.MIXING, delta.BackEnd.FAST])
@pytest.mark.parametrize("room", [0, 2 * STEP])
def test_a_bootloader_with_one_slot_survives_power_cuts_in_each_call(
    tmp_path: Path, back_end: delta.BackEnd, room: int
) -> None:
    program = compiled(tmp_path, "in_place.c")
    base = NOISE[:10_000]
    target = NOISE[:3000] + b"more" * 20 + NOISE[3000:10_000] + NOISE[20_000:21_000]
    size = (len(target) // STEP + 1) * STEP + room
    options = delta.MakeOptions(
        delta.RamClass.RAM_60K, back_end, step_bytes=STEP, region_bytes=size
    )
    patch = delta.make(base, target, options).data

    def lay_out() -> None:
        (tmp_path / "flash").write_bytes(base + bytes(size - len(base)))
        (tmp_path / "patch").write_bytes(patch)
        (tmp_path / "journal").write_bytes(b"")

    lay_out()
    whole = boot(program, tmp_path, NEVER)
    assert whole.returncode == 0
    calls = NEVER - int(whole.stdout.split()[0])
    for call in range(calls):
        lay_out()
        assert boot(program, tmp_path, call).returncode == 9
        assert boot(program, tmp_path, max(calls - call - 3, 0)).returncode in (0, 9)
        assert boot(program, tmp_path, NEVER).returncode == 0
        assert (tmp_path / "flash").read_bytes()[: len(target)] == target


def test_a_bootloader_with_one_slot_refuses_another_base_before_its_first_write(
    tmp_path: Path,
) -> None:
    program = compiled(tmp_path, "in_place.c")
    other = bytes(20_000)
    (tmp_path / "flash").write_bytes(other)
    (tmp_path / "patch").write_bytes(made(NOISE[:10_000], NOISE[:12_000], 20_000))
    (tmp_path / "journal").write_bytes(b"")
    assert boot(program, tmp_path, NEVER).returncode == 3
    assert (tmp_path / "flash").read_bytes() == other
    assert (tmp_path / "journal").read_bytes() == b""


def test_a_tiny_patch_with_any_flipped_bit_leaves_the_region_as_it_was() -> None:
    base = NOISE[:6000]
    patch = made(base, base[:3000] + b"new" + base[3003:], 4 * STEP)
    length = delta.inspect(patch).header_length_bytes
    assert delta.inspect(patch).hash_bytes == 3
    region = base + bytes(4 * STEP - len(base))
    for bit in range(8 * length):
        flawed = bytearray(patch)
        flawed[bit // 8] ^= 1 << bit % 8
        after = bytearray(region)
        with pytest.raises(RoadworthyError):
            apply_in_place(after, bytes(flawed))
        assert after == region
