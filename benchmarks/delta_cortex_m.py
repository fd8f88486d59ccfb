"""Cross-compile the decoder for Cortex-M and print the flash and RAM that it takes.

    python benchmarks/delta_cortex_m.py [--cpu cortex-m4]

Without arm-none-eabi-gcc (Debian: gcc-arm-none-eabi) it only says so. Fails when the
decoder asks the C library for more than memcpy, memmove, memset and memcmp, or when the stack
of a function has no fixed bound.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from roadworthy import delta

SOURCES = Path(delta.__file__).parent / "csrc"
ALLOWED = {"memcpy", "memmove", "memset", "memcmp"}
RUNTIME = re.compile(r"__aeabi_\w+|__gnu_thumb1_\w+|__clzsi2")


def run(*command: str) -> str:
    """Run a tool and return what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compile_all(folder: Path, cpu: str) -> list[Path]:
    """Compile the decoder's sources; one object file each."""
    objects = []
    for source in sorted(SOURCES.glob("rw_*.c")):
        out = folder / f"{source.stem}.o"
        flags = ["-Os", "-std=c99", "-Wall", "-Wextra", "-Werror", "-ffreestanding"]
        flags += ["-mthumb", f"-mcpu={cpu}", "-DRW_DECODER_ONLY", "-fstack-usage"]
        run("arm-none-eabi-gcc", *flags, "-c", str(source), "-o", str(out))
        objects.append(out)
    return objects


def check_symbols(objects: list[Path]) -> None:
    """Refuse an undefined symbol that is not one of the four or of the compiler's own."""
    names = {"defined": set[str](), "wanted": set[str]()}
    for line in run("arm-none-eabi-nm", *map(str, objects)).splitlines():
        parts = line.split()
        if len(parts) > 1:
            names["wanted" if parts[-2] == "U" else "defined"].add(parts[-1])
    foreign = {n for n in names["wanted"] - names["defined"] - ALLOWED if not RUNTIME.fullmatch(n)}
    if foreign:
        sys.exit(f"the decoder asks for {', '.join(sorted(foreign))}")


def section_sizes(objects: list[Path]) -> dict[str, tuple[int, int, int]]:
    """Return text, data and bss bytes of every object."""
    sizes = {}
    for line in run("arm-none-eabi-size", *map(str, objects)).splitlines()[1:]:
        text, data, bss, _, _, name = line.split()
        sizes[Path(name).stem] = (int(text), int(data), int(bss))
    return sizes


def largest_frames(folder: Path, count: int) -> list[tuple[int, str]]:
    """Return the largest stack frames; refuses one without a fixed bound."""
    frames = []
    for report in folder.glob("*.su"):
        for line in report.read_text().splitlines():
            place, size, kind = line.split("\t")
            if kind != "static":
                sys.exit(f"{place} has no fixed stack bound")
            frames.append((int(size), place.split(":")[-1]))
    return sorted(frames, reverse=True)[:count]


def main() -> int:
    """Compile, check and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", default="cortex-m4")
    cpu = parser.parse_args().cpu
    if shutil.which("arm-none-eabi-gcc") is None:
        sys.stdout.write("skipped: arm-none-eabi-gcc is not installed (gcc-arm-none-eabi)\n")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        objects = compile_all(folder, cpu)
        check_symbols(objects)
        sizes = section_sizes(objects)
        frames = largest_frames(folder, 5)
    for stem, (text, data, bss) in sizes.items():
        sys.stdout.write(f"{stem:16} flash {text + data:6}  static RAM {data + bss:6}\n")
    flash = sum(text + data for text, data, _ in sizes.values())
    static = sum(data + bss for _, data, bss in sizes.values())
    sys.stdout.write(f"{cpu}: flash {flash} bytes, static RAM {static} bytes\n")
    sys.stdout.write("workspace: " + ", ".join(str(c.size_bytes) for c in delta.RamClass) + "\n")
    sys.stdout.write("largest frames: " + ", ".join(f"{n} {s}" for s, n in frames) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
