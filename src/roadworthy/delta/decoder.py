"""Applying a patch as a stream that survives a power cut at any byte.

The decoder takes patch bytes in any pieces and gives target bytes as soon as they are known.
Nothing comes out before the hash of the whole base was compared. After every step a hash of
all that came out is compared; the last one is the SHA-256 of the target.

`journal()` is the whole state. After a power cut a new Decoder with that journal goes on:
feed the patch from `patch_offset` on and write what comes out at `target_offset`. A journal
is as large as the workspace of the patch's RAM class, less what compresses away; where that
is too much to write, start again from the first patch byte and skip what is written.
"""

from collections.abc import Iterator

from typing_extensions import Buffer, override

from roadworthy.delta import _codec
from roadworthy.delta.errors import PatchError, error_of
from roadworthy.delta.header import HEADER_BYTES_MAX, PatchHeader, RamClass, inspect
from roadworthy.delta.journals import damaged, seal, unseal
from roadworthy.delta.patch_decoder import PatchDecoder, Progress, ReadBase

__all__ = ["PlainDecoder"]

_PIECE_BYTES = 1 << 16
_MAGIC = b"RWJ1"
_BODY_BYTES_MAX = RamClass.RAM_4M.size_bytes + HEADER_BYTES_MAX
_NEED_INPUT = 1
_DONE = 3


class PlainDecoder(PatchDecoder):
    """One plain patch on its way."""

    def __init__(self, base: Buffer | ReadBase, journal: bytes | None = None) -> None:
        self._base = base
        self._head = b""
        self._header: PatchHeader | None = None
        self._codec: _codec.Decoder | None = None
        self._done = False
        if journal is not None:
            self._resume(_open(journal))

    @override
    def progress(self) -> Progress:
        """Ask the codec, once the header is whole."""
        if self._codec is None:
            return Progress(self._header, len(self._head))
        patch_offset, target_offset, steps, _ = self._codec.progress()
        return Progress(self._header, patch_offset, target_offset, steps, self._done)

    @override
    def stream(self, patch_chunk: Buffer) -> Iterator[bytes]:
        """Decode in pieces that end where a step ends."""
        left = memoryview(patch_chunk).cast("B")
        if self._codec is None:
            left = self._take_head(left)
            if len(self._head) < _codec.header_size(self._head):
                return
            left = memoryview(self._start() + bytes(left))
        status = 0
        while status != _DONE and (left or status != _NEED_INPUT):
            output, used, status = self._run(left)
            left = left[used:]
            self._done = status == _DONE
            if output:
                yield output
        if left:
            raise PatchError("goes on after its end", value="patch", todo="fetch it again")

    @override
    def journal(self) -> bytes:
        """Return the header so far, or all of the codec's state."""
        body = b"\x00" + self._head if self._codec is None else b"\x01" + self._codec.journal()
        return seal(_MAGIC, body)

    def _take_head(self, chunk: memoryview) -> memoryview:
        """Take what belongs to the header, whose length turns out on the way; return the rest."""
        while wanted := min(_codec.header_size(self._head) - len(self._head), len(chunk)):
            self._head += bytes(chunk[:wanted])
            chunk = chunk[wanted:]
        return chunk

    def _start(self) -> bytes:
        self._header = inspect(self._head)
        _check_length(self._base, self._header)
        self._codec = _codec.Decoder(self._base, self._header.workspace_bytes)
        return self._head

    def _run(self, chunk: memoryview, room: int = _PIECE_BYTES) -> tuple[bytes, int, int]:
        if self._codec is None:
            return b"", 0, _NEED_INPUT
        try:
            return self._codec.run(chunk, room)
        except _codec.CodecError as error:
            raise error_of(error.args[0]) from None

    def _resume(self, body: bytes) -> None:
        if body[0] == 0:
            self._head = body[1:]
            return
        try:
            self._codec = _codec.Decoder(self._base, len(body) - 1, body[1:])
        except _codec.CodecError as error:
            raise error_of(error.args[0]) from None
        self._header = inspect(self._codec.header())
        _check_length(self._base, self._header)
        self._done = self._run(memoryview(b""), room=0)[2] == _DONE


def _check_length(base: Buffer | ReadBase, header: PatchHeader) -> None:
    """Refuse a base of another length than the patch names; a function can't be asked."""
    if not callable(base) and memoryview(base).nbytes != header.base_length_bytes:
        raise error_of(-3)


def _open(journal: bytes) -> bytes:
    """Return the body of a journal: a kind byte and the state."""
    body = unseal(_MAGIC, journal, _BODY_BYTES_MAX)
    if not body or body[0] > 1:
        raise damaged()
    if body[0] == 0 and len(body) > _codec.header_size(body[1:]):
        raise damaged()
    return body
