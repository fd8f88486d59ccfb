"""Cursor paging: `after` is opaque to the client, so that what it holds may change."""

import base64
import binascii

from roadworthy.base.errors import InputError

__all__ = ["LIMIT_MAX", "cursor_of", "next_cursor", "offset_of"]

LIMIT_MAX = 500


def offset_of(after: str | None, limit: int) -> int:
    """Return the offset that a cursor stands for; 0 without one.

    Raises:
        InputError: not a cursor of ours, or the limit is out of range.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise InputError(f"must be 1 to {LIMIT_MAX}", value="limit")
    if not after:
        return 0
    try:
        kind, _, number = base64.urlsafe_b64decode(after.encode()).decode().partition(":")
        if kind == "offset" and number.isdecimal() and len(number) <= 18:  # noqa: PLR2004 - 64 bits
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise InputError("is not a cursor", value="after", todo="give `next` of the page before")


def cursor_of(offset: int) -> str:
    """Return the cursor of an offset."""
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def next_cursor(offset: int, limit: int, found: int) -> str | None:
    """Return the cursor of the next page, or None when this page was not full."""
    return cursor_of(offset + limit) if found == limit else None
