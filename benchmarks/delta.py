"""Compare the delta codec with its peers, pair by pair, in one run.

    python benchmarks/delta.py PAIR_FOLDER... [--write docs/delta.md]

A pair folder holds `old` and `new` (or `old.bin` and `new.bin`). Without folders the shipped
pairs are taken. Peers are the Python packages bsdiff4, hdiffpatch, detools and zstandard and the
program xdelta3; those that are not installed are named as absent. Every patch is applied again
and compared before its size counts. With --write the table between the two markers of the
document is replaced.
"""

import argparse
import importlib
import importlib.metadata
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from types import ModuleType

from roadworthy import delta

Peer = Callable[[bytes, bytes], tuple[bytes, Callable[[], bytes]]]

START = "<!-- benchmark: start -->"
END = "<!-- benchmark: end -->"


@dataclass(frozen=True, slots=True)
class Result:
    """One patch: its size and the time to make it and to apply it."""

    size_bytes: int
    encode_s: float
    decode_s: float


def module(name: str) -> ModuleType | None:
    """Return a peer's module, or None when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def ours(ram_class: delta.RamClass) -> Peer:
    """Our codec in one RAM class, all else by default."""

    def run(old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        patch = delta.make(old, new, delta.MakeOptions(ram_class=ram_class)).data
        return patch, lambda: b"".join(delta.apply(old, patch))

    return run


def bsdiff_peer(bsdiff: ModuleType) -> Peer:
    """bsdiff4, which has no options."""

    def run(old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        patch = bsdiff.diff(old, new)
        return patch, lambda: bsdiff.patch(old, patch)

    return run


def hdiffpatch_peer(hdiff: ModuleType, codec: str) -> Peer:
    """Hdiffpatch with one of its compressors."""

    def run(old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        patch = hdiff.diff(old, new, compression=codec)
        return patch, lambda: hdiff.apply(old, patch)

    return run


def detools_peer(tools: ModuleType, **options: str) -> Peer:
    """Detools with one patch type and data format, LZMA."""

    def run(old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        with tempfile.TemporaryDirectory() as folder:
            names = [str(Path(folder) / name) for name in ("old", "new", "patch")]
            Path(names[0]).write_bytes(old)
            Path(names[1]).write_bytes(new)
            tools.create_patch_filenames(*names, compression="lzma", **options)
            patch = Path(names[2]).read_bytes()

        def apply() -> bytes:
            result = io.BytesIO()
            tools.apply_patch(io.BytesIO(old), io.BytesIO(patch), result)
            return result.getvalue()

        return patch, apply

    return run


def zstd_peer(zstd: ModuleType, level: int) -> Peer:
    """Zstd --patch-from: the old image as a prefix dictionary."""

    def run(old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        window_log = max(10, min(27, (len(old) + len(new)).bit_length()))
        parameters = zstd.ZstdCompressionParameters.from_level(
            level, window_log=window_log, enable_ldm=True
        )
        prefix = zstd.ZstdCompressionDict(old, dict_type=zstd.DICT_TYPE_RAWCONTENT)
        packer = zstd.ZstdCompressor(compression_params=parameters, dict_data=prefix)
        patch = packer.compress(new)
        unpacker = zstd.ZstdDecompressor(dict_data=prefix, max_window_size=1 << 27)
        return patch, lambda: unpacker.decompress(patch, max_output_size=len(new))

    return run


def xdelta_peer(program: str, secondary: str) -> Peer:
    """xdelta3 -9 with a secondary compressor."""

    def run(old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        with tempfile.TemporaryDirectory() as folder:
            base, target, out = (Path(folder) / name for name in ("old", "new", "patch"))
            base.write_bytes(old)
            target.write_bytes(new)
            command = [
                program,
                "-9",
                "-D",
                "-e",
                "-S",
                secondary,
                "-s",
                *map(str, (base, target, out)),
            ]
            subprocess.run(command, check=True)
            patch = out.read_bytes()

        def apply() -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                base, source, out = (Path(folder) / name for name in ("old", "patch", "new"))
                base.write_bytes(old)
                source.write_bytes(patch)
                command = [program, "-D", "-d", "-s", *map(str, (base, source, out))]
                subprocess.run(command, check=True)
                return out.read_bytes()

        return patch, apply

    return run


def hdiffpatch_peers(hdiff: ModuleType) -> dict[str, Peer]:
    """Return hdiffpatch with its strongest compressors."""
    codecs = ("lzma2", "lzma", "zstd", "brotli", "bzip2")
    return {f"hdiffpatch {codec}": hdiffpatch_peer(hdiff, codec) for codec in codecs}


def detools_peers(tools: ModuleType) -> dict[str, Peer]:
    """Return detools with its patch types and data formats."""
    return {
        "detools": detools_peer(tools),
        "detools hdiffpatch": detools_peer(tools, patch_type="hdiffpatch", algorithm="hdiffpatch"),
        "detools cortex-m4": detools_peer(tools, data_format="arm-cortex-m4"),
        "detools aarch64": detools_peer(tools, data_format="aarch64"),
        "detools xtensa": detools_peer(tools, data_format="xtensa-lx106"),
    }


def zstd_peers(zstd: ModuleType) -> dict[str, Peer]:
    """Return zstd at its two strongest levels."""
    return {f"zstd -{level}": zstd_peer(zstd, level) for level in (19, 22)}


BUILDERS: dict[str, Callable[[ModuleType], dict[str, Peer]]] = {
    "bsdiff4": lambda bsdiff: {"bsdiff4": bsdiff_peer(bsdiff)},
    "hdiffpatch": hdiffpatch_peers,
    "detools": detools_peers,
    "zstandard": zstd_peers,
}


def peers() -> tuple[dict[str, Peer], list[str]]:
    """Return the peers that are installed, and the names of those that are not."""
    found: dict[str, Peer] = {}
    absent = []
    for name, build in BUILDERS.items():
        loaded = module(name)
        if loaded is None:
            absent.append(name)
        else:
            found |= build(loaded)
    program = shutil.which("xdelta3")
    if program is None:
        absent.append("xdelta3")
    else:
        found |= {f"xdelta3 {s}": xdelta_peer(program, s) for s in ("none", "lzma")}
    return found, absent


def measure(peer: Peer, old: bytes, new: bytes) -> Result | str:
    """Make and apply one patch; a peer that fails or gives other bytes is told, not counted."""
    try:
        begin = time.perf_counter()
        patch, apply = peer(old, new)
        middle = time.perf_counter()
        whole = apply() == new
        end = time.perf_counter()
    except Exception as error:  # noqa: BLE001 - any failure of a peer is a result
        return type(error).__name__
    return Result(len(patch), middle - begin, end - middle) if whole else "wrong output"


def read_pair(folder: Path) -> tuple[bytes, bytes]:
    """Read both images of a pair."""
    suffix = "" if (folder / "old").exists() else ".bin"
    return (folder / f"old{suffix}").read_bytes(), (folder / f"new{suffix}").read_bytes()


def cell(result: Result | str, best: int) -> str:
    """Return a table cell: the size, bold when it is the smallest of the row."""
    if isinstance(result, str):
        return result
    return f"**{result.size_bytes}**" if result.size_bytes == best else str(result.size_bytes)


def table(rows: dict[str, dict[str, Result | str]], our_names: list[str]) -> list[str]:
    """Return the table, one row per pair, and the geometric mean against the best peer."""
    names = list(next(iter(rows.values())))
    lines = ["| pair | " + " | ".join(names) + " | ours / best peer |"]
    lines.append("|---|" + "---:|" * (len(names) + 1))
    logs = []
    for pair, results in rows.items():
        sizes = {n: r.size_bytes for n, r in results.items() if isinstance(r, Result)}
        peer_sizes = [size for name, size in sizes.items() if name not in our_names]
        share = sizes[our_names[-1]] / min(peer_sizes) if peer_sizes else float("nan")
        logs.append(log(share))
        cells = [cell(result, min(sizes.values())) for result in results.values()]
        lines.append(f"| {pair} | " + " | ".join(cells) + f" | {share:.3f} |")
    mean = exp(sum(logs) / len(logs))
    lines.append(f"\nGeometric mean of the last column: {mean:.3f} over {len(rows)} pairs.")
    return lines


def times(rows: dict[str, dict[str, Result | str]], our_names: list[str]) -> list[str]:
    """Return how long our codec took, one line per pair."""
    lines = ["", "| pair | make, s | apply, s |", "|---|---:|---:|"]
    for pair, results in rows.items():
        own = results[our_names[-1]]
        if isinstance(own, Result):
            lines.append(f"| {pair} | {own.encode_s:.1f} | {own.decode_s:.1f} |")
    return lines


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--write", type=Path, help="document whose table is replaced")
    return parser.parse_args()


def main() -> int:
    """Run the comparison and print or write the table."""
    chosen = arguments()
    shipped = Path(delta.__file__).parents[1] / "sim" / "firmware"
    folders = chosen.folders or sorted(p for p in shipped.iterdir() if p.is_dir())
    own = {f"ours {n}": ours(c) for n, c in zip(("60K", "240K", "4M"), delta.RamClass, strict=True)}
    found, absent = peers()
    rows = {}
    for folder in folders:
        old, new = read_pair(folder)
        rows[folder.name] = {name: measure(peer, old, new) for name, peer in (own | found).items()}
        sys.stderr.write(f"{folder.name} done\n")
    lines = [*table(rows, list(own)), *times(rows, list(own)), ""]
    lines.append("Peers absent from this run: " + (", ".join(absent) or "none") + ".")
    text = "\n".join(lines)
    if chosen.write is None:
        sys.stdout.write(text + "\n")
    else:
        document = chosen.write.read_text()
        head, tail = document.split(START)[0], document.split(END)[1]
        chosen.write.write_text(f"{head}{START}\n{text}\n{END}{tail}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
