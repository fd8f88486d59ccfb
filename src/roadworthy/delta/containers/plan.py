"""What to unpack: streams that occur in both images stay packed, the others are unpacked.

A stream that is the same in both images is copied. One of the target that is new is unpacked when
it can be packed again exactly, and then those of the base that are not in the target are unpacked
too, since the new content is most like theirs. All else stays as it is.
"""

import hashlib
from dataclasses import dataclass, field

from roadworthy.delta import _deflate
from roadworthy.delta.containers.finder import find_pieces
from roadworthy.delta.containers.pieces import Piece
from roadworthy.delta.containers.recipe import (
    PARTS_MAX,
    BasePart,
    Kind,
    Recipe,
    TargetPart,
)
from roadworthy.delta.containers.repacking import Repacking, block_content, segments

__all__ = ["Plan", "plan"]

_LARGE_BYTES = 64 << 20
_LARGE_SHARE = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe and the two images between which the image patch is made.

    block_bytes: length of the squashfs blocks that are new in the target; a plain patch holds
        about as much.
    """

    recipe: Recipe
    virtual_base: bytes
    virtual_target: bytes
    block_bytes: int


@dataclass
class _Target:
    """The target's parts and its virtual image, as they grow."""

    parts: list[TargetPart] = field(default_factory=list)
    content: list[bytes] = field(default_factory=list)
    repacked: int = 0
    block_bytes: int = 0

    def copy(self, offset: int, length: int) -> None:
        before = self.parts[-1] if self.parts else None
        if before and before.kind is Kind.COPY and before.offset + before.length == offset:
            self.parts[-1] = TargetPart(Kind.COPY, before.length + length, before.offset)
        else:
            self.parts.append(TargetPart(Kind.COPY, length, offset))

    def raw(self, data: bytes) -> None:
        if not data:
            return
        before = self.parts[-1] if self.parts else None
        if before and before.kind is Kind.RAW:
            self.parts[-1] = TargetPart(Kind.RAW, before.length + len(data))
        else:
            self.parts.append(TargetPart(Kind.RAW, len(data)))
        self.content.append(data)


def plan(base: bytes, target: bytes, *, zstd: bool) -> Plan | None:
    """Return what to unpack, or None where nothing is worth it.

    zstd: whether the receiving side has the Zstandard library of this side's version.
    """
    target_pieces = find_pieces(target)
    if not target_pieces:
        return None
    base_pieces = find_pieces(base)
    places = {_key(base, piece): piece for piece in reversed(base_pieces)}
    wanted = {_key(target, piece) for piece in target_pieces}
    changed = sum(each.length for each in target_pieces if _key(target, each) not in places)
    if changed < _worth(target):
        return None
    repacking = Repacking(zstd)
    built = _target_parts(target, target_pieces, places, repacking)
    if not built.repacked:
        return None
    parts, content = _base_parts(base, base_pieces, wanted, zstd=zstd)
    if max(len(parts), len(built.parts)) > PARTS_MAX:
        return None
    recipe = Recipe(tuple(repacking.styles), tuple(parts), tuple(built.parts))
    return Plan(recipe, b"".join(content), b"".join(built.content), built.block_bytes)


def _worth(target: bytes) -> int:
    """Return how many changed bytes make unpacking worth it: it takes both images' memory."""
    return len(target) // _LARGE_SHARE if len(target) > _LARGE_BYTES else 1


def _key(data: bytes, piece: Piece) -> tuple[Kind, bytes]:
    packed = memoryview(data)[piece.offset : piece.end]
    return piece.kind, hashlib.blake2b(packed, digest_size=16).digest()


def _target_parts(
    target: bytes,
    pieces: list[Piece],
    places: dict[tuple[Kind, bytes], Piece],
    repacking: Repacking,
) -> _Target:
    built, at = _Target(), 0
    for piece in pieces:
        built.raw(target[at : piece.offset])
        at = piece.end
        same = places.get(_key(target, piece))
        if same:
            built.copy(same.offset, same.length)
            continue
        packed = repacking.of(target, piece)
        if packed is None:
            built.raw(target[piece.offset : piece.end])
            continue
        built.repacked += 1
        built.block_bytes += 0 if piece.kind is Kind.DEFLATE else piece.length
        built.parts += (part for part, _ in packed)
        built.content += (content for _, content in packed)
    built.raw(target[at:])
    return built


def _base_parts(
    base: bytes, pieces: list[Piece], wanted: set[tuple[Kind, bytes]], *, zstd: bool
) -> tuple[list[BasePart], list[bytes]]:
    parts: list[BasePart] = []
    content: list[bytes] = []

    def add(kind: Kind, length: int, unpacked: bytes) -> None:
        before = parts[-1] if parts else None
        if before and before.kind is kind and not kind.is_packed:
            parts[-1] = BasePart(kind, before.length + length, before.content + len(unpacked))
        elif length:
            parts.append(BasePart(kind, length, len(unpacked)))
        content.append(unpacked)

    at = 0
    for piece in pieces:
        add(Kind.RAW, piece.offset - at, base[at : piece.offset])
        at = piece.end
        if _key(base, piece) in wanted:
            add(Kind.COPY, piece.length, b"")
            continue
        unpacked = None if piece.kind.is_zstd and not zstd else _unpacked(base, piece)
        if unpacked is None:
            add(Kind.RAW, piece.length, base[piece.offset : piece.end])
        else:
            add(piece.kind, piece.length, unpacked)
    add(Kind.RAW, len(base) - at, base[at:])
    return parts, content


def _unpacked(data: bytes, piece: Piece) -> bytes | None:
    if piece.kind is not Kind.DEFLATE:
        return block_content(data, piece)
    try:
        return b"".join(segment.content for segment in segments(data, piece))
    except _deflate.DeflateError:
        return None
