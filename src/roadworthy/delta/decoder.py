"""Applying a patch as a stream that survives a power cut at any byte.

The decoder takes patch bytes in any pieces and gives target bytes as soon as they are known.
Nothing comes out before the hash of the whole base was compared. After every step a hash of
all that came out is compared; the last one is the SHA-256 of the target.

`journal()` is the whole state. After a power cut a new Decoder with that journal goes on:
feed the patch from `patch_offset` on and write what comes out at `target_offset`. A journal
is as large as the workspace of the patch's RAM class, less what compresses away; where that
is too much to write, start again from the first patch byte and skip what is written.
"""

from collections.abc import Callable, Iterator

from typing_extensions import Buffer

from roadworthy.delta import _codec
from roadworthy.delta.errors import PatchError, error_of
from roadworthy.delta.header import HEADER_BYTES_MAX, PatchHeader, RamClass, inspect
from roadworthy.delta.journals import cut_short, damaged, seal, unseal

__all__ = ["Decoder", "ReadBase"]

ReadBase = Callable[[int, int], bytes]
"""Returns exactly `length` bytes of the base at `offset`: called with (offset, length)."""

_PIECE_BYTES = 1 << 16
_MAGIC = b"RWJ1"
_BODY_BYTES_MAX = RamClass.RAM_4M.size_bytes + HEADER_BYTES_MAX
_NEED_INPUT = 1
_DONE = 3


class Decoder:
    """One patch on its way.

    Args:
        base: the base itself (any bytes, mapped files too) or a function that reads it; the
            function is only asked for bytes inside the length that the patch names. With the
            base itself, other threads run while this one decodes.
        journal: what `journal()` gave before the power cut, or None to start.

    Raises:
        JournalError: the journal is damaged or not one of this decoder.
    """

    def __init__(self, base: Buffer | ReadBase, journal: bytes | None = None) -> None:
        self._base = base
        self._head = b""
        self._header: PatchHeader | None = None
        self._codec: _codec.Decoder | None = None
        self._done = False
        if journal is not None:
            self._resume(_open(journal))

    @property
    def header(self) -> PatchHeader | None:
        """Header of the patch, None until all of it was fed."""
        return self._header

    @property
    def patch_offset(self) -> int:
        """Patch bytes taken; after a resume feed from here on."""
        return self._codec.progress()[0] if self._codec else len(self._head)

    @property
    def target_offset(self) -> int:
        """Target bytes that came out; after a resume write from here on."""
        return self._codec.progress()[1] if self._codec else 0

    @property
    def steps(self) -> int:
        """Steps whose hash was compared: a change is a good moment to journal."""
        return self._codec.progress()[2] if self._codec else 0

    @property
    def done(self) -> bool:
        """Whether the target is whole and its SHA-256 was compared."""
        return self._done

    def feed(self, patch_chunk: Buffer) -> bytes:
        """Take the next patch bytes and return the target bytes they make.

        Raises:
            PatchError: the patch is malformed or goes on after its end.
            WrongBaseError: the base is not the one that the patch names.
            TargetMismatchError: what came out is not the target.
            StoreError: the base gave another number of bytes than asked for.
        """
        return b"".join(self.stream(patch_chunk))

    def stream(self, patch_chunk: Buffer) -> Iterator[bytes]:
        """Like `feed`, in pieces of at most 64 KiB that end where a step ends.

        A journal may be taken between pieces; `patch_offset` then counts only what was taken.
        """
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

    def finish(self) -> None:
        """Confirm that the target is whole.

        Raises:
            PatchError: the patch was cut short.
        """
        if not self._done:
            raise cut_short(self.patch_offset)

    def journal(self) -> bytes:
        """Return the whole state, from which another Decoder goes on."""
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
