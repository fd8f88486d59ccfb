"""Measure which lines of the C that decodes its tests run, and fail unless it is all of them.

    python tools/c_coverage.py [--show]

Builds the codec and the deflate recompressor once with gcc --coverage, links the Python extensions
and the fuzz targets (with a plain main) from the same objects, runs tests of tests/delta and the
seeds of the targets, and reads gcov's counts of the files that a bootloader needs and of the
recompressor's.
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tools.fuzz import (
    DEFLATE,
    ENCODER,
    FIRMWARE,
    HARNESS,
    SOURCES,
    TINY_BYTES,
    deflate_seeds,
    hostile,
    seeds,
)

from roadworthy import delta
from roadworthy.base.clock import SeededChance

TESTS = [f"tests/delta/test_{name}.py" for name in ("decoder", "roundtrip", "decoder_cases")]
TESTS += [f"tests/delta/containers/test_{name}.py" for name in ("deflate", "deflate_cases")]
TARGETS = ("header", "patch", "journal", "apply")
ALLOCATIONS = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc"
PLUGIN = """
import importlib.util, sys
for name in ("_codec", "_deflate"):
    full = "roadworthy.delta." + name
    spec = importlib.util.spec_from_file_location(full, {path!r} + "/" + name + ".so")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[full] = module
"""

GCC = shutil.which("gcc") or "gcc"
DECODER = sorted(SOURCES.glob("rw_*.c"))
RECOMPRESSOR = sorted(DEFLATE.glob("rw_*.c"))
FLAGS = ["-std=c99", "-fPIC", "--coverage", f"-I{SOURCES}", f"-I{ENCODER}", f"-I{DEFLATE}"]


def run(folder: Path, *command: str | Path) -> str:
    """Run a tool in `folder` and return what it printed."""
    print("+", Path(command[0]).name, *[str(c) for c in command[1:4]], "...", flush=True)
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout


def compile_all(folder: Path, sources: list[Path]) -> list[str]:
    """Compile sources, counting the runs of every line; return the names of the objects."""
    for source in sources:
        python = f"-I{sysconfig.get_paths()['include']}"
        run(folder, GCC, "-O0", *FLAGS, python, "-c", source, "-o", f"{source.stem}.o")
    return [f"{source.stem}.o" for source in sources]


def link(folder: Path, program: str, *files: str | Path) -> None:
    """Link a program of the tests from its sources and the objects."""
    run(folder, GCC, "-O1", *FLAGS, "-o", program, *files)


def build(folder: Path) -> None:
    """Compile every object once, and link the extensions and the targets from them."""
    codec = compile_all(folder, [*DECODER, *sorted(ENCODER.glob("rw_*.c"))])
    deflate = compile_all(folder, RECOMPRESSOR)
    modules = [SOURCES / "codecmodule.c", DEFLATE / "deflatemodule.c"]
    codec_module, deflate_module = compile_all(folder, modules)
    shared = [GCC, "-shared", "--coverage", "-o"]
    run(folder, *shared, "_codec.so", codec_module, *codec)
    run(folder, *shared, "_deflate.so", deflate_module, *deflate, "rw_sha256.o")
    wrap = "-Wl,--wrap=rw_code_hash"
    for target in TARGETS:
        files = [HARNESS / f"{target}.c", HARNESS / "hostile.c", HARNESS / "replay.c"]
        link(folder, target, wrap, *files, *codec)
    link(folder, "sweep", wrap, HARNESS / "sweep.c", HARNESS / "hostile.c", *codec)
    link(folder, "deflate", HARNESS / "deflate.c", HARNESS / "replay.c", *deflate)
    link(folder, "decoder_cases", HARNESS.parent / "decoder_cases.c", *codec)
    link(folder, "deflate_cases", ALLOCATIONS, HARNESS.parent / "deflate_cases.c", *deflate)


def thumb_patch() -> tuple[bytes, bytes]:
    """Return a base and a patch of more than one step, for decoder_cases.c."""
    folder = FIRMWARE / "mcu-greatfet-cm4"
    old, new = (folder / "old.bin").read_bytes(), (folder / "new.bin").read_bytes()
    noise = SeededChance("coverage").random.randbytes(3100)
    base = old[20_000:25_000] + noise[:3000]
    target = new[20_000:24_000] + noise[3000:] + noise[:3000]
    options = delta.MakeOptions(
        delta.RamClass.RAM_60K, delta.BackEnd.MIXING, delta.Architecture.THUMB, 4096
    )
    return base, delta.make(base, target, options).data


def exercise(folder: Path) -> None:
    """Run the Python tests on the measured extension, then the seeds of the fuzz targets."""
    (folder / "measured.py").write_text(PLUGIN.format(path=str(folder)))
    environment = dict(os.environ, PYTHONPATH=str(folder))
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "measured", *TESTS]
    subprocess.run(pytest, check=True, env=environment)
    for target in (*TARGETS, "deflate"):
        files = []
        known = deflate_seeds() if target == "deflate" else seeds(target)
        for number, seed in enumerate(known):
            files.append(folder / f"{target}-{number}")
            files[-1].write_bytes(seed)
        run(folder, f"./{target}", *files)
    for number, seed in enumerate(hostile(TINY_BYTES)[:2]):
        (folder / f"sweep-{number}").write_bytes(seed)
        run(folder, "./sweep", "3", f"sweep-{number}")
    base, patch = thumb_patch()
    (folder / "base").write_bytes(base)
    (folder / "patch").write_bytes(patch)
    run(folder, "./decoder_cases", "base", "patch")
    run(folder, "./deflate_cases")


def uncovered(folder: Path) -> dict[str, list[int]]:
    """Return the numbers of lines that never ran, by file."""
    missing: dict[str, list[int]] = {}
    total = 0
    for source in (*DECODER, *RECOMPRESSOR):
        run(folder, shutil.which("gcov") or "gcov", "--json-format", f"{source.stem}.o")
        report = json.loads(gzip.decompress((folder / f"{source.stem}.gcov.json.gz").read_bytes()))
        for file in report["files"]:
            counts = {line["line_number"]: 0 for line in file["lines"]}
            for line in file["lines"]:
                counts[line["line_number"]] += line["count"]
            name = Path(file["file"]).name
            total += len(counts) if name == source.name else 0
            lines = {number for number, count in counts.items() if count == 0}
            if name in missing:
                lines &= set(missing[name])
            missing[name] = sorted(lines)
    print(f"{total} lines of code in the sources of decoder and recompressor")
    return {name: lines for name, lines in missing.items() if lines}


def main() -> int:
    """Build, run, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print the lines themselves")
    show = parser.parse_args().show
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder)
        exercise(folder)
        missing = uncovered(folder)
    places = {source.name: source for source in (*SOURCES.rglob("*.h"), *DECODER, *RECOMPRESSOR)}
    for file, lines in missing.items():
        print(f"{file}: never run: {', '.join(map(str, lines))}")
        text = places[file].read_text().splitlines()
        for number in lines if show else []:
            print(f"  {number:4} {text[number - 1]}")
    print("every line that decodes was run" if not missing else "not every line was run")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
