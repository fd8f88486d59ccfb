"""A journal whose words were changed is refused, or the run that goes on from it ends in bounds."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from roadworthy import delta
from roadworthy.base.clock import SeededChance

HARNESS = Path(__file__).parent / "fuzz"
SOURCES = Path(delta.__file__).parent / "csrc"
NOISE = SeededChance(21).random.randbytes(90)
MOVED = NOISE[40:] + b"new" + NOISE
KINDS = {
    "stored": (b"", NOISE, delta.MakeOptions(delta.RamClass.RAM_60K, step_bytes=4096)),
    "primed": (NOISE, NOISE[::2], delta.MakeOptions(delta.RamClass.RAM_60K, step_bytes=4096)),
    "thumb": (
        NOISE,
        MOVED,
        delta.MakeOptions(delta.RamClass.RAM_60K, architecture=delta.Architecture.THUMB),
    ),
    "fast": (NOISE, MOVED, delta.MakeOptions(delta.RamClass.RAM_60K, delta.BackEnd.FAST)),
    "in place": (
        NOISE * 2,
        MOVED * 2,
        delta.MakeOptions(delta.RamClass.RAM_60K, step_bytes=4096, region_bytes=8192),
    ),
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program that changes every word, with sanitizers."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "a C compiler is part of what this project needs"
    program = tmp_path_factory.mktemp("sweep") / "sweep"
    flags = ["-O2", "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{SOURCES}"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    files = [HARNESS / "sweep.c", HARNESS / "hostile.c", *sorted(SOURCES.glob("rw_*.c"))]
    command = [compiler, *flags, "-Wl,--wrap=rw_code_hash", "-o", program, *files]
    subprocess.run(list(map(str, command)), check=True)  # noqa: S603 - our own compiler call
    return program


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
