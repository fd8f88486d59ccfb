"""Applying a packed patch as a stream that survives a power cut at any byte.

It goes like a plain patch (`roadworthy.delta.decoder`), in three steps: the header, the recipe,
the image. The base's hash is compared, and that all the recipe needs is there, before the first
target byte comes out. A journal holds the recipe, the journal of the plain patch and what the
repacker has in hand: at most the content of one stream and what it was packed to.
"""

import hashlib
from collections.abc import Iterator

from typing_extensions import Buffer, override

from roadworthy.delta.containers.header import (
    PACKED_HEADER_SIZE_BYTES,
    PackedHeader,
    inspect_packed,
)
from roadworthy.delta.containers.recipe import Kind, Recipe, ZstdStyle, parse
from roadworthy.delta.containers.repacker import Repacker
from roadworthy.delta.containers.virtual_base import VirtualBase
from roadworthy.delta.containers.zstd import check_version, library_version
from roadworthy.delta.decoder import PlainDecoder
from roadworthy.delta.errors import PatchError, error_of
from roadworthy.delta.journals import damaged, seal, unseal
from roadworthy.delta.patch_decoder import PatchDecoder, Progress, ReadBase

__all__ = ["JOURNAL_MAGIC", "PackedDecoder"]

_PIECE_BYTES = 1 << 16
_HASH_BYTES = 1 << 20
_RECIPE_BYTES_MAX = 1 << 24
_JOURNAL_BYTES_MAX = 1 << 27
JOURNAL_MAGIC = b"RWK1"
_WRONG_BASE, _CALLBACK = -3, -5
_RECIPE_PARTS, _IMAGE_PARTS = 3, 4


class PackedDecoder(PatchDecoder):
    """One packed patch on its way."""

    def __init__(self, base: Buffer | ReadBase, journal: bytes | None = None) -> None:
        self._base_bytes = None if callable(base) else memoryview(base).nbytes
        self._read_base = _checked(base if callable(base) else _reader(base))
        self._head = b""
        self._header: PackedHeader | None = None
        self._recipe = bytearray()
        self._recipe_decoder = PlainDecoder(b"")
        self._image: PlainDecoder | None = None
        self._repacker: Repacker | None = None
        if journal is not None:
            self._resume(_open(journal))

    @override
    def progress(self) -> Progress:
        """Add up what the two patches inside tell; a step is one of the image patch."""
        taken = len(self._head) + self._recipe_decoder.patch_offset
        if self._header is None:
            return Progress(patch_offset=taken)
        if self._image is None or self._repacker is None:
            return Progress(self._header.summary, taken)
        before = PACKED_HEADER_SIZE_BYTES + self._header.recipe_length_bytes
        return Progress(
            self._header.summary,
            before + self._image.patch_offset,
            self._repacker.written,
            self._image.steps,
            self._image.done and self._repacker.done,
        )

    @override
    def stream(self, patch_chunk: Buffer) -> Iterator[bytes]:
        """Decode in pieces of at most 64 KiB, which end where a stream or part does."""
        left = self._take_recipe(self._take_head(memoryview(patch_chunk).cast("B")))
        if self._image is None or self._repacker is None:
            return
        yield from self._drain(self._repacker)
        for content in self._image.stream(left):
            self._check_image()
            self._repacker.feed(content)
            yield from self._drain(self._repacker)
        if self._image.done and not self._repacker.done:
            raise PatchError(
                "its image ends before the target is whole", value="patch", todo="fetch it again"
            )

    @override
    def journal(self) -> bytes:
        """Return the header, the recipe, the journal of the patch in hand and the repacker's."""
        parts = [self._head]
        if self._image is not None and self._repacker is not None:
            parts += [bytes(self._recipe), self._image.journal(), self._repacker.state()]
        elif self._header is not None:
            parts += [bytes(self._recipe), self._recipe_decoder.journal()]
        body = b"".join(len(part).to_bytes(4, "little") + part for part in parts)
        return seal(JOURNAL_MAGIC, body)

    @staticmethod
    def _drain(repacker: Repacker) -> Iterator[bytes]:
        while piece := repacker.take(_PIECE_BYTES):
            yield piece

    def _take_head(self, chunk: memoryview) -> memoryview:
        if self._header is None:
            wanted = PACKED_HEADER_SIZE_BYTES - len(self._head)
            self._head += bytes(chunk[:wanted])
            chunk = chunk[wanted:]
            if len(self._head) == PACKED_HEADER_SIZE_BYTES:
                self._header = inspect_packed(self._head)
                self._check_length(self._header)
        return chunk

    def _check_length(self, header: PackedHeader) -> None:
        if self._base_bytes not in (None, header.base_length_bytes):
            raise error_of(_WRONG_BASE)

    def _take_recipe(self, chunk: memoryview) -> memoryview:
        """Feed the recipe patch; once it is whole the image may begin."""
        if self._header is None or self._image is not None:
            return chunk
        wanted = self._header.recipe_length_bytes - self._recipe_decoder.patch_offset
        for piece in self._recipe_decoder.stream(chunk[:wanted]):
            self._recipe += piece
            if len(self._recipe) > _RECIPE_BYTES_MAX:
                raise PatchError("its recipe is too long", value="patch", todo="fetch it again")
        if self._recipe_decoder.patch_offset == self._header.recipe_length_bytes:
            self._recipe_decoder.finish()
            self._begin(self._header)
        return chunk[wanted:]

    def _begin(self, header: PackedHeader) -> None:
        recipe = self._parsed(header)
        self._check_base(header)
        self._image = PlainDecoder(VirtualBase(recipe, self._read_base).read)
        self._repacker = Repacker(recipe, self._read_base, _target(header))

    def _parsed(self, header: PackedHeader) -> Recipe:
        """Read the recipe and check it against the header and what is installed here."""
        recipe = parse(bytes(self._recipe))
        largest = max((p.length for p in recipe.target if p.kind.is_packed), default=0)
        copied = [part for part in recipe.target if part.kind is Kind.COPY]
        if (
            sum(part.length for part in recipe.base) != header.base_length_bytes
            or largest > header.stream_bytes_max
            or any(not 0 <= p.offset <= header.base_length_bytes - p.length for p in copied)
        ):
            raise PatchError(
                "its recipe does not fit its header", value="patch", todo="fetch it again"
            )
        versions = [style.version for style in recipe.styles if isinstance(style, ZstdStyle)]
        if any(part.kind.is_zstd for part in recipe.base):
            versions.append(library_version() or 1)
        for version in versions:
            check_version(version)
        return recipe

    def _check_base(self, header: PackedHeader) -> None:
        running = hashlib.sha256()
        for offset in range(0, header.base_length_bytes, _HASH_BYTES):
            running.update(
                self._read_base(offset, min(_HASH_BYTES, header.base_length_bytes - offset))
            )
        if running.hexdigest() != header.base_sha256:
            raise error_of(_WRONG_BASE)

    def _check_image(self) -> None:
        image = self._image.header if self._image else None
        if image and self._header and image.patch_length_bytes != self._header.image_length_bytes:
            raise PatchError(
                "its image does not fit its header", value="patch", todo="fetch it again"
            )

    def _resume(self, parts: list[bytes]) -> None:
        self._head = parts[0]
        if len(parts) == 1:
            return
        self._header = inspect_packed(self._head)
        self._check_length(self._header)
        self._recipe = bytearray(parts[1])
        if len(parts) == _RECIPE_PARTS:
            self._recipe_decoder = PlainDecoder(b"", parts[2])
            return
        recipe = self._parsed(self._header)
        self._image = PlainDecoder(VirtualBase(recipe, self._read_base).read, parts[2])
        self._repacker = Repacker(recipe, self._read_base, _target(self._header), parts[3])


def _target(header: PackedHeader) -> tuple[int, str]:
    return header.target_length_bytes, header.target_sha256


def _reader(base: Buffer) -> ReadBase:
    view = memoryview(base).cast("B")
    return lambda offset, length: bytes(view[offset : offset + length])


def _checked(read: ReadBase) -> ReadBase:
    """Refuse a reader that gives another number of bytes than it was asked for."""

    def exact(offset: int, length: int) -> bytes:
        got = read(offset, length)
        if len(got) != length:
            raise error_of(_CALLBACK)
        return got

    return exact


def _open(journal: bytes) -> list[bytes]:
    """Return the parts of a journal: the header alone, with a recipe, or with an image."""
    body = unseal(JOURNAL_MAGIC, journal, _JOURNAL_BYTES_MAX)
    parts: list[bytes] = []
    at = 0
    while at < len(body) and len(parts) < _IMAGE_PARTS:
        length = int.from_bytes(body[at : at + 4], "little")
        parts.append(body[at + 4 : at + 4 + length])
        at += 4 + length
    if at != len(body) or len(parts) not in (1, _RECIPE_PARTS, _IMAGE_PARTS):
        raise damaged()
    if len(parts[0]) > PACKED_HEADER_SIZE_BYTES - (len(parts) == 1):
        raise damaged()
    return parts
