"""The virtual base: the base with some of its streams unpacked, read at any place.

Blocks are unpacked when they are read and kept for a while. A long deflate stream is unpacked in
spans; where each begins is remembered with the window before it, so no read has to start at the
front twice. Memory is that of the kept spans and of at most `_MARKS_MAX` windows.
"""

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field

from roadworthy.delta import _deflate
from roadworthy.delta.containers.pieces import Piece
from roadworthy.delta.containers.recipe import SEGMENT_BYTES_MAX, BasePart, Kind, Recipe
from roadworthy.delta.containers.repacking import block_content
from roadworthy.delta.containers.window import slide
from roadworthy.delta.errors import PatchError
from roadworthy.delta.patch_decoder import ReadBase

__all__ = ["VirtualBase"]

_KEPT_BYTES_MAX = 8 << 20
_MARKS_MAX = 128
_SPAN_BYTES_MIN = 1 << 18
_SLACK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a span begins: content offset, bit in the stream, window before it."""

    content: int
    bit: int
    window: bytes


@dataclass
class _Stream:
    """A long deflate stream and the marks found so far."""

    offset: int
    part: BasePart
    marks: list[_Mark] = field(default_factory=lambda: [_Mark(0, 0, b"")])


class VirtualBase:
    """Reads the virtual base that a recipe describes.

    Args:
        recipe: whose base parts cover the base.
        read_base: gives bytes of the base itself.
    """

    def __init__(self, recipe: Recipe, read_base: ReadBase) -> None:
        self._read_base = read_base
        self._parts = [part for part in recipe.base if part.content]
        self._starts: list[int] = []
        self._offsets: list[int] = []
        self._streams: dict[int, _Stream] = {}
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._kept_bytes = 0
        self.length_bytes = 0
        self._place(recipe)
        long = sum(part.content for part in self._parts if part.kind is Kind.DEFLATE)
        self._span_bytes = max(_SPAN_BYTES_MIN, long // _MARKS_MAX)

    def _place(self, recipe: Recipe) -> None:
        offset = 0
        for part in recipe.base:
            if part.content:
                self._starts.append(self.length_bytes)
                self._offsets.append(offset)
                self.length_bytes += part.content
            offset += part.length

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`.

        Raises:
            PatchError: they are not inside the virtual base, or a stream does not unpack.
        """
        if offset < 0 or offset + length > self.length_bytes:
            raise _unlike()
        index = bisect_right(self._starts, offset) - 1
        got: list[bytes] = []
        while length > 0:
            inside = offset - self._starts[index]
            piece = self._part(index, inside, min(length, self._parts[index].content - inside))
            got.append(piece)
            offset += len(piece)
            length -= len(piece)
            index += offset - self._starts[index] >= self._parts[index].content
        return got[0] if len(got) == 1 else b"".join(got)

    def _part(self, index: int, inside: int, length: int) -> bytes:
        """Return up to `length` bytes, at least one."""
        part = self._parts[index]
        if part.kind is Kind.RAW:
            return self._read_base(self._offsets[index] + inside, length)
        if part.kind is Kind.GAP:
            return bytes(length)
        if part.kind is Kind.DEFLATE:
            return self._from_stream(index, inside, length)
        content = self._kept_content(index, 0)
        if content is None:
            packed = self._read_base(self._offsets[index], part.length)
            content = block_content(packed, Piece(0, part.length, part.kind))
            if content is None or len(content) != part.content:
                raise _unlike()
            self._keep(index, 0, content)
        return content[inside : inside + length]

    def _from_stream(self, index: int, inside: int, length: int) -> bytes:
        if index not in self._streams:
            self._streams[index] = _Stream(self._offsets[index], self._parts[index])
        stream = self._streams[index]
        number = bisect_right(stream.marks, inside, key=lambda mark: mark.content) - 1
        while True:
            begin = stream.marks[number].content
            content = self._kept_content(index, number)
            if content is None:
                content = self._span(stream, number)
                self._keep(index, number, content)
            if inside < begin + len(content):
                return content[inside - begin : inside - begin + length]
            number += 1
            if number >= len(stream.marks):
                raise _unlike()

    def _span(self, stream: _Stream, number: int) -> bytes:
        """Unpack the span that begins at a mark and mark where the next one begins."""
        mark = stream.marks[number]
        begin = mark.bit >> 3
        left = stream.part.length - begin
        ahead = self._span_bytes + _SLACK_BYTES
        content, bit, final = b"", 0, False
        while not content:
            packed = self._read_base(stream.offset + begin, min(left, ahead))
            try:
                content, bit, final = _deflate.unpack(
                    packed, mark.bit & 7, mark.window, self._span_bytes, SEGMENT_BYTES_MAX
                )
            except _deflate.DeflateError:
                if ahead >= min(left, 2 * SEGMENT_BYTES_MAX):
                    raise _unlike() from None
                ahead *= 2
        end = mark.content + len(content)
        if end > stream.part.content or (final and end != stream.part.content):
            raise _unlike()
        if number + 1 == len(stream.marks) and not final:
            window = slide(mark.window, content)
            stream.marks.append(_Mark(end, begin * 8 + bit, window))
        return content

    def _kept_content(self, index: int, number: int) -> bytes | None:
        content = self._kept.get((index, number))
        if content is not None:
            self._kept.move_to_end((index, number))
        return content

    def _keep(self, index: int, number: int, content: bytes) -> None:
        self._kept[index, number] = content
        self._kept_bytes += len(content)
        while self._kept_bytes > _KEPT_BYTES_MAX and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= len(dropped)


def _unlike() -> PatchError:
    return PatchError("its recipe does not fit the base", value="patch", todo="fetch it again")
