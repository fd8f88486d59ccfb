"""A recipe: which parts of the base are unpacked, and how the target is packed again.

The image patch turns one virtual image into another. The base's parts say what of the base the
first one holds; the target's parts say how the bytes of the second one become the target.

    kind            part of the base                    part of the target
    RAW             its bytes                           the next bytes of the virtual target
    COPY            left out                            bytes of the base, as they stand there
    DEFLATE         content of a bare deflate stream    one segment of such a stream
    ZLIB            content of a zlib stream            a zlib stream
    ZLIB_METADATA   content of a squashfs metadata      such a block: its length in two bytes,
                    block packed by zlib                then a zlib stream
    ZSTD            content of a Zstandard frame        a frame
    ZSTD_METADATA   content of a metadata block         such a block, then a frame
    GAP             no bytes; adds zeros                bytes of the virtual target that are dropped
    LITERAL         none                                bytes that stand in the recipe

All numbers of one meaning stand together, because that is shorter once it is compressed.
"""

from dataclasses import dataclass
from enum import IntEnum

from roadworthy.delta.containers.varints import VarintReader, put_varint
from roadworthy.delta.errors import PatchError

__all__ = [
    "BLOCK_BYTES_MAX",
    "GAP_BYTES_MAX",
    "PARTS_MAX",
    "SEGMENT_BYTES_MAX",
    "BasePart",
    "DeflateStyle",
    "Kind",
    "Recipe",
    "Rule",
    "Style",
    "TargetPart",
    "ZstdStyle",
    "pack",
    "parse",
]

BLOCK_BYTES_MAX = 1 << 20
SEGMENT_BYTES_MAX = 1 << 24
GAP_BYTES_MAX = 4095
PARTS_MAX = 1 << 18
_IMAGE_BYTES_MAX = 0x6FFFFFFF
_STYLES_MAX = 64
_STYLE_NUMBER_MAX = 1 << 24
_DEFLATE_NUMBERS = 10
_BYTE_MAX, _WORD_MAX = 0xFF, 0xFFFF

Rule = tuple[int, int, int, int, int, int, int, int, int]
"""fast, early, hash bits, window bits, good, lazy, nice, chain, tokens of a block: how an encoder
of zlib's family chooses (csrc/deflate/rw_deflate.h)."""


class Kind(IntEnum):
    """What a part is."""

    RAW = 0
    COPY = 1
    DEFLATE = 2
    ZLIB = 3
    ZLIB_METADATA = 4
    ZSTD = 5
    ZSTD_METADATA = 6
    GAP = 7
    LITERAL = 16

    @property
    def is_packed(self) -> bool:
        """Whether the part is a compressed stream."""
        return self is Kind.DEFLATE or self.is_block

    @property
    def is_block(self) -> bool:
        """Whether the part is a block of a squashfs, which is packed at once."""
        return Kind.ZLIB <= self <= Kind.ZSTD_METADATA

    @property
    def is_metadata(self) -> bool:
        """Whether two bytes with its length stand before the stream."""
        return self in (Kind.ZLIB_METADATA, Kind.ZSTD_METADATA)

    @property
    def is_zstd(self) -> bool:
        """Whether the stream is a Zstandard frame."""
        return self in (Kind.ZSTD, Kind.ZSTD_METADATA)


_KINDS = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class DeflateStyle:
    """How a deflate stream is packed; `head` are the two bytes before it in a zlib stream."""

    rule: Rule
    head: int


@dataclass(frozen=True, slots=True)
class ZstdStyle:
    """How a Zstandard frame is packed: level and the library's version, as major * 10000 + ..."""

    level: int
    version: int


Style = DeflateStyle | ZstdStyle


@dataclass(frozen=True, slots=True)
class BasePart:
    """The next `length` bytes of the base, which add `content` bytes to the virtual base.

    A gap's length is 0.
    """

    kind: Kind
    length: int
    content: int


@dataclass(frozen=True, slots=True)
class TargetPart:
    """The next bytes of the target.

    length: bytes taken from the virtual target, or copied from the base at `offset`.
    style: index into the recipe's styles.
    corrections: where a deflate stream differs from what its style predicts.
    last: whether a bare deflate stream ends with this segment.
    literal: the bytes themselves, of a LITERAL part.
    """

    kind: Kind
    length: int
    offset: int = 0
    style: int = 0
    corrections: bytes = b""
    last: bool = True
    literal: bytes = b""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All parts of base and target, in order."""

    styles: tuple[Style, ...]
    base: tuple[BasePart, ...]
    target: tuple[TargetPart, ...]


def pack(recipe: Recipe) -> bytes:
    """Return a recipe as bytes."""
    out = bytearray()
    put_varint(out, len(recipe.styles))
    for style in recipe.styles:
        if isinstance(style, DeflateStyle):
            _put_all(out, [0, *style.rule, style.head])
        else:
            _put_all(out, [1, style.level, style.version])
    put_varint(out, len(recipe.base))
    put_varint(out, len(recipe.target))
    out += bytes(part.kind for part in recipe.base)
    out += bytes(part.kind | (0 if part.last else 8) for part in recipe.target)
    for column in _columns(recipe):
        _put_all(out, column)
    out += b"".join(part.corrections + part.literal for part in recipe.target)
    return bytes(out)


def _put_all(out: bytearray, numbers: list[int]) -> None:
    for number in numbers:
        put_varint(out, number)


def _columns(recipe: Recipe) -> list[list[int]]:
    base = recipe.base
    packed = [part for part in recipe.target if part.kind.is_packed]
    offsets, expected = [], 0
    for part in recipe.target:
        if part.kind is Kind.COPY:
            step = part.offset - expected
            offsets.append(step * 2 if step >= 0 else -step * 2 - 1)
            expected = part.offset + part.length
    return [
        [part.content if part.kind is Kind.GAP else part.length for part in base],
        [part.content for part in base if part.kind.is_packed],
        [part.length for part in recipe.target],
        offsets,
        [part.style for part in packed],
        [len(part.corrections) for part in packed],
    ]


def parse(data: bytes) -> Recipe:
    """Read a recipe and check all that does not depend on the images.

    Raises:
        PatchError: it is malformed, or asks for more parts or memory than a decoder gives.
    """
    reader = VarintReader(data)
    styles = tuple(_style(reader) for _ in range(reader.number(_STYLES_MAX)))
    base_count, target_count = reader.numbers(2, PARTS_MAX)
    base_kinds = [_kind(byte) for byte in reader.take(base_count)]
    marks = reader.take(target_count)
    base = _base_parts(reader, base_kinds)
    target = _target_parts(reader, marks)
    if reader.left:
        raise _malformed("has bytes after its end")
    _check(styles, base, target)
    return Recipe(styles, tuple(base), tuple(target))


def _malformed(what: str) -> PatchError:
    return PatchError(f"its recipe {what}", value="patch", todo="fetch it again")


def _kind(byte: int) -> Kind:
    if byte not in _KINDS:
        raise _malformed("names a kind of part that this decoder does not know")
    return _KINDS[byte]


def _style(reader: VarintReader) -> Style:
    if reader.number(1):
        return ZstdStyle(*reader.numbers(2, _STYLE_NUMBER_MAX))
    numbers = reader.numbers(_DEFLATE_NUMBERS, _STYLE_NUMBER_MAX)
    fast, early, hash_bits, window_bits, good, lazy, nice, chain, limit, head = numbers
    rule = (fast, early, hash_bits, window_bits, good, lazy, nice, chain, limit)
    if max(rule[:4]) > _BYTE_MAX or max(*rule[4:8], head) > _WORD_MAX:
        raise _malformed("has a style out of range")
    return DeflateStyle(rule, head)


def _base_parts(reader: VarintReader, kinds: list[Kind]) -> list[BasePart]:
    lengths = reader.numbers(len(kinds), _IMAGE_BYTES_MAX)
    packed = reader.numbers(sum(kind.is_packed for kind in kinds), _IMAGE_BYTES_MAX)
    contents = iter(packed)
    parts = []
    for kind, length in zip(kinds, lengths, strict=True):
        content = next(contents) if kind.is_packed else 0 if kind is Kind.COPY else length
        parts.append(BasePart(kind, 0 if kind is Kind.GAP else length, content))
    return parts


def _target_parts(reader: VarintReader, marks: bytes) -> list[TargetPart]:
    kinds = [_kind(mark & ~8) for mark in marks]
    lengths = reader.numbers(len(kinds), _IMAGE_BYTES_MAX)
    steps = reader.numbers(sum(kind is Kind.COPY for kind in kinds), 2 * _IMAGE_BYTES_MAX)
    packed = sum(kind.is_packed for kind in kinds)
    styles = iter(reader.numbers(packed, _STYLES_MAX))
    sizes = iter(reader.numbers(packed, reader.left))
    parts, expected, offsets = [], 0, iter(steps)
    for kind, mark, length in zip(kinds, marks, lengths, strict=True):
        if kind is Kind.COPY:
            step = next(offsets)
            offset = expected + (-(step + 1 >> 1) if step & 1 else step >> 1)
            expected = offset + length
            parts.append(TargetPart(kind, length, offset))
        elif kind is Kind.LITERAL:
            parts.append(TargetPart(kind, length, literal=reader.take(length)))
        elif not kind.is_packed:
            parts.append(TargetPart(kind, length))
        else:
            corrections = reader.take(next(sizes))
            last = not mark & 8
            parts.append(TargetPart(kind, length, 0, next(styles), corrections, last))
    return parts


def _check(styles: tuple[Style, ...], base: list[BasePart], target: list[TargetPart]) -> None:
    _check_base(base)
    inside = False
    for step in target:
        if step.kind is Kind.GAP and step.length > GAP_BYTES_MAX:
            raise _malformed("has a gap that is too large")
        if (inside or not step.last) and step.kind is not Kind.DEFLATE:
            raise _malformed("leaves a deflate stream open")
        inside = not step.last
        if step.kind.is_packed:
            _check_packed(styles, step)
    if inside:
        raise _malformed("leaves a deflate stream open")


def _check_base(parts: list[BasePart]) -> None:
    if sum(part.content for part in parts) > _IMAGE_BYTES_MAX:
        raise _malformed("unpacks more than a decoder takes")
    for part in parts:
        if part.kind is Kind.LITERAL:
            raise _malformed("adds bytes of its own to the base")
        if part.kind.is_block and part.content > BLOCK_BYTES_MAX:
            raise _malformed("has a block that is too large")
        if part.kind is Kind.GAP and part.content > GAP_BYTES_MAX:
            raise _malformed("has a gap that is too large")


def _check_packed(styles: tuple[Style, ...], part: TargetPart) -> None:
    most = SEGMENT_BYTES_MAX if part.kind is Kind.DEFLATE else BLOCK_BYTES_MAX
    wanted = ZstdStyle if part.kind.is_zstd else DeflateStyle
    if part.length > most:
        raise _malformed("has a block that is too large")
    if part.style >= len(styles) or not isinstance(styles[part.style], wanted):
        raise _malformed("packs a block in a style that it does not have")
