"""What to unpack: streams that occur in both images stay packed, the others are unpacked.

A stream that is the same in both images is copied. One of the target that is new is unpacked when
it can be packed again exactly, and then those of the base that are not in the target are unpacked
too, since the new content is most like theirs. All else stays as it is.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from typing_extensions import Buffer

from roadworthy.delta import _deflate
from roadworthy.delta.containers.finder import find_pieces
from roadworthy.delta.containers.layout import VirtualImage, is_head
from roadworthy.delta.containers.pieces import Piece
from roadworthy.delta.containers.recipe import (
    PARTS_MAX,
    BasePart,
    Kind,
    Recipe,
    TargetPart,
)
from roadworthy.delta.containers.repacking import Repacking, contents
from roadworthy.delta.mapped import forget
from roadworthy.delta.scratch import OpenScratch, Scratch

__all__ = ["Plan", "plan"]

_LARGE_BYTES = 64 << 20
_LARGE_SHARE = 256
_FORGET_BYTES = 1 << 24

Key = tuple[Kind, bytes]
"""Kind and hash of a piece: equal pieces have equal ones."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe and the two images between which the image patch is made.

    block_bytes: length of the squashfs blocks that are new in the target; a plain patch holds
        about as much.
    """

    recipe: Recipe
    virtual_base: Buffer
    virtual_target: Buffer
    block_bytes: int


@dataclass
class _Target:
    """The target's parts and its virtual image, as they grow."""

    image: bytes
    content: VirtualImage
    parts: list[TargetPart] = field(default_factory=list)
    repacked: int = 0
    block_bytes: int = 0

    def copy(self, offset: int, length: int) -> None:
        before = self.parts[-1] if self.parts else None
        if before and before.kind is Kind.COPY and before.offset + before.length == offset:
            self.parts[-1] = TargetPart(Kind.COPY, before.length + length, before.offset)
        else:
            self.parts.append(TargetPart(Kind.COPY, length, offset))

    def gap(self, length: int) -> None:
        if length:
            self.parts.append(TargetPart(Kind.GAP, length))

    def between(self, before: Piece | None, after: Piece | None) -> None:
        offset, end = _between(self.image, before, after)
        if is_head(before, after):
            head = bytes(self.image[offset:end])
            self.parts.append(TargetPart(Kind.LITERAL, len(head), literal=head))
        elif offset < end:
            self.gap(self.content.raw_gap(offset, end - offset, before.kind if before else None))
            self.parts.append(TargetPart(Kind.RAW, end - offset))
            self.content.append(memoryview(self.image)[offset:end])

    def unpacked(self, piece: Piece, parts: list[TargetPart]) -> None:
        self.gap(self.content.stream_gap(sum(part.length for part in parts)))
        self.repacked += 1
        self.block_bytes += piece.length if piece.kind.is_block else 0
        self.parts += parts
        for content in contents(self.image, piece):
            self.content.append(content)

    def fill(self, pieces: list[Piece], sources: list[Piece | None], repacking: Repacking) -> None:
        """Build all of it; a piece that has a source in the base is copied from there."""
        before: Piece | None = None
        for piece, source in zip(_passing(self.image, pieces), sources, strict=True):
            parts = None if source else repacking.of(self.image, piece)
            if not source and parts is None:
                continue
            self.between(before, piece)
            if parts is not None:
                self.unpacked(piece, parts)
            elif source:
                self.copy(source.offset, source.length)
            before = piece
        self.between(before, None)
        forget(self.image)


@dataclass
class _Base:
    """The base's parts and its virtual image, as they grow."""

    image: bytes
    content: VirtualImage
    parts: list[BasePart] = field(default_factory=list)

    def leave_out(self, length: int) -> None:
        before = self.parts[-1] if self.parts else None
        if before and before.kind is Kind.COPY:
            self.parts[-1] = BasePart(Kind.COPY, before.length + length, 0)
        else:
            self.parts.append(BasePart(Kind.COPY, length, 0))

    def gap(self, length: int) -> None:
        if length:
            self.parts.append(BasePart(Kind.GAP, 0, length))

    def between(self, before: Piece | None, after: Piece | None) -> None:
        offset, end = _between(self.image, before, after)
        if is_head(before, after):
            self.leave_out(end - offset)
        elif offset < end:
            self.gap(self.content.raw_gap(offset, end - offset, before.kind if before else None))
            self.parts.append(BasePart(Kind.RAW, end - offset, end - offset))
            self.content.append(memoryview(self.image)[offset:end])

    def unpacked(self, piece: Piece, length: int) -> None:
        self.gap(self.content.stream_gap(length))
        self.parts.append(BasePart(piece.kind, piece.length, length))
        for content in contents(self.image, piece):
            self.content.append(content)

    def fill(self, pieces: list[Piece], left_out: list[bool], *, zstd: bool) -> None:
        """Build all of it; what is not left out is unpacked."""
        before: Piece | None = None
        for piece, is_left_out in zip(_passing(self.image, pieces), left_out, strict=True):
            readable = not is_left_out and (zstd or not piece.kind.is_zstd)
            length = _unpacked_bytes(self.image, piece) if readable else None
            if length is None and not is_left_out:
                continue
            self.between(before, piece)
            if length is None:
                self.leave_out(piece.length)
            else:
                self.unpacked(piece, length)
            before = piece
        self.between(before, None)
        forget(self.image)


def plan(
    base: bytes, target: bytes, *, zstd: bool, scratch: OpenScratch | None = None
) -> Plan | None:
    """Return what to unpack, or None where nothing is worth it.

    Images that are mapped files are let go of meanwhile.

    Args:
        base: the old image.
        target: the new image.
        zstd: whether the receiving side has the Zstandard library of this side's version.
        scratch: opens files for the unpacked images; None keeps them in memory.

    Raises:
        StoreError: a file can't be opened, written or mapped.
    """
    target_pieces = find_pieces(target)
    if not target_pieces:
        return None
    base_pieces = find_pieces(base)
    base_keys, target_keys = _keys(base, base_pieces), _keys(target, target_pieces)
    places = dict(zip(reversed(base_keys), reversed(base_pieces), strict=True))
    pairs = zip(target_pieces, target_keys, strict=True)
    changed = sum(piece.length for piece, key in pairs if key not in places)
    if changed < _worth(target):
        return None
    wanted = set(target_keys)
    sources = [places.get(key) for key in target_keys]
    left_out = [key in wanted for key in base_keys]
    repacking = Repacking(zstd)
    with Scratch(scratch) as old_content, Scratch(scratch) as new_content:
        old = _Base(base, VirtualImage(old_content))
        new = _Target(target, VirtualImage(new_content))
        new.fill(target_pieces, sources, repacking)
        if not new.repacked:
            return None
        old.fill(base_pieces, left_out, zstd=zstd)
        if max(len(old.parts), len(new.parts)) > PARTS_MAX:
            return None
        recipe = Recipe(tuple(repacking.styles), tuple(old.parts), tuple(new.parts))
        return Plan(recipe, old_content.image(), new_content.image(), new.block_bytes)


def _between(image: bytes, before: Piece | None, after: Piece | None) -> tuple[int, int]:
    return before.end if before else 0, after.offset if after else len(image)


def _worth(target: bytes) -> int:
    """Return how many changed bytes make unpacking worth it: it takes both images' memory."""
    return len(target) // _LARGE_SHARE if len(target) > _LARGE_BYTES else 1


def _passing(image: bytes, pieces: list[Piece]) -> Iterator[Piece]:
    """Yield the pieces in order and let go of what was read of a mapped file on the way."""
    forgotten = 0
    for piece in pieces:
        if piece.offset - forgotten >= _FORGET_BYTES:
            forget(image)
            forgotten = piece.offset
        yield piece
    forget(image)


def _keys(data: bytes, pieces: list[Piece]) -> list[Key]:
    view = memoryview(data)
    return [
        (piece.kind, hashlib.blake2b(view[piece.offset : piece.end], digest_size=16).digest())
        for piece in _passing(data, pieces)
    ]


def _unpacked_bytes(data: bytes, piece: Piece) -> int | None:
    try:
        return sum(len(content) for content in contents(data, piece))
    except _deflate.DeflateError:
        return None
