"""Other tools that make patches, as far as they are installed, and what theirs cost.

The Python packages bsdiff4, hdiffpatch, detools and zstandard and the program xdelta3, each at
its strongest settings. None of them is needed to run Roadworthy: they are looked for by name.
A patch counts only when the tool has applied it again and the image came out.
"""

import importlib
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from roadworthy import delta
from roadworthy.base.clock import SystemClock

__all__ = ["FAMILIES", "Failed", "Measured", "Tool", "installed", "measure", "ours"]

Tool = Callable[[bytes, bytes], tuple[bytes, Callable[[], bytes]]]
"""Makes a patch from old and new; gives it and what applies it."""

_XDELTA3 = "xdelta3"
_ZSTD_WINDOW_LOG_MAX = 27


@dataclass(frozen=True, slots=True)
class Measured:
    """A patch that was applied again: its size and the time to make and to apply it."""

    size_bytes: int
    make_s: float
    apply_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a tool has no patch for this pair."""

    reason: str


def measure(tool: Tool, old: bytes, new: bytes) -> Measured | Failed:
    """Make and apply one patch; whatever a foreign tool does wrong is a result."""
    clock = SystemClock()
    try:
        begin = clock.monotonic()
        patch, apply = tool(old, new)
        middle = clock.monotonic()
        is_right = apply() == new
        end = clock.monotonic()
    except Exception as error:  # noqa: BLE001 - any failure of a peer is a result
        return Failed(type(error).__name__)
    return Measured(len(patch), middle - begin, end - middle) if is_right else Failed("wrong image")


def ours() -> dict[str, Tool]:
    """Return our codec's fast back end, and the other in each RAM class, the default last."""
    fast: dict[str, Tool] = {
        "roadworthy fast": partial(_ours, delta.MakeOptions(back_end=delta.BackEnd.FAST))
    }
    return fast | {
        f"roadworthy {each.name.removeprefix('RAM_')}": partial(
            _ours, delta.MakeOptions(ram_class=each)
        )
        for each in delta.RamClass
    }


def installed(families: Iterable[str]) -> tuple[dict[str, Tool], list[str]]:
    """Return the tools of these families that are installed, and the families that are not."""
    found: dict[str, Tool] = {}
    absent = []
    for family in families:
        if tools := FAMILIES[family]():
            found |= tools
        else:
            absent.append(family)
    return found, absent


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _ours(options: delta.MakeOptions, old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
    patch = delta.make(old, new, options).data
    return patch, lambda: b"".join(delta.apply(old, patch))


def _bsdiff4() -> dict[str, Tool]:
    bsdiff = _module("bsdiff4")
    if bsdiff is None:
        return {}

    def run(old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        patch = bsdiff.diff(old, new)
        return patch, lambda: bsdiff.patch(old, patch)

    return {"bsdiff4": run}


def _hdiffpatch() -> dict[str, Tool]:
    hdiff = _module("hdiffpatch")
    if hdiff is None:
        return {}

    def run(codec: str, old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        patch = hdiff.diff(old, new, compression=getattr(hdiff, codec).best_compression())
        return patch, lambda: hdiff.apply(old, patch)

    codecs = ("Lzma2", "Lzma", "ZStd", "Brotli", "BZip2")
    return {f"hdiffpatch {name.lower()}": partial(run, f"{name}Config") for name in codecs}


def _detools() -> dict[str, Tool]:
    tools = _module("detools")
    if tools is None:
        return {}

    def run(options: dict[str, str], old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        with tempfile.TemporaryDirectory() as folder:
            names = [Path(folder) / name for name in ("old", "new", "patch")]
            names[0].write_bytes(old)
            names[1].write_bytes(new)
            tools.create_patch_filenames(*map(str, names), compression="lzma", **options)
            patch = names[2].read_bytes()

        def apply() -> bytes:
            result = io.BytesIO()
            tools.apply_patch(io.BytesIO(old), io.BytesIO(patch), result)
            return result.getvalue()

        return patch, apply

    kinds = {
        "detools": {},
        "detools hdiffpatch": {"patch_type": "hdiffpatch", "algorithm": "hdiffpatch"},
        "detools cortex-m4": {"data_format": "arm-cortex-m4"},
        "detools aarch64": {"data_format": "aarch64"},
        "detools xtensa": {"data_format": "xtensa-lx106"},
    }
    return {name: partial(run, options) for name, options in kinds.items()}


def _zstandard() -> dict[str, Tool]:
    """Return zstd --patch-from: the old image as a prefix dictionary."""
    zstd = _module("zstandard")
    if zstd is None:
        return {}

    def run(level: int, old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        length_log = (len(old) + len(new)).bit_length()
        parameters = zstd.ZstdCompressionParameters.from_level(
            level, window_log=max(10, min(_ZSTD_WINDOW_LOG_MAX, length_log)), enable_ldm=True
        )
        prefix = zstd.ZstdCompressionDict(old, dict_type=zstd.DICT_TYPE_RAWCONTENT)
        packer = zstd.ZstdCompressor(compression_params=parameters, dict_data=prefix)
        patch = packer.compress(new)
        unpacker = zstd.ZstdDecompressor(
            dict_data=prefix, max_window_size=1 << _ZSTD_WINDOW_LOG_MAX
        )
        return patch, lambda: unpacker.decompress(patch, max_output_size=len(new))

    return {f"zstd -{level}": partial(run, level) for level in (19, 22)}


def _xdelta3() -> dict[str, Tool]:
    program = shutil.which(_XDELTA3)
    if program is None:
        return {}

    def call(options: Iterable[str], source: bytes, given: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            names = [Path(folder) / name for name in ("source", "given", "made")]
            names[0].write_bytes(source)
            names[1].write_bytes(given)
            command = [program, *options, "-D", "-s", *map(str, names)]
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - found above
            return names[2].read_bytes()

    def run(secondary: str, old: bytes, new: bytes) -> tuple[bytes, Callable[[], bytes]]:
        patch = call(["-9", "-e", "-S", secondary], old, new)
        return patch, lambda: call(["-d"], old, patch)

    return {f"{_XDELTA3} {name}": partial(run, name) for name in ("none", "lzma")}


FAMILIES: dict[str, Callable[[], dict[str, Tool]]] = {
    "bsdiff4": _bsdiff4,
    "hdiffpatch": _hdiffpatch,
    "detools": _detools,
    "zstandard": _zstandard,
    _XDELTA3: _xdelta3,
}
