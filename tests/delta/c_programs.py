"""Compiling the small C programs of these tests with the decoder's own sources."""

import shutil
import subprocess
from pathlib import Path

from roadworthy import delta

HERE = Path(__file__).parent
SOURCES = Path(delta.__file__).parent / "csrc"
WRITER = SOURCES / "encoder" / "rw_header.c"
STRICT = ["-O2", "-std=c99", "-Wall", "-Wextra", "-Werror", "-DRW_DECODER_ONLY", f"-I{SOURCES}"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


def compiled(folder: Path, *files: str, flags: tuple[str, ...] = ()) -> Path:
    """Build a program from files of this folder, the decoder and what writes a header."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "a C compiler is part of what this project needs"
    program = folder / Path(files[0]).stem
    sources = sorted(SOURCES.glob("rw_*.c"))
    own = [WRITER, *(HERE / name for name in files)]
    command = [compiler, *STRICT, *SANITIZED, *flags, "-o", program, *own, *sources]
    subprocess.run(list(map(str, command)), check=True)  # noqa: S603 - our own compiler call
    return program
