"""Plain or packed: makes the shorter patch, applies whichever it is.

A plain patch takes the images as they are, a packed one unpacks what is compressed in them
(`roadworthy.delta.containers`). Their first four bytes tell them apart, and so do those of their
journals.
"""

from collections.abc import Iterable, Iterator
from typing import cast

from typing_extensions import Buffer, override

from roadworthy.delta import header, maker
from roadworthy.delta.containers import (
    JOURNAL_MAGIC,
    MAGIC,
    PACKED_FORMAT_VERSION,
    PACKED_HEADER_SIZE_BYTES,
    PackedDecoder,
    inspect_packed,
    make_packed,
)
from roadworthy.delta.decoder import PlainDecoder
from roadworthy.delta.header import PatchHeader
from roadworthy.delta.maker import MakeOptions, Patch
from roadworthy.delta.patch_decoder import PatchDecoder, Progress, ReadBase

__all__ = ["HEADER_BYTES_MAX", "PATCH_FORMAT", "Decoder", "apply", "inspect", "make"]

HEADER_BYTES_MAX = max(header.HEADER_BYTES_MAX, PACKED_HEADER_SIZE_BYTES)
"""As many first bytes of any patch as hold its header."""
PATCH_FORMAT = f"{header.FORMAT_VERSION}.{PACKED_FORMAT_VERSION}"
"""Versions of plain and packed patches; others are not read here."""

_UNDECIDED = b"RWJ0"


def make(base: Buffer, target: Buffer, options: MakeOptions | None = None) -> Patch:
    """Return the shortest patch that turns `base` into `target`.

    The same arguments always give the same patch. A patch is never more than its header and
    1/500 longer than the target. The interpreter is free for other threads meanwhile.

    Args:
        base: the image that the receiving side has; any bytes, mapped files too.
        target: the image that it shall have.
        options: how to make the patch; None takes the defaults.

    Raises:
        PatchError: an image is longer than 1.75 GiB or than the region.
        StoreError: there is not enough memory, or a scratch file fails.
    """
    packed = make_packed(base, target, options)
    if packed is None:
        return maker.make(base, target, options)
    unpacking = Patch(packed.data, packed.header.summary)
    if packed.is_shortest:
        return unpacking
    plain = maker.make(base, target, options)
    return unpacking if len(unpacking.data) < len(plain.data) else plain


def inspect(data: Buffer) -> PatchHeader:
    """Read the header of a patch; `data` may be the whole patch or its first `HEADER_BYTES_MAX`.

    Raises:
        PatchError: `data` is not the start of a patch that this decoder knows.
    """
    packed = bytes(memoryview(data).cast("B")[: len(MAGIC)]) == MAGIC
    return inspect_packed(data).summary if packed else header.inspect(data)


class Decoder(PatchDecoder):
    """One patch on its way, plain or packed: its first bytes, or the journal's, tell which.

    Args:
        base: the base itself (any bytes, mapped files too) or a function that reads it; the
            function is only asked for bytes inside the length that the patch names, and gives
            what there is of them. With the base itself, other threads run while this one decodes.
        journal: what `journal()` gave before the power cut, or None to start.

    Raises:
        JournalError: the journal is damaged or not one of this decoder.
    """

    def __init__(self, base: Buffer | ReadBase, journal: bytes | None = None) -> None:
        self._base = base
        self._first = b""
        self._machine: PatchDecoder | None = None
        if journal is None:
            return
        if journal[:4] == _UNDECIDED and len(journal) < len(_UNDECIDED) + len(MAGIC):
            self._first = journal[4:]
        elif journal[:4] == JOURNAL_MAGIC:
            self._machine = PackedDecoder(base, journal)
        else:
            self._machine = PlainDecoder(base, journal)

    @override
    def progress(self) -> Progress:
        """Ask the decoder of this kind of patch, once it is known."""
        return self._machine.progress() if self._machine else Progress(None, len(self._first))

    @override
    def stream(self, patch_chunk: Buffer) -> Iterator[bytes]:
        """Find out the kind of patch, then have it decoded."""
        chunk = memoryview(patch_chunk).cast("B")
        if self._machine is None:
            wanted = len(MAGIC) - len(self._first)
            self._first += bytes(chunk[:wanted])
            chunk = chunk[wanted:]
            if len(self._first) < len(MAGIC):
                return
            packed = self._first == MAGIC
            self._machine = PackedDecoder(self._base) if packed else PlainDecoder(self._base)
            yield from self._machine.stream(self._first)
        yield from self._machine.stream(chunk)

    @override
    def journal(self) -> bytes:
        """Return the journal of the decoder of this kind of patch, or the few bytes before it."""
        return self._machine.journal() if self._machine else _UNDECIDED + self._first


def apply(base: Buffer | ReadBase, patch: Buffer | Iterable[Buffer]) -> Iterator[bytes]:
    """Yield the target of a patch, in pieces of at most 64 KiB, as soon as they are known.

    What was yielded is the target only when the iterator ends without an error. Where the power
    may fail on the way, use a Decoder and its journals.

    Args:
        base: the base itself (any bytes, mapped files too) or a function that reads it.
        patch: the patch, whole or in pieces of any size.

    Raises:
        PatchError: the patch is malformed, cut short or too long.
        WrongBaseError: the base is not the one that the patch names; nothing was yielded.
        TargetMismatchError: what came out is not the target.
        StoreError: the base can't be read.
    """
    machine = Decoder(base)
    for piece in _pieces(patch):
        yield from machine.stream(piece)
    machine.finish()


def _pieces(patch: Buffer | Iterable[Buffer]) -> Iterable[Buffer]:
    """Tell one buffer from many: before Python 3.12 not every buffer is a `Buffer` at run time."""
    try:
        return [memoryview(cast("Buffer", patch))]
    except TypeError:
        return cast("Iterable[Buffer]", patch)
