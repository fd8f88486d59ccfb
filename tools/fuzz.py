"""Build the fuzz targets of the delta codec with ASan and UBSan and run each for a while.

    python tools/fuzz.py [--only patch] [--keep build/fuzz] [libFuzzer options]

Options that start with one dash go to libFuzzer: `-runs=2000`, `-max_total_time=60`. Inputs
that stop a target are kept as `<target>/crash-...`; give such a file as an option to run it
alone. Needs clang with libFuzzer (Debian: clang and libclang-rt-14-dev).
"""

import argparse
import hashlib
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

from roadworthy import delta
from roadworthy.base.clock import SeededChance

TARGETS = {"header": 1 << 8, "patch": 1 << 13, "journal": 1 << 13, "apply": 1 << 13}
TARGETS |= {"roundtrip": 1 << 12, "deflate": 1 << 13}
SOURCES = Path(delta.__file__).parent / "csrc"
ENCODER = SOURCES / "encoder"
DEFLATE = SOURCES / "deflate"
HARNESS = Path(__file__).parent.parent / "tests" / "delta" / "fuzz"
FIRMWARE = Path(delta.__file__).parent.parent / "sim" / "firmware"
SANITIZE = ["-fsanitize=address,undefined,fuzzer", "-fno-sanitize-recover=all"]
SEED_BYTES = 700
TINY_BYTES = 100
HEADER_BYTES = delta.HEADER_BYTES_MAX


def build(folder: Path, target: str) -> Path:
    """Compile one target with the codec's own sources; return the program."""
    program = folder / f"fuzz-{target}"
    compiler = shutil.which("clang") or "clang"
    sources = [*sorted(SOURCES.glob("rw_*.c")), *sorted(ENCODER.glob("rw_*.c"))]
    flags = ["-O2", "-g", "-std=c99", "-Wall", "-Wextra", "-Werror", *SANITIZE]
    flags += [f"-I{SOURCES}", f"-I{ENCODER}", "-Wl,--wrap=rw_code_hash"]
    files = [HARNESS / f"{target}.c", HARNESS / "hostile.c", *sources]
    if target == "deflate":
        files = [HARNESS / "deflate.c", *sorted(DEFLATE.glob("rw_*.c"))]
        flags.append(f"-I{DEFLATE}")
    subprocess.run([compiler, *flags, "-o", str(program), *map(str, files)], check=True)
    return program


def sealed(image: bytes) -> bytes:
    """Return the image with its SHA-256 and then a CRC-32 behind it."""
    image += b"\x10\0\x20\0" + hashlib.sha256(image).digest()
    return image + zlib.crc32(image).to_bytes(4, "big")


def images(size: int) -> list[tuple[bytes, bytes]]:
    """Return small pairs: pieces of the shipped firmware, and noise: moved, with seals."""
    noise = SeededChance("fuzz").random.randbytes(size)
    moved = noise[size // 2 :] + noise[: size // 3] + b"new" + noise
    pairs = [(noise, moved), (noise, noise[::-1]), (b"", b"x"), (sealed(noise), sealed(moved))]
    for folder in sorted(path for path in FIRMWARE.iterdir() if path.is_dir()):
        old, new = (folder / "old.bin").read_bytes(), (folder / "new.bin").read_bytes()
        piece = slice(len(new) // 2, len(new) // 2 + size)
        pairs += [(old[piece], new[piece]), (old[piece], old[piece] * 4)]
    return pairs


def hostile(size: int) -> list[bytes]:
    """Return inputs as hostile.h lays them out, for every instruction set."""
    found = []
    for number, (old, new) in enumerate(images(size)):
        for architecture in delta.Architecture:
            back_end = delta.BackEnd(1 + (number + architecture) % 2)
            options = delta.MakeOptions(
                delta.RamClass.RAM_60K,
                back_end,
                architecture,
                4096,
                None if number % 3 else 1 << 14,
            )
            patch = delta.make(old, new, options).data
            found.append(bytes([2, 99]) + len(old).to_bytes(2, "little") + old + patch)
    return found


def deflate_seeds() -> list[bytes]:
    """Return streams of zlib at several levels, and content with corrections that are noise."""
    chance = SeededChance("deflate").random
    # Fields as in deflate.c: flags, hash and window bits, good, lazy, nice, chain, limit.
    rule = struct.pack("<BBBxHHHHHBx", 0, 7, 6, 32, 258, 258, 4096, 16383, 0)
    found = []
    for old, _ in images(SEED_BYTES):
        for level in (1, 6, 9):
            pack = zlib.compressobj(level, zlib.DEFLATED, -15)
            found.append(b"\0" + rule + pack.compress(old * 3) + pack.flush())
        noise = chance.randbytes(40)
        found.append(b"\1" + rule + len(old).to_bytes(2, "little") + old + noise)
    return found


def seeds(target: str) -> list[bytes]:
    """Return inputs from which a target starts, as its source lays them out."""
    if target == "roundtrip":
        nothing_in_little_memory = b"\0\x74\0\0" + b"\0"
        nothing_alike = b"\x12\x09\x0a\0" + b"1" * 10 + b"u" * 30
        return [
            nothing_in_little_memory,
            nothing_alike,
            *(
                bytes([3 * kind, style]) + len(old).to_bytes(2, "little") + old + new
                for old, new in images(SEED_BYTES)
                for kind, style in zip(range(7), (4, 8, 7, 0x85, 4, 9, 4), strict=True)
            ),
        ]
    if target == "header":
        return [seed[4 + seed[2] + 256 * seed[3] :][:HEADER_BYTES] for seed in hostile(TINY_BYTES)]
    if target == "apply":
        return [bytes([6, 0, 3, 0, 255, 0, 1]) + seed for seed in hostile(SEED_BYTES)]
    if target == "journal":
        tiny = hostile(TINY_BYTES)
        return [
            fed.to_bytes(2, "little") + bytes([2, 9, 0, 0, 0, 77, 1, 4, 3]) + seed
            for fed in (0, 20, 50, HEADER_BYTES, HEADER_BYTES + 20, HEADER_BYTES + 150)
            for seed in tiny[:: 1 + fed % 3]
        ]
    return hostile(SEED_BYTES)


def fuzz(folder: Path, target: str, options: list[str]) -> None:
    """Run one target in its own folder, from its seeds and what earlier runs found."""
    place = folder / target
    for name in ("seeds", "corpus"):
        (place / name).mkdir(parents=True, exist_ok=True)
    known = deflate_seeds() if target == "deflate" else seeds(target)
    for number, seed in enumerate(known):
        (place / "seeds" / f"{number:03}").write_bytes(seed)
    files = [str(Path(option).resolve()) for option in options if not option.startswith("-")]
    defaults = [f"-max_len={TARGETS[target]}", "-timeout=20", "-rss_limit_mb=1500", "-seed=1"]
    corpus = files or ["corpus", "seeds"]
    command = [str(build(folder, target).resolve()), *defaults, "-print_final_stats=1"]
    command += [option for option in options if option.startswith("-")] + corpus
    print(f"{target}: {' '.join(command[1:])}", flush=True)
    result = subprocess.run(command, cwd=place, check=False, capture_output=True, text=True)
    lines = result.stderr.splitlines()
    if result.returncode != 0:
        print("\n".join(lines[-60:]))
        sys.exit(f"{target}: a hostile input was found; it is kept in {place}")
    print("\n".join(line for line in lines if "DONE" in line), flush=True)


def main() -> int:
    """Build and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(TARGETS), action="append")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    known, options = parser.parse_known_args()
    if shutil.which("clang") is None:
        sys.exit("clang is not installed (Debian: clang libclang-rt-14-dev)")
    known.keep.mkdir(parents=True, exist_ok=True)
    for target in known.only or TARGETS:
        fuzz(known.keep, target, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
