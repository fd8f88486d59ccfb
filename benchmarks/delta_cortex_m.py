"""Cross-compile the decoder for Cortex-M and print the flash and RAM that it takes.

    python benchmarks/delta_cortex_m.py [--cpu cortex-m4] [--required]

The stack is that of the deepest chain of calls from rw_apply, without what the callbacks use.
Without arm-none-eabi-gcc (Debian: gcc-arm-none-eabi) it only says so, unless it is --required.
Fails when the decoder asks the C library for more than memcpy, memmove, memset and memcmp, or
when the stack has no fixed bound.
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
FAST = ("rw_fast", "rw_literal", "rw_nibble")
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
        flags += [
            "-mthumb",
            f"-mcpu={cpu}",
            "-DRW_DECODER_ONLY",
            "-fstack-usage",
            "-fcallgraph-info",
        ]
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


def frames_of(folder: Path) -> dict[str, int]:
    """Return the stack frame of every function in bytes; refuses one without a fixed bound."""
    frames: dict[str, int] = {}
    for report in folder.glob("*.su"):
        for line in report.read_text().splitlines():
            place, size, kind = line.split("\t")
            if kind != "static":
                sys.exit(f"{place} has no fixed stack bound")
            function = place.split(":")[-1]
            frames[function] = max(int(size), frames.get(function, 0))
    return frames


def calls_of(folder: Path) -> dict[str, set[str]]:
    """Return which functions each function calls, from the compiler's call graph."""
    calls: dict[str, set[str]] = {}
    for report in folder.glob("*.ci"):
        for source, target in re.findall(
            r'edge: { sourcename: "([^"]+)" targetname: "([^"]+)"', report.read_text()
        ):
            names = source.split(":")[-1], target.split(":")[-1]
            calls.setdefault(names[0], set()).add(names[1])
    return calls


def deepest(
    name: str, frames: dict[str, int], calls: dict[str, set[str]], above: tuple[str, ...] = ()
) -> tuple[int, list[str]]:
    """Return the stack below a call of `name` in bytes, and the calls that take it."""
    if name in above:
        sys.exit(f"{name} calls itself: no fixed stack bound")
    below = [
        deepest(called, frames, calls, (*above, name)) for called in sorted(calls.get(name, ()))
    ]
    size, chain = max(below, key=lambda found: found[0], default=(0, []))
    return size + frames.get(name, 0), [name, *chain]


def measure(cpu: str) -> None:
    """Compile and check for one processor, and print what it takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        objects = compile_all(folder, cpu)
        check_symbols(objects)
        sizes = section_sizes(objects)
        stack, chain = deepest("rw_apply", frames_of(folder), calls_of(folder))
    fast = sum(sum(sizes[stem][:2]) for stem in FAST)
    for stem, (text, data, bss) in sizes.items():
        print(f"  {stem:16} flash {text + data:6}  static RAM {data + bss:6}")
    flash = sum(text + data for text, data, _ in sizes.values())
    static = sum(data + bss for _, data, bss in sizes.values())
    print(f"{cpu}: flash {flash} bytes, static RAM {static} bytes, stack {stack} bytes")
    print(f"  without the fast back end (RW_NO_FAST): flash {flash - fast} bytes")
    print(f"  deepest: {' > '.join(chain)}")
    for ram_class in delta.RamClass:
        whole = ram_class.size_bytes + stack + static
        print(
            f"  {ram_class.name}: workspace {ram_class.size_bytes} + stack {stack} = {whole} bytes"
        )


def main() -> int:
    """Compile, check and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", action="append")
    parser.add_argument("--required", action="store_true", help="fail without the cross compiler")
    known = parser.parse_args()
    if shutil.which("arm-none-eabi-gcc") is None:
        print("skipped: arm-none-eabi-gcc is not installed (gcc-arm-none-eabi)")
        return 1 if known.required else 0
    for cpu in known.cpu or ("cortex-m0plus", "cortex-m4"):
        measure(cpu)
    return 0


if __name__ == "__main__":
    sys.exit(main())
