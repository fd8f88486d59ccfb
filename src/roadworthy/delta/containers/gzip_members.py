"""Where gzip members (RFC 1952) are, in any bytes: files, archives, initramfs, kernels.

A member's piece is its deflate stream; what stands before and after stays as it is.
"""

from collections.abc import Iterator

from roadworthy.delta import _deflate
from roadworthy.delta.containers.pieces import Piece
from roadworthy.delta.containers.recipe import SEGMENT_BYTES_MAX, Kind
from roadworthy.delta.containers.window import slide
from roadworthy.delta.mapped import find

__all__ = ["find_members", "stream_end"]

_MAGIC = b"\x1f\x8b\x08"
_HEAD_BYTES = 10
_CHECKSUM, _EXTRA, _NAME, _COMMENT, _RESERVED = 2, 4, 8, 16, 0xE0
_STREAM_BYTES_MIN = 64
_STEP_BYTES = 1 << 20
_NAME_BYTES_MAX = 1 << 15


def find_members(data: bytes, start: int, end: int) -> Iterator[Piece]:
    """Yield the deflate streams of the gzip members in data[start:end]."""
    at = find(data, _MAGIC, start, end)
    while at >= 0:
        offset = _head_end(data, at, end)
        last = stream_end(data, offset, end) if offset else 0
        if last - offset >= _STREAM_BYTES_MIN:
            yield Piece(offset, last - offset, Kind.DEFLATE)
            at = last
        at = find(data, _MAGIC, at + 1, end)


def _head_end(data: bytes, at: int, end: int) -> int:
    """Return where the member's stream begins, 0 where there is no member."""
    flags = data[at + 3] if at + _HEAD_BYTES <= end else _RESERVED
    if flags & _RESERVED:
        return 0
    at += _HEAD_BYTES
    if flags & _EXTRA:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for field in (_NAME, _COMMENT):
        if flags & field:
            at = data.find(b"\0", at, min(end, at + _NAME_BYTES_MAX)) + 1
            if not at:
                return 0
    return at + (2 if flags & _CHECKSUM else 0)


def stream_end(data: bytes, offset: int, end: int) -> int:
    """Return where the deflate stream at `offset` ends, 0 where there is none that we can read."""
    bit, window, final = offset * 8, b"", False
    while not final:
        try:
            content, bit, final = _deflate.unpack(
                memoryview(data)[:end], bit, window, _STEP_BYTES, SEGMENT_BYTES_MAX
            )
        except _deflate.DeflateError:
            return 0
        window = slide(window, content)
    return bit + 7 >> 3
