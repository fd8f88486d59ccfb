"""With little memory the base is indexed more thinly, and then in windows; the patch still fits."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.delta.c_programs import ENCODER, compiled
from tests.delta.code import FILLERS, moved_pools
from tests.delta.containers.images import gzipped

from roadworthy import delta
from roadworthy.base.clock import SeededChance
from roadworthy.delta import maker

CHANCE = SeededChance("limited memory").random
NOISE = CHANCE.randbytes(60_000)
PIECES = [CHANCE.randbytes(CHANCE.randrange(500, 9000)) for _ in range(600)]
OLD = b"".join(PIECES)
THIN, WINDOWS = 12_000_000, 6_000_000
PEAK = """
import mmap, re, sys, tempfile
from pathlib import Path
from roadworthy import delta
from roadworthy.delta import containers, maker
files = [open(path, "rb") for path in sys.argv[2:4]]
base, target = (mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) for file in files)
def peak():  # of this program alone, which getrusage's is not
    return 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
if sys.argv[1] == "packed":
    containers.make_packed(base, target, delta.MakeOptions(scratch=tempfile.TemporaryFile))
else:
    maker.make(base, target, None, int(sys.argv[1]))
print(peak() - before)
"""


def shuffled(seed: int) -> bytes:
    """Return OLD with a few pieces elsewhere, some cut, some new."""
    chance = SeededChance(seed).random
    pieces = list(PIECES)
    for _ in range(20):
        piece = pieces.pop(chance.randrange(len(pieces)))
        pieces.insert(chance.randrange(len(pieces)), piece[chance.randrange(100) :])
    pieces[7:7] = [chance.randbytes(900)]
    return b"".join(pieces)


NEW = shuffled(1)


def test_an_index_finds_what_it_holds(tmp_path: Path) -> None:
    sources = [str(ENCODER / f"rw_{name}.c") for name in ("index", "places", "sort")]
    program = compiled(tmp_path, "index_cases.c", *sources, flags=(f"-I{ENCODER}",))
    result = subprocess.run([str(program)], check=False, capture_output=True, text=True)  # noqa: S603
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_thin_index_makes_patches_that_are_hardly_longer() -> None:
    whole = maker.make(OLD, NEW)
    thin = maker.make(OLD, NEW, None, THIN)
    assert b"".join(delta.apply(OLD, thin.data)) == NEW
    assert thin == maker.make(OLD, NEW, None, THIN)
    assert len(thin.data) < 1.02 * len(whole.data)


def test_windows_find_most_of_what_stayed_near() -> None:
    patch = maker.make(OLD, NEW, None, WINDOWS)
    assert b"".join(delta.apply(OLD, patch.data)) == NEW
    assert len(patch.data) < len(NEW) / 8


def test_more_memory_than_is_needed_changes_little() -> None:
    base, target = OLD[:300_000], b"in front" + OLD[:300_000]
    patch = maker.make(base, target, None, 1 << 40)
    assert b"".join(delta.apply(base, patch.data)) == target
    assert len(patch.data) <= len(maker.make(base, target).data)


@pytest.mark.parametrize("architecture", [each for each in delta.Architecture if FILLERS[each]])
def test_code_comes_back_whatever_the_memory(architecture: delta.Architecture) -> None:
    base, target = moved_pools(delta.Architecture.THUMB)
    base, target = base + NOISE + base[::-1], NOISE[:99] + target + NOISE + base[::-1]
    options = delta.MakeOptions(architecture=architecture)
    for memory_bytes in (1, 1 << 40):
        patch = maker.make(base, target, options, memory_bytes)
        assert b"".join(delta.apply(base, patch.data)) == target
        assert len(patch.data) < len(target) / 4


@st.composite
def pairs_of_images(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw images of strings that occur in both, and of some that do not."""
    strings = st.tuples(st.integers(0, 50_000), st.integers(0, 400), st.integers(0, 3))
    images = []
    for _ in range(2):
        parts = draw(st.lists(strings, max_size=30))
        images.append(
            b"".join(NOISE[at : at + size] + bytes(zeros * 400) for at, size, zeros in parts)
        )
    return images[0], images[1] + draw(st.binary(max_size=30))


@settings(max_examples=60, deadline=None)
@given(pairs_of_images(), st.sampled_from(list(delta.Architecture)))
def test_any_images_come_back_with_hardly_any_memory(
    pair: tuple[bytes, bytes], architecture: delta.Architecture
) -> None:
    base, target = pair
    patch = maker.make(base, target, delta.MakeOptions(architecture=architecture), 1)
    assert b"".join(delta.apply(base, patch.data)) == target


class StopError(Exception):
    """What a caller stops the work with."""


@pytest.mark.parametrize("calls", [1, 5, 20, 60])
def test_the_work_stops_where_it_is_told_to(calls: int) -> None:
    told: list[int] = []

    def stop(permille: int) -> None:
        told.append(permille)
        if len(told) == calls:
            raise StopError

    with pytest.raises(StopError):
        maker.make(OLD, NEW, delta.MakeOptions(progress=stop), THIN)
    assert len(told) == calls


def test_progress_only_grows() -> None:
    told: list[int] = []
    maker.make(OLD, NEW, delta.MakeOptions(progress=told.append), THIN)
    assert all(a <= b for a, b in pairwise(told))


def peak_bytes(folder: Path, how: str, base: bytes, target: bytes) -> int:
    """Return what a child process takes for a patch beside what it begins with."""
    (folder / "old").write_bytes(base)
    (folder / "new").write_bytes(target)
    command = [sys.executable, "-c", PEAK, how, str(folder / "old"), str(folder / "new")]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603


def test_the_limit_is_kept_to(tmp_path: Path) -> None:
    base, target = OLD * 2, NEW + OLD
    whole = peak_bytes(tmp_path, "0", base, target)
    assert peak_bytes(tmp_path, "20000000", base, target) < 1.35 * 20_000_000 < whole


def test_a_packed_patch_takes_twelve_times_the_packed_base(tmp_path: Path) -> None:
    base, target = (
        gzipped(b"".join(image[at : at + 300] * 3 for at in range(0, 2_000_000, 300)))
        for image in (OLD, NEW)
    )
    assert peak_bytes(tmp_path, "packed", base, target) < 12 * len(base)
