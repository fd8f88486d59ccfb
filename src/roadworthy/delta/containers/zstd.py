"""Zstandard frames, where the library is installed.

What a level makes changes from version to version of the library, so a recipe names the version,
and only that version packs by it.
"""

from types import ModuleType

from roadworthy.delta.errors import PatchError

try:
    import zstandard
except ImportError:
    _library: ModuleType | None = None
else:
    _library = zstandard

__all__ = ["check_version", "library_version", "pack_frame", "unpack_frame"]

_LEVEL_MAX = 22


def library_version() -> int:
    """Version of the library that packs frames here, as major * 10000 + minor * 100 + patch.

    0 where there is none.
    """
    if _library is None:
        return 0
    major, minor, patch = _library.ZSTD_VERSION
    return int(major * 10_000 + minor * 100 + patch)


def check_version(version: int) -> None:
    """Confirm that frames of this version can be packed here.

    Raises:
        PatchError: the library is not there or has another version.
    """
    here = library_version()
    if version != here:
        raise PatchError(
            f"needs version {version} of the Zstandard library, here is {here or 'none'}",
            value="patch",
            todo="make the patch without Zstandard, or for the version of the receiving side",
        )


def unpack_frame(frame: bytes, most: int) -> bytes | None:
    """Return the content of a whole frame of at most `most` bytes content, else None."""
    if _library is None:
        return None
    try:
        machine = _library.ZstdDecompressor(max_window_size=max(most, 1 << 10)).decompressobj()
        if not 0 <= _library.frame_content_size(frame) <= most:
            return None
        content = bytes(machine.decompress(frame))
    except _library.ZstdError:
        return None
    return content if machine.eof and not machine.unused_data and len(content) <= most else None


def pack_frame(content: bytes, level: int) -> bytes:
    """Return a frame as `level` makes it; its head holds the length of the content.

    Raises:
        PatchError: there is no such level, or no library.
    """
    if _library is None or not 1 <= level <= _LEVEL_MAX:
        raise PatchError("names no Zstandard level", value="patch", todo="fetch it again")
    return bytes(_library.ZstdCompressor(level=level).compress(content))
