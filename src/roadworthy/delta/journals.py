"""How the state of a decoder is sealed as a journal: magic, check, compressed body."""

import hashlib
import zlib

from roadworthy.delta.errors import JournalError

__all__ = ["damaged", "seal", "unseal"]

_MAGIC_BYTES = 4
_CHECK = slice(4, 20)
_BODY = 20


def seal(magic: bytes, body: bytes) -> bytes:
    """Return the journal that holds `body`; `magic` is four bytes that tell its kind."""
    packed = zlib.compress(body, 1)
    return magic + _check(packed) + packed


def unseal(magic: bytes, journal: bytes, body_bytes_max: int) -> bytes:
    """Return the body of a journal.

    Raises:
        JournalError: it is damaged, of another kind, or its body is longer than `body_bytes_max`.
    """
    packed = journal[_BODY:]
    if journal[:_MAGIC_BYTES] != magic or _check(packed) != journal[_CHECK]:
        raise damaged()
    unpack = zlib.decompressobj()
    try:
        body = unpack.decompress(packed, body_bytes_max)
    except zlib.error:
        raise damaged() from None
    if not unpack.eof:
        raise damaged()
    return body


def damaged() -> JournalError:
    """Return the error for a journal that can't be used."""
    return JournalError("is damaged", value="journal", todo="start the patch again")


def _check(packed: bytes) -> bytes:
    return hashlib.sha256(packed).digest()[:16]
