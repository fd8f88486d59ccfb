"""Finding out how a compressed stream can be packed again, and proving it.

Every part that is returned was packed again here and compared with the image byte by byte.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from roadworthy.delta import _deflate
from roadworthy.delta.containers.pieces import Piece
from roadworthy.delta.containers.recipe import (
    BLOCK_BYTES_MAX,
    SEGMENT_BYTES_MAX,
    DeflateStyle,
    Kind,
    Rule,
    Style,
    TargetPart,
    ZstdStyle,
)
from roadworthy.delta.containers.styles import GZIP_RULES, ZLIB_RULES, best_rule
from roadworthy.delta.containers.window import slide
from roadworthy.delta.containers.zstd import library_version, pack_frame, unpack_frame

__all__ = ["Repacking", "block_content", "contents", "packed_block"]

_SEGMENT_BYTES = 1 << 18
_CORRECTIONS_SHARE = 4
_STYLES_MAX = 60
_WHOLE = True
_ZLIB_HEAD, _ZLIB_TAIL = 2, 4
_FEW_CORRECTIONS_BYTES = 8
_ZSTD_LEVELS = (15, 3, 19, 9, 12, 22, 1, *range(2, 22))


@dataclass(frozen=True, slots=True)
class Segment:
    """Blocks of a deflate stream: data bits [bit, bit_end) unpack to `content`."""

    bit: int
    bit_end: int
    window: bytes
    content: bytes
    last: bool


def _segments(data: bytes, piece: Piece) -> Iterator[Segment]:
    """Take a deflate stream apart.

    Raises:
        DeflateError: it is none, or one of its blocks is too long.
    """
    bit, window, last = piece.offset * 8, b"", False
    view = memoryview(data)[: piece.end]
    while not last:
        content, end, last = _deflate.unpack(view, bit, window, _SEGMENT_BYTES, SEGMENT_BYTES_MAX)
        yield Segment(bit, end, window, content, last)
        window, bit = slide(window, content), end


def block_content(data: bytes, piece: Piece) -> bytes | None:
    """Return the content of a squashfs block, None where it is no whole stream."""
    body = data[piece.body : piece.end]
    if piece.kind.is_zstd:
        return unpack_frame(body, BLOCK_BYTES_MAX)
    machine = zlib.decompressobj()
    try:
        content = machine.decompress(body, BLOCK_BYTES_MAX + 1)
    except zlib.error:
        return None
    whole = machine.eof and not machine.unused_data
    return content if whole and len(content) <= BLOCK_BYTES_MAX else None


def contents(data: bytes, piece: Piece) -> Iterator[bytes]:
    """Yield the content of a compressed stream in pieces, so that it need not be held as a whole.

    Raises:
        DeflateError: it is no stream that we can read.
    """
    if piece.kind is Kind.DEFLATE:
        for segment in _segments(data, piece):
            yield segment.content
        return
    content = block_content(data, piece)
    if content is None:
        raise _deflate.DeflateError
    yield content


def packed_block(part: TargetPart, style: Style, content: bytes) -> bytes:
    """Return a squashfs block with this content.

    Raises:
        DeflateError: the part's corrections don't fit the content.
        PatchError: the style has no such level.
    """
    if isinstance(style, ZstdStyle):
        body = pack_frame(content, style.level)
    else:
        made, _, _ = _deflate.rebuild(content, b"", style.rule, part.corrections, _WHOLE, 0, 0)
        body = style.head.to_bytes(2, "big") + made + zlib.adler32(content).to_bytes(4, "big")
    return struct.pack("<H", len(body)) + body if part.kind.is_metadata else body


@dataclass
class Repacking:
    """Packs pieces of one image again; what fitted the last one is tried first.

    zstd: whether the receiving side has the same version of the Zstandard library.
    """

    zstd: bool
    styles: list[Style] = field(default_factory=list)
    _rule: Rule = ZLIB_RULES[0]
    _level: int = _ZSTD_LEVELS[0]

    def of(self, data: bytes, piece: Piece) -> list[TargetPart] | None:
        """Return the parts that make exactly this piece, None where that can't be done."""
        if piece.kind is Kind.DEFLATE:
            return self._stream(data, piece)
        content = block_content(data, piece)
        if content is None:
            return None
        style = self._frame_style if piece.kind.is_zstd else self._block_style
        part = style(data, piece, content)
        wanted = data[piece.offset : piece.end]
        if part is None or packed_block(part, self.styles[part.style], content) != wanted:
            return None
        return [part]

    def _style(self, style: Style) -> int | None:
        if style not in self.styles:
            if len(self.styles) >= _STYLES_MAX:
                return None
            self.styles.append(style)
        return self.styles.index(style)

    def _block_style(self, data: bytes, piece: Piece, content: bytes) -> TargetPart | None:
        stream = data[piece.body + _ZLIB_HEAD : piece.end - _ZLIB_TAIL]
        try:
            _, end, _ = _deflate.unpack(stream, 0, b"", BLOCK_BYTES_MAX, BLOCK_BYTES_MAX)
            whole = Segment(0, end, b"", content, last=True)
            best = _describe(stream, whole, self._rule)
            if len(best) > _FEW_CORRECTIONS_BYTES:
                self._rule = _best_rule((self._rule, *ZLIB_RULES), stream, whole)
                best = _describe(stream, whole, self._rule)
        except _deflate.DeflateError:
            return None
        head = int.from_bytes(data[piece.body : piece.body + _ZLIB_HEAD], "big")
        style = self._style(DeflateStyle(self._rule, head))
        if style is None or len(best) > len(stream) // _CORRECTIONS_SHARE:
            return None
        return TargetPart(piece.kind, len(content), 0, style, best)

    def _frame_style(self, data: bytes, piece: Piece, content: bytes) -> TargetPart | None:
        if not self.zstd:
            return None
        body = data[piece.body : piece.end]
        levels = (self._level,) if self.styles else _ZSTD_LEVELS
        for level in levels:
            if pack_frame(content, level) == body:
                self._level = level
                style = self._style(ZstdStyle(level, library_version()))
                return None if style is None else TargetPart(piece.kind, len(content), 0, style)
        return None

    def _stream(self, data: bytes, piece: Piece) -> list[TargetPart] | None:
        """Try the first segment with all rules, the others with the best of them."""
        parts: list[TargetPart] = []
        spent, rule, hold, held = 0, None, 0, 0
        try:
            for segment in _segments(data, piece):
                if rule is None:
                    rules = (*ZLIB_RULES[:2], *GZIP_RULES, *ZLIB_RULES[2:])
                    rule = _best_rule(rules, data, segment)
                best = _describe(data, segment, rule)
                made, hold, held = _deflate.rebuild(
                    segment.content, segment.window, rule, best, segment.last, hold, held
                )
                spent += len(best)
                style = self._style(DeflateStyle(rule, 0))
                begin = segment.bit >> 3
                if style is None or made != data[begin : begin + len(made)]:
                    return None
                part = TargetPart(piece.kind, len(segment.content), 0, style, best, segment.last)
                parts.append(part)
        except _deflate.DeflateError:
            return None
        return parts if spent <= piece.length // _CORRECTIONS_SHARE else None


def _best_rule(rules: tuple[Rule, ...], data: bytes, segment: Segment) -> Rule:
    return best_rule(rules, lambda rule: len(_describe(data, segment, rule)))


def _describe(data: bytes, segment: Segment, rule: Rule) -> bytes:
    return _deflate.describe(
        data, segment.bit, segment.bit_end, segment.window, segment.content, rule, segment.last
    )
