"""Canonical JSON: one value, one sequence of bytes, so that hashes and signatures agree.

The form is that of the TUF specification (OLPC canonical JSON, also used by python-tuf):
keys sorted, no white space, UTF-8, integers only. Floats are refused because two languages
may print the same float differently.
"""

import hashlib
import json
import math
from typing import Any

from securesystemslib.exceptions import FormatError
from securesystemslib.formats import encode_canonical

from roadworthy.base.errors import InputError

__all__ = ["canonical", "parse_json_object", "sha256_hex"]

_DEPTH_MAX = 32


def canonical(value: object) -> bytes:
    """Encode a value of dicts with string keys, lists, strings, integers, booleans and None.

    Raises:
        InputError: the value holds a float or another type that has no canonical form, or a
            text that is not Unicode (half of a surrogate pair).
    """
    form: Any = value
    try:
        _check_keys(form)
        return str(encode_canonical(form)).encode()
    except (FormatError, RecursionError, TypeError, ValueError) as error:
        raise InputError(
            "has no canonical form", value="value", todo="use strings, integers, lists and objects"
        ) from error


def parse_json_object(data: bytes, *, name: str, size_bytes_max: int) -> dict[str, Any]:
    """Parse untrusted bytes that must be one JSON object.

    Args:
        data: the bytes as received.
        name: what the sender calls them, for the error.
        size_bytes_max: more bytes than this are refused unread.

    Raises:
        InputError: too large, not UTF-8, not JSON, a key twice, nested too deep, not an object,
            a number too large for a float, or half of a surrogate pair.
    """
    if len(data) > size_bytes_max:
        raise InputError(f"has {len(data)} bytes, at most {size_bytes_max} are allowed", value=name)
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not valid JSON ({error})", value=name) from error
    if not isinstance(value, dict):
        raise InputError("must be a JSON object", value=name)
    _limit_depth(value, name, _DEPTH_MAX)
    return value


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "an object names the same key twice"
        raise ValueError(msg)
    return found


def _no_constant(text: str) -> None:
    msg = f"{text} is not JSON"
    raise ValueError(msg)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _no_constant(text)
    return number


def _check_keys(value: object) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                msg = f"{key!r} is not a string"
                raise TypeError(msg)
            _check_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_keys(item)


def _limit_depth(value: object, name: str, depth_left: int) -> None:
    if depth_left == 0:
        raise InputError(f"is nested deeper than {_DEPTH_MAX} levels", value=name)
    if isinstance(value, dict):
        for item in value.values():
            _limit_depth(item, name, depth_left - 1)
    elif isinstance(value, list):
        for item in value:
            _limit_depth(item, name, depth_left - 1)
