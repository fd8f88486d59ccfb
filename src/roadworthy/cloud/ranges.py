"""HTTP ranges (RFC 9110, section 14): the one form that a resumed download needs."""

import re

from roadworthy.base.errors import InputError

__all__ = ["RangeError", "parse_range"]

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class RangeError(InputError):
    """The range lies outside of the artifact."""

    code = "range-not-satisfiable"
    title = "Range not satisfiable"
    http_status = 416


def parse_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return offset and length of a single range, or None to send everything.

    As the RFC asks, a range that can't be parsed or a list of ranges is ignored; one that
    lies outside raises.

    Raises:
        RangeError: it starts at or after the end.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size_bytes)
        offset = size_bytes - length
    else:
        offset = int(first)
        end = min(int(last), size_bytes - 1) if last else size_bytes - 1
        length = end - offset + 1
        if last and int(last) < offset:
            return None
    if length <= 0:
        raise RangeError(
            f"starts after the end ({size_bytes} bytes)", value="range", todo="ask for less"
        )
    return offset, length
