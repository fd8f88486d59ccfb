"""UDS answers (ISO 14229-1) as bytes and back.

A client hands the request's bytes and the answer's bytes to `decode_answer`, which gives the
answer's body or a typed error; the functions below it parse the bodies that have a form.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from roadworthy.diagnostics.errors import MalformedResponseError, NegativeResponseError
from roadworthy.diagnostics.uds import Service

__all__ = [
    "POSITIVE_OFFSET",
    "SessionTiming",
    "block_length_max",
    "decode_answer",
    "negative",
    "positive",
    "session_timing",
    "split_records",
]

POSITIVE_OFFSET = 0x40
"""A positive answer's service id is the request's plus this."""

_NEGATIVE = 0x7F
_NEGATIVE_LENGTH = 3
_SUPPRESS = 0x80
_DID_LENGTH = 2
_BLOCK_HEAD_LENGTH = 2
_WITH_SUB_FUNCTION = {
    Service.SESSION_CONTROL,
    Service.ECU_RESET,
    Service.SECURITY_ACCESS,
    Service.ROUTINE_CONTROL,
    Service.TESTER_PRESENT,
}


@dataclass(frozen=True, slots=True)
class SessionTiming:
    """How long an ECU may take to answer: `p2_s` at first, `p2_star_s` after each 0x78."""

    p2_s: float
    p2_star_s: float


def positive(service: int, body: bytes = b"") -> bytes:
    """Return the bytes of a positive answer."""
    return bytes([service + POSITIVE_OFFSET]) + body


def negative(service: int, nrc: int) -> bytes:
    """Return the bytes of a negative answer."""
    return bytes([_NEGATIVE, service, nrc])


def decode_answer(request: bytes, response: bytes) -> bytes:
    """Check an answer against its request and return its body.

    Args:
        request: the request's bytes as sent.
        response: the answer's bytes as received.

    Returns:
        What follows the service id and the echoed bytes (sub-function, routine, counter).

    Raises:
        NegativeResponseError: the ECU refuses.
        MalformedResponseError: empty, another service's answer, or a wrong echo.
    """
    service = request[0]
    if response[:1] == bytes([_NEGATIVE]):
        if len(response) != _NEGATIVE_LENGTH or response[1] != service:
            raise _malformed(service, response)
        raise NegativeResponseError(service, response[2])
    echo = _echo(request)
    head = bytes([service + POSITIVE_OFFSET]) + echo
    if not response.startswith(head):
        raise _malformed(service, response)
    return response[len(head) :]


def session_timing(body: bytes) -> SessionTiming:
    """Parse the body of a 0x10 answer: P2 in 1 ms, P2* in 10 ms.

    Raises:
        MalformedResponseError: not 4 bytes.
    """
    try:
        p2, p2_star = struct.unpack(">HH", body)
    except struct.error as error:
        raise _malformed(Service.SESSION_CONTROL, body) from error
    return SessionTiming(p2 / 1000, p2_star / 100)


def block_length_max(body: bytes) -> int:
    """Parse the body of a 0x34 answer: the largest 0x36 request, service id and counter included.

    Raises:
        MalformedResponseError: the length is missing, or so small that no data fits.
    """
    length = body[0] >> 4 if body else 0
    value = int.from_bytes(body[1 : 1 + length], "big")
    if length == 0 or len(body) != 1 + length or value <= _BLOCK_HEAD_LENGTH:
        raise _malformed(Service.REQUEST_DOWNLOAD, body)
    return value


def split_records(dids: Sequence[int], body: bytes) -> dict[int, bytes]:
    """Split the body of a 0x22 answer into one value per data identifier.

    The standard puts no length on the wire: a value ends where the next identifier that was
    asked for begins. That is unambiguous for text before identifiers from 0x8000 on, and for
    anything in the last record, which is how our identifiers are ordered.

    Raises:
        MalformedResponseError: an identifier is missing or out of order.
    """
    records: dict[int, bytes] = {}
    rest = body
    for index, did in enumerate(dids):
        if not rest.startswith(struct.pack(">H", did)):
            raise _malformed(Service.READ_DATA, body)
        rest = rest[_DID_LENGTH:]
        if index + 1 == len(dids):
            records[did] = rest
            break
        end = rest.find(struct.pack(">H", dids[index + 1]))
        if end < 0:
            raise _malformed(Service.READ_DATA, body)
        records[did], rest = rest[:end], rest[end:]
    return records


def _echo(request: bytes) -> bytes:
    service = request[0]
    if service == Service.TRANSFER_DATA:
        return request[1:2]
    if service not in _WITH_SUB_FUNCTION:
        return b""
    sub = bytes([request[1] & ~_SUPPRESS])
    return sub + request[2:4] if service == Service.ROUTINE_CONTROL else sub


def _malformed(service: int, response: bytes) -> MalformedResponseError:
    shown = response[:16].hex(" ") or "nothing"
    return MalformedResponseError(
        f"the answer to service 0x{service:02X} makes no sense ({shown})", value="answer"
    )
