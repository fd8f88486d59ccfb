"""Compiling the small C programs of these tests with the sources that they check."""

import shutil
import subprocess
from pathlib import Path

from roadworthy import delta

HERE = Path(__file__).parent
SOURCES = Path(delta.__file__).parent / "csrc"
DEFLATE = SOURCES / "deflate"
ENCODER = SOURCES / "encoder"
FAST = {"rw_fast.c", "rw_literal.c", "rw_nibble.c"}
WRITER = ENCODER / "rw_header.c"
STRICT = ["-O2", "-std=c99", "-Wall", "-Wextra", "-Werror", "-DRW_DECODER_ONLY"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


def compiled(
    folder: Path, *files: str, flags: tuple[str, ...] = (), sources: Path = SOURCES
) -> Path:
    """Build a program from files of this folder and the decoder (or others), with sanitizers.

    With the decoder comes what writes a header.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "a C compiler is part of what this project needs"
    program = folder / Path(files[0]).stem
    left_out = FAST if "-DRW_NO_FAST" in flags else set()
    checked = [f"-I{sources}"]
    checked += [str(each) for each in sorted(sources.glob("rw_*.c")) if each.name not in left_out]
    own = [WRITER] if sources == SOURCES else []
    own += [HERE / name for name in files]
    command = [compiler, *STRICT, *SANITIZED, *flags, "-o", program, *own, *checked]
    subprocess.run(list(map(str, command)), check=True)  # noqa: S603 - our own compiler call
    return program
