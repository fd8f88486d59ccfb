"""Where the compressed blocks of a squashfs 4.0 image are.

Read from the kernel's documentation of the format: super block, inode table (which lists the data
blocks of every file), directory table, fragment table and export and id tables. Data and fragment
blocks are one stream each; tables are metadata blocks of up to 8 KiB content with a length before
the stream. All numbers are little-endian. What does not fit is left out, never followed.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from roadworthy.delta.containers.pieces import Piece
from roadworthy.delta.containers.recipe import Kind
from roadworthy.delta.containers.zstd import unpack_frame

__all__ = ["MAGIC", "Squashfs", "find_blocks", "open_squashfs"]

MAGIC = b"hsqs"
_SUPER = struct.Struct("<4sIIIIHHHHHHQQQQQQQQ")
_UNPACKED_BLOCK = 1 << 24
_UNPACKED_METADATA = 1 << 15
_METADATA_BYTES_MAX = 8192
_NONE = 0xFFFFFFFF
_NO_TABLE = 0xFFFFFFFFFFFFFFFF
_GZIP, _ZSTD = 1, 6
_BLOCKS_MAX = 1 << 18
_TABLE_BYTES_MAX = 1 << 28
_BLOCK_LOG = range(12, 21)


@dataclass(frozen=True, slots=True)
class Squashfs:
    """A super block; places are bytes from the start of the image at `start`."""

    start: int
    length: int
    block_bytes: int
    inode_count: int
    fragment_count: int
    id_count: int
    is_zstd: bool
    inodes: int
    directories: int
    fragments: int
    exports: int
    ids: int


def open_squashfs(data: bytes, start: int) -> Squashfs | None:
    """Return the super block at `start`, or None where there is none that we can follow."""
    if start + _SUPER.size > len(data):
        return None
    (magic, inodes, _, block_bytes, fragments, packing, log, _, ids, major, minor, _, length) = (
        fields := _SUPER.unpack_from(data, start)
    )[:13]
    id_table, _, inode_table, directory_table, fragment_table, export_table = fields[13:]
    tables_in_order = _SUPER.size <= inode_table < directory_table < length
    if (
        (magic, major, minor) != (MAGIC, 4, 0)
        or log not in _BLOCK_LOG
        or block_bytes != 1 << log
        or packing not in (_GZIP, _ZSTD)
        or start + length > len(data)
        or not tables_in_order
    ):
        return None
    return Squashfs(
        start,
        length,
        block_bytes,
        inodes,
        fragments,
        ids,
        packing == _ZSTD,
        inode_table,
        directory_table,
        fragment_table,
        export_table,
        id_table,
    )


def find_blocks(data: bytes, image: Squashfs) -> list[Piece]:
    """Return all compressed blocks, in order and without overlap."""
    found: dict[int, Piece] = {}
    tables = _Tables(data, image, found)
    inodes = tables.run(image.inodes, image.directories)
    fragments = tables.indexed(image.fragments, image.fragment_count * 16)
    first = tables.first_block(image.fragments, image.fragment_count)
    tables.run(image.directories, first)
    tables.indexed(image.exports, image.inode_count * 8)
    tables.indexed(image.ids, image.id_count * 4)
    kind = Kind.ZSTD if image.is_zstd else Kind.ZLIB
    for place, size in _data_blocks(inodes, fragments, image):
        length = size & ~_UNPACKED_BLOCK
        if size & _UNPACKED_BLOCK or not length or len(found) >= _BLOCKS_MAX:
            continue
        if _SUPER.size <= place and place + length <= image.inodes:
            found[image.start + place] = Piece(image.start + place, length, kind)
    return _without_overlap(found)


def _without_overlap(found: dict[int, Piece]) -> list[Piece]:
    pieces: list[Piece] = []
    for offset in sorted(found):
        if not pieces or pieces[-1].end <= offset:
            pieces.append(found[offset])
    return pieces


class _Tables:
    """Metadata blocks of one image: unpacks them and notes where they are."""

    def __init__(self, data: bytes, image: Squashfs, found: dict[int, Piece]) -> None:
        self._data = data
        self._image = image
        self._found = found
        self._kind = Kind.ZSTD_METADATA if image.is_zstd else Kind.ZLIB_METADATA
        self._unpack: Callable[[bytes], bytes] = _unframe if image.is_zstd else _inflate

    def run(self, at: int, end: int) -> bytes:
        """Unpack the blocks that follow each other in [at, end)."""
        content = bytearray()
        while at + 2 <= min(end, self._image.length) and len(content) < _TABLE_BYTES_MAX:
            piece, length = self._block(at)
            if piece is None:
                break
            content += piece
            at += length
        return bytes(content)

    def indexed(self, at: int, length: int) -> bytes:
        """Unpack the blocks that an index at `at` names; together they hold `length` bytes."""
        content = bytearray()
        for place in self._places(at, length):
            piece, _ = self._block(place)
            if piece is None:
                break
            content += piece
        return bytes(content)

    def first_block(self, at: int, count: int) -> int:
        """Where the first block that an index names begins; `at` when it names none."""
        return min(self._places(at, count and 1), default=min(at, self._image.length))

    def _places(self, at: int, length: int) -> list[int]:
        count = -(-length // _METADATA_BYTES_MAX)
        if at == _NO_TABLE or count > _BLOCKS_MAX or at + 8 * count > self._image.length:
            return []
        return list(struct.unpack_from(f"<{count}Q", self._data, self._image.start + at))

    def _block(self, at: int) -> tuple[bytes | None, int]:
        """Unpack the block at `at`; returns None where there is none, and its whole length."""
        if at + 2 > self._image.length:
            return None, 0
        place = self._image.start + at
        word = int.from_bytes(self._data[place : place + 2], "little")
        length = word & ~_UNPACKED_METADATA
        body = self._data[place + 2 : place + 2 + length]
        if not 0 < length <= _METADATA_BYTES_MAX or len(body) < length:
            return None, 0
        if word & _UNPACKED_METADATA:
            return body, 2 + length
        content = self._unpack(body)
        if not content:
            return None, 0
        self._found[place] = Piece(place, 2 + length, self._kind)
        return content, 2 + length


def _inflate(body: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(body, _METADATA_BYTES_MAX)
    except zlib.error:
        return b""


def _unframe(body: bytes) -> bytes:
    return unpack_frame(body, _METADATA_BYTES_MAX) or b""


def _data_blocks(inodes: bytes, fragments: bytes, image: Squashfs) -> Iterator[tuple[int, int]]:
    """Yield place and size word of every data block and fragment."""
    for at in range(0, min(len(fragments), image.fragment_count * 16) - 15, 16):
        yield struct.unpack_from("<QI", fragments, at)
    at = 0
    for _ in range(image.inode_count):
        if at + 16 > len(inodes):
            return
        kind = int.from_bytes(inodes[at : at + 2], "little")
        try:
            if kind in (_FILE, _LONG_FILE):
                at, place, sizes = _file(inodes, at, kind, image.block_bytes)
                for size in sizes:
                    yield place, size
                    place += size & ~_UNPACKED_BLOCK
            else:
                at += _inode_bytes(inodes, at, kind)
        except (struct.error, KeyError):
            return


_FILE, _SYMLINK, _LONG_DIRECTORY, _LONG_FILE, _LONG_SYMLINK = 2, 3, 8, 9, 10
_FIXED_BYTES = {1: 32, 4: 24, 5: 24, 6: 20, 7: 20, 11: 28, 12: 28, 13: 24, 14: 24}


def _file(inodes: bytes, at: int, kind: int, block_bytes: int) -> tuple[int, int, tuple[int, ...]]:
    """Return where the next inode is, where the file's blocks begin and their sizes."""
    if kind == _FILE:
        place, fragment, _, length = struct.unpack_from("<IIII", inodes, at + 16)
        at += 32
    else:
        place, length, _, _, fragment = struct.unpack_from("<QQQII", inodes, at + 16)
        at += 56
    count = length // block_bytes if fragment != _NONE else -(-length // block_bytes)
    if count > len(inodes):
        raise KeyError(count)
    return at + 4 * count, place, struct.unpack_from(f"<{count}I", inodes, at)


def _inode_bytes(inodes: bytes, at: int, kind: int) -> int:
    if kind in (_SYMLINK, _LONG_SYMLINK):
        (length,) = struct.unpack_from("<I", inodes, at + 20)
        return 24 + int(length) + (4 if kind == _LONG_SYMLINK else 0)
    if kind != _LONG_DIRECTORY:
        return _FIXED_BYTES[kind]
    (entries,) = struct.unpack_from("<H", inodes, at + 32)
    length = 40
    for _ in range(entries):
        (name,) = struct.unpack_from("<I", inodes, at + length + 8)
        length += 12 + int(name) + 1
    return length
