"""DoIP messages (ISO 13400-2:2019) as bytes and back.

Every message has an 8-byte header: version, its inverse, payload type, payload length. The
`Framer` cuts a TCP byte stream into messages and reports each fault of a header with the code
that the standard names; whether the connection survives it follows from that code.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from roadworthy.diagnostics.errors import DoipFormatError

__all__ = [
    "ActivationCode",
    "DiagnosticNack",
    "DoipMessage",
    "Framer",
    "HeaderFault",
    "HeaderNack",
    "PayloadType",
    "RoutingRequest",
    "RoutingResponse",
    "activation_words",
    "decode_diagnostic",
    "decode_routing_request",
    "decode_routing_response",
    "diagnostic_words",
    "encode_diagnostic",
    "encode_diagnostic_ack",
    "encode_diagnostic_nack",
    "encode_message",
    "encode_routing_request",
    "encode_routing_response",
    "header_words",
]

_VERSION = 0x02
_VERSIONS_ACCEPTED = (0x02, 0x03, 0xFF)
_HEADER = struct.Struct(">BBHI")
_ADDRESSES = struct.Struct(">HH")
_ROUTING_RESPONSE = struct.Struct(">HHBI")
_OEM_LENGTH = 4


class PayloadType(IntEnum):
    """Payload types that travel over TCP."""

    HEADER_NACK = 0x0000
    ROUTING_REQUEST = 0x0005
    ROUTING_RESPONSE = 0x0006
    ALIVE_REQUEST = 0x0007
    ALIVE_RESPONSE = 0x0008
    DIAGNOSTIC = 0x8001
    DIAGNOSTIC_ACK = 0x8002
    DIAGNOSTIC_NACK = 0x8003


class HeaderNack(IntEnum):
    """Why a header is refused; PATTERN and LENGTH close the connection."""

    PATTERN = 0x00
    UNKNOWN_TYPE = 0x01
    TOO_LARGE = 0x02
    OUT_OF_MEMORY = 0x03
    LENGTH = 0x04


class ActivationCode(IntEnum):
    """Answers to a routing activation; all refusals close the connection."""

    UNKNOWN_SOURCE = 0x00
    NO_SOCKET_LEFT = 0x01
    SOURCE_DIFFERS = 0x02
    SOURCE_IN_USE = 0x03
    MISSING_AUTHENTICATION = 0x04
    REJECTED_CONFIRMATION = 0x05
    UNSUPPORTED_TYPE = 0x06
    TLS_REQUIRED = 0x07
    SUCCESS = 0x10
    CONFIRMATION_REQUIRED = 0x11


class DiagnosticNack(IntEnum):
    """Why a diagnostic message is refused; INVALID_SOURCE closes the connection."""

    INVALID_SOURCE = 0x02
    UNKNOWN_TARGET = 0x03
    TOO_LARGE = 0x04
    OUT_OF_MEMORY = 0x05
    TARGET_UNREACHABLE = 0x06
    UNKNOWN_NETWORK = 0x07
    TRANSPORT_ERROR = 0x08


_HEADER_WORDS: dict[int, str] = {
    HeaderNack.PATTERN: "the header is not DoIP",
    HeaderNack.UNKNOWN_TYPE: "the payload type is unknown",
    HeaderNack.TOO_LARGE: "the message is too large",
    HeaderNack.OUT_OF_MEMORY: "the gateway has no memory left",
    HeaderNack.LENGTH: "the payload length is wrong",
}
_ACTIVATION_WORDS: dict[int, str] = {
    ActivationCode.UNKNOWN_SOURCE: "the tester address is unknown",
    ActivationCode.NO_SOCKET_LEFT: "too many testers are connected",
    ActivationCode.SOURCE_DIFFERS: "the connection belongs to another tester address",
    ActivationCode.SOURCE_IN_USE: "the tester address is in use on another connection",
    ActivationCode.MISSING_AUTHENTICATION: "the tester must authenticate first",
    ActivationCode.REJECTED_CONFIRMATION: "the vehicle's user refused",
    ActivationCode.UNSUPPORTED_TYPE: "the activation type is not supported",
    ActivationCode.TLS_REQUIRED: "the gateway wants TLS",
    ActivationCode.SUCCESS: "routing is active",
    ActivationCode.CONFIRMATION_REQUIRED: "the vehicle's user must confirm first",
}
_DIAGNOSTIC_WORDS: dict[int, str] = {
    DiagnosticNack.INVALID_SOURCE: "the tester address is not active on this connection",
    DiagnosticNack.UNKNOWN_TARGET: "no ECU has this address",
    DiagnosticNack.TOO_LARGE: "the message is too large",
    DiagnosticNack.OUT_OF_MEMORY: "the gateway has no memory left",
    DiagnosticNack.TARGET_UNREACHABLE: "the ECU can't be reached",
    DiagnosticNack.UNKNOWN_NETWORK: "the gateway does not know the ECU's network",
    DiagnosticNack.TRANSPORT_ERROR: "the message was lost on the ECU's network",
}


@dataclass(frozen=True, slots=True)
class DoipMessage:
    """One message: payload type (known or not) and payload."""

    kind: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class HeaderFault:
    """A header that must be refused with `code`."""

    code: HeaderNack

    @property
    def is_fatal(self) -> bool:
        """Whether the connection must be closed."""
        return self.code in (HeaderNack.PATTERN, HeaderNack.LENGTH)


@dataclass(frozen=True, slots=True)
class RoutingRequest:
    """0x0005: a tester asks to be routed. `kind` 0 is the default activation."""

    source: int
    kind: int = 0


@dataclass(frozen=True, slots=True)
class RoutingResponse:
    """0x0006: the entity's answer; `code` may be one that the standard does not name."""

    tester: int
    entity: int
    code: int


class Framer:
    """Cuts a byte stream into messages.

    Args:
        payload_length_max: a message with more payload bytes is refused and its bytes skipped.
    """

    def __init__(self, payload_length_max: int) -> None:
        self._payload_length_max = payload_length_max
        self._buffer = bytearray()
        self._skip = 0
        self._is_broken = False

    def feed(self, data: bytes) -> list[DoipMessage | HeaderFault]:
        """Take received bytes; return what is complete, in order.

        After a fatal fault everything further is ignored.
        """
        found: list[DoipMessage | HeaderFault] = []
        self._buffer += data
        while not self._is_broken:
            item = self._next()
            if item is None:
                break
            found.append(item)
            self._is_broken = isinstance(item, HeaderFault) and item.is_fatal
        return found

    def _next(self) -> DoipMessage | HeaderFault | None:
        skipped = min(self._skip, len(self._buffer))
        del self._buffer[:skipped]
        self._skip -= skipped
        if len(self._buffer) < _HEADER.size:
            return None
        version, inverse, kind, length = _HEADER.unpack_from(self._buffer)
        if version ^ inverse != 0xFF or version not in _VERSIONS_ACCEPTED:  # noqa: PLR2004 - one byte
            return HeaderFault(HeaderNack.PATTERN)
        if length > self._payload_length_max:
            del self._buffer[: _HEADER.size]
            self._skip = length
            return HeaderFault(HeaderNack.TOO_LARGE)
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        return DoipMessage(kind, payload)


def activation_words(code: int) -> str:
    """Say in plain words what the answer to a routing activation means."""
    return _ACTIVATION_WORDS.get(code, f"reason 0x{code:02X}")


def diagnostic_words(code: int) -> str:
    """Say in plain words why a diagnostic message was refused."""
    return _DIAGNOSTIC_WORDS.get(code, f"reason 0x{code:02X}")


def header_words(code: int) -> str:
    """Say in plain words why a message's header was refused."""
    return _HEADER_WORDS.get(code, f"reason 0x{code:02X}")


def encode_message(kind: int, payload: bytes = b"") -> bytes:
    """Return a message's bytes."""
    return _HEADER.pack(_VERSION, _VERSION ^ 0xFF, kind, len(payload)) + payload


def encode_routing_request(request: RoutingRequest) -> bytes:
    """Return the bytes of a routing activation request."""
    payload = struct.pack(">HBI", request.source, request.kind, 0)
    return encode_message(PayloadType.ROUTING_REQUEST, payload)


def decode_routing_request(payload: bytes) -> RoutingRequest:
    """Parse a routing activation request (7 bytes, or 11 with the manufacturer's part).

    Raises:
        DoipFormatError: wrong length.
    """
    if len(payload) not in (7, 7 + _OEM_LENGTH):
        raise DoipFormatError("has a wrong length", value="routing activation request")
    source, kind = struct.unpack_from(">HB", payload)
    return RoutingRequest(source, kind)


def encode_routing_response(response: RoutingResponse) -> bytes:
    """Return the bytes of a routing activation response."""
    payload = _ROUTING_RESPONSE.pack(response.tester, response.entity, response.code, 0)
    return encode_message(PayloadType.ROUTING_RESPONSE, payload)


def decode_routing_response(payload: bytes) -> RoutingResponse:
    """Parse a routing activation response (9 bytes, or 13 with the manufacturer's part).

    Raises:
        DoipFormatError: wrong length.
    """
    if len(payload) not in (_ROUTING_RESPONSE.size, _ROUTING_RESPONSE.size + _OEM_LENGTH):
        raise DoipFormatError("has a wrong length", value="routing activation response")
    tester, entity, code, _ = _ROUTING_RESPONSE.unpack_from(payload)
    return RoutingResponse(tester, entity, code)


def encode_diagnostic(source: int, target: int, data: bytes) -> bytes:
    """Return the bytes of a diagnostic message that carries UDS bytes."""
    return encode_message(PayloadType.DIAGNOSTIC, _ADDRESSES.pack(source, target) + data)


def encode_diagnostic_ack(source: int, target: int) -> bytes:
    """Return the bytes that tell `target` that its message reached `source`'s gateway."""
    return encode_message(PayloadType.DIAGNOSTIC_ACK, _ADDRESSES.pack(source, target) + b"\x00")


def encode_diagnostic_nack(source: int, target: int, code: int) -> bytes:
    """Return the bytes that refuse a diagnostic message."""
    payload = _ADDRESSES.pack(source, target) + bytes([code])
    return encode_message(PayloadType.DIAGNOSTIC_NACK, payload)


def decode_diagnostic(payload: bytes) -> tuple[int, int, bytes]:
    """Parse a diagnostic message, its ack or its nack: source, target and the rest.

    Raises:
        DoipFormatError: no byte follows the addresses.
    """
    if len(payload) <= _ADDRESSES.size:
        raise DoipFormatError("is too short", value="diagnostic message")
    source, target = _ADDRESSES.unpack_from(payload)
    return source, target, payload[_ADDRESSES.size :]
