"""Ids that a person or program chooses for releases and campaigns."""

import re

from roadworthy.base.errors import InputError

__all__ = ["check_id"]

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_id(text: str, value: str) -> str:
    """Return an id of up to 64 lower-case letters, digits, hyphens and underscores."""
    if not _ID.fullmatch(text):
        raise InputError(
            "is not an id",
            value=value,
            todo="give up to 64 lower-case letters, digits, hyphens and underscores",
        )
    return text
