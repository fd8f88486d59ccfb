"""A journal whose words were changed is refused, or the run that goes on from it ends in bounds."""

import re
import subprocess
from pathlib import Path

import pytest
from tests.delta.c_programs import compiled

from roadworthy import delta
from roadworthy.base.clock import SeededChance

NOISE = SeededChance(21).random.randbytes(90)
MOVED = NOISE[40:] + b"new" + NOISE
MIXING = delta.BackEnd.MIXING
KINDS = {
    "stored": (b"", NOISE, delta.MakeOptions(delta.RamClass.RAM_60K, step_bytes=4096)),
    "primed": (
        NOISE,
        NOISE[::2],
        delta.MakeOptions(delta.RamClass.RAM_60K, MIXING, step_bytes=4096),
    ),
    "thumb": (
        NOISE,
        MOVED,
        delta.MakeOptions(delta.RamClass.RAM_60K, MIXING, delta.Architecture.THUMB),
    ),
    "fast": (NOISE, MOVED, delta.MakeOptions(delta.RamClass.RAM_60K, delta.BackEnd.FAST)),
    "fast thumb": (
        NOISE,
        MOVED,
        delta.MakeOptions(
            delta.RamClass.RAM_60K, delta.BackEnd.FAST, delta.Architecture.THUMB, step_bytes=4096
        ),
    ),
    "in place": (
        NOISE * 2,
        MOVED * 2,
        delta.MakeOptions(delta.RamClass.RAM_60K, MIXING, step_bytes=4096, region_bytes=8192),
    ),
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program that changes every word, with sanitizers."""
    folder = tmp_path_factory.mktemp("sweep")
    wrap = "-Wl,--wrap=rw_code_hash"
    return compiled(folder, "fuzz/sweep.c", "fuzz/hostile.c", flags=(wrap,))


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_of_a_journal_leads_out_of_bounds(sweep: Path, tmp_path: Path, kind: str) -> None:
    base, target, options = KINDS[kind]
    hashes_count_as_right = 2
    head = bytes([hashes_count_as_right, 99]) + len(base).to_bytes(2, "little")
    (tmp_path / "input").write_bytes(head + base + delta.make(base, target, options).data)
    command = [str(sweep), "3", str(tmp_path / "input")]
    result = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - built above
    found = re.fullmatch(r"(\d+) refused, (\d+) went on\n", result.stdout)
    assert found is not None
    assert int(found[1]) > 100
    assert int(found[2]) > 2000
