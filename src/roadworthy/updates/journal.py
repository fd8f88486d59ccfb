"""Append-only records that survive a power cut at any byte.

Each record is one line: CRC-32 of the text as eight hex digits, a space, the text. A cut
leaves at most a torn last line; `read_records` returns what is whole and how many bytes that
is, so that the owner can cut the file back before it appends again.
"""

import zlib
from dataclasses import dataclass

__all__ = ["Records", "encode_record", "read_records"]

_CHECK_CHARS = 8


@dataclass(frozen=True, slots=True)
class Records:
    """The whole records of a journal.

    whole_bytes: length of the part that holds them; what follows is torn and to be dropped.
    """

    texts: tuple[bytes, ...]
    whole_bytes: int


def encode_record(text: bytes) -> bytes:
    """Return the line to append; `text` must not hold a line feed (JSON never does)."""
    return b"%08x %b\n" % (zlib.crc32(text), text)


def read_records(data: bytes) -> Records:
    """Return the records up to the first that is torn or damaged; never raises."""
    texts = []
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        line = data[start:end]
        text = line[_CHECK_CHARS + 1 :]
        if line != encode_record(text)[:-1]:
            break
        texts.append(text)
        start = end + 1
    return Records(tuple(texts), start)
