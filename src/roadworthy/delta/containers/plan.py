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

    content: Scratch
    parts: list[TargetPart] = field(default_factory=list)
    repacked: int = 0
    block_bytes: int = 0

    def copy(self, offset: int, length: int) -> None:
        before = self.parts[-1] if self.parts else None
        if before and before.kind is Kind.COPY and before.offset + before.length == offset:
            self.parts[-1] = TargetPart(Kind.COPY, before.length + length, before.offset)
        else:
            self.parts.append(TargetPart(Kind.COPY, length, offset))

    def raw(self, data: memoryview) -> None:
        if not data:
            return
        before = self.parts[-1] if self.parts else None
        if before and before.kind is Kind.RAW:
            self.parts[-1] = TargetPart(Kind.RAW, before.length + len(data))
        else:
            self.parts.append(TargetPart(Kind.RAW, len(data)))
        self.content.append(data)

    def fill(
        self,
        target: bytes,
        pieces: list[Piece],
        sources: list[Piece | None],
        repacking: Repacking,
    ) -> None:
        """Build all of it; a piece that has a source in the base is copied from there."""
        at, view = 0, memoryview(target)
        for piece, source in zip(_passing(target, pieces), sources, strict=True):
            self.raw(view[at : piece.offset])
            at = piece.end
            if source:
                self.copy(source.offset, source.length)
                continue
            parts = repacking.of(target, piece)
            if parts is None:
                self.raw(view[piece.offset : piece.end])
                continue
            self.repacked += 1
            self.block_bytes += 0 if piece.kind is Kind.DEFLATE else piece.length
            self.parts += parts
            for content in contents(target, piece):
                self.content.append(content)
        self.raw(view[at:])
        forget(target)


@dataclass
class _Base:
    """The base's parts and its virtual image, as they grow."""

    content: Scratch
    parts: list[BasePart] = field(default_factory=list)

    def add(self, kind: Kind, length: int, content_bytes: int) -> None:
        before = self.parts[-1] if self.parts else None
        if before and before.kind is kind and not kind.is_packed:
            all_content = before.content + content_bytes
            self.parts[-1] = BasePart(kind, before.length + length, all_content)
        elif length:
            self.parts.append(BasePart(kind, length, content_bytes))

    def raw(self, data: memoryview) -> None:
        self.add(Kind.RAW, len(data), len(data))
        self.content.append(data)

    def fill(self, base: bytes, pieces: list[Piece], left_out: list[bool], *, zstd: bool) -> None:
        """Build all of it; what is not left out is unpacked."""
        at, view = 0, memoryview(base)
        for piece, is_left_out in zip(_passing(base, pieces), left_out, strict=True):
            self.raw(view[at : piece.offset])
            at = piece.end
            if is_left_out:
                self.add(Kind.COPY, piece.length, 0)
                continue
            length = None if piece.kind.is_zstd and not zstd else _unpacked_bytes(base, piece)
            if length is None:
                self.raw(view[piece.offset : piece.end])
                continue
            self.add(piece.kind, piece.length, length)
            for content in contents(base, piece):
                self.content.append(content)
        self.raw(view[at:])
        forget(base)


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
        old, new = _Base(old_content), _Target(new_content)
        new.fill(target, target_pieces, sources, repacking)
        if not new.repacked:
            return None
        old.fill(base, base_pieces, left_out, zstd=zstd)
        if max(len(old.parts), len(new.parts)) > PARTS_MAX:
            return None
        recipe = Recipe(tuple(repacking.styles), tuple(old.parts), tuple(new.parts))
        return Plan(recipe, old_content.image(), new_content.image(), new.block_bytes)


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
