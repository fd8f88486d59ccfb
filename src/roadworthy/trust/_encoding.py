"""JSON of metadata, strict when read and fast when made canonical.

The C encoder of `json` gives the same bytes as OLPC canonical JSON as long as no string needs
an escape. Metadata rarely holds one, so the slow encoder is the exception. Strict reading
(no float, no key twice, no lone surrogate) is what makes the fast way safe.
"""

import json
import re
from typing import Any

from roadworthy.base.encoding import canonical
from roadworthy.trust.errors import MalformedError

__all__ = ["canonical_fast", "parse_strict", "to_wire"]

# May also match inside a string, which then only costs the slow encoder.
_MAYBE_FLOAT = re.compile(r"(^|[:,\[])-?([0-9]+[.eE]|NaN|Infinity)")


def canonical_fast(value: object) -> bytes:
    """Return the canonical JSON of a value that came from `parse_strict` or from code.

    Raises:
        MalformedError: a string holds a lone surrogate.
        InputError: the value has no canonical form (base.encoding.canonical).
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        if "\\" not in text and not _MAYBE_FLOAT.search(text):
            return text.encode()
        return canonical(value)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError) as error:
        raise MalformedError("has no canonical form", value="value") from error


def to_wire(value: object) -> bytes:
    """Return compact JSON to send: canonical, but with control characters escaped.

    OLPC canonical JSON leaves them raw, which no JSON parser takes. Signatures cover the
    canonical form; the wire carries this one.

    Raises:
        MalformedError: a string holds a lone surrogate.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise MalformedError("is not Unicode", value="value") from error


def parse_strict(data: bytes, *, name: str) -> dict[str, Any]:
    """Parse one JSON object of integers, strings, booleans, null, lists and objects.

    Args:
        data: the bytes as received; the caller has limited their length.
        name: what the sender calls them, for the error.

    Raises:
        MalformedError: not UTF-8, not JSON, a float, a key twice, nested too deep, no object.
    """
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_float=_refuse,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"is not strict JSON ({error})", value=name) from error
    if not isinstance(value, dict):
        raise MalformedError("must be a JSON object", value=name)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "an object names the same key twice"
        raise ValueError(msg)
    return found


def _refuse(text: str) -> None:
    msg = f"{text} is not an integer"
    raise ValueError(msg)
