"""UDS requests (ISO 14229-1) as bytes and back, for the services we use.

A request is one frozen dataclass per service. `encode_request` and `decode_request` are
inverse to each other. An ECU that can't decode a request refuses it: `decode_request` raises
the negative response that the standard asks for. Answers are in `diagnostics.answers`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from roadworthy.diagnostics.errors import NegativeResponseError
from roadworthy.diagnostics.nrc import Nrc

__all__ = [
    "EcuReset",
    "ReadData",
    "RequestDownload",
    "RoutineControl",
    "SecurityAccess",
    "Service",
    "Session",
    "SessionControl",
    "TesterPresent",
    "TransferData",
    "TransferExit",
    "UdsRequest",
    "decode_request",
    "encode_request",
]

_SUPPRESS = 0x80
_START_ROUTINE = 0x01
_DID_LENGTH = 2
_RECORDS_MAX = 64


class Service(IntEnum):
    """Service ids."""

    SESSION_CONTROL = 0x10
    ECU_RESET = 0x11
    READ_DATA = 0x22
    SECURITY_ACCESS = 0x27
    ROUTINE_CONTROL = 0x31
    REQUEST_DOWNLOAD = 0x34
    TRANSFER_DATA = 0x36
    TRANSFER_EXIT = 0x37
    TESTER_PRESENT = 0x3E


class Session(IntEnum):
    """Diagnostic sessions; an ECU starts in DEFAULT and falls back to it after silence (S3)."""

    DEFAULT = 0x01
    PROGRAMMING = 0x02
    EXTENDED = 0x03


@dataclass(frozen=True, slots=True)
class SessionControl:
    """0x10: go to a session. `suppress`: no positive answer wanted."""

    session: int
    suppress: bool = False


@dataclass(frozen=True, slots=True)
class EcuReset:
    """0x11: restart the ECU; kind 0x01 is a hard reset."""

    kind: int = 0x01
    suppress: bool = False


@dataclass(frozen=True, slots=True)
class ReadData:
    """0x22: read one or more data identifiers (0..0xFFFF each, at most 64)."""

    dids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SecurityAccess:
    """0x27: odd `level` asks for a seed, the even one after it carries the key in `data`."""

    level: int
    data: bytes = b""
    suppress: bool = False


@dataclass(frozen=True, slots=True)
class RoutineControl:
    """0x31: start (0x01), stop or query a routine; `option` is the routine's argument."""

    routine: int
    option: bytes = b""
    action: int = _START_ROUTINE
    suppress: bool = False


@dataclass(frozen=True, slots=True)
class RequestDownload:
    """0x34: announce `size_bytes` bytes for `address`; both fit 32 bits on our wire."""

    address: int
    size_bytes: int
    data_format: int = 0


@dataclass(frozen=True, slots=True)
class TransferData:
    """0x36: one block; `counter` starts at 1 and wraps from 0xFF to 0."""

    counter: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TransferExit:
    """0x37: the transfer is complete."""

    data: bytes = b""


@dataclass(frozen=True, slots=True)
class TesterPresent:
    """0x3E: keep the session."""

    suppress: bool = False


UdsRequest = (
    SessionControl
    | EcuReset
    | ReadData
    | SecurityAccess
    | RoutineControl
    | RequestDownload
    | TransferData
    | TransferExit
    | TesterPresent
)


def encode_request(request: UdsRequest) -> bytes:
    """Return the bytes of a request.

    Raises:
        struct.error: a number does not fit its field (an error of the program, not of a peer).
    """
    match request:
        case SessionControl(sub, suppress):
            body = _sub(sub, suppress=suppress)
        case EcuReset(sub, suppress):
            body = _sub(sub, suppress=suppress)
        case TesterPresent(suppress):
            body = _sub(0, suppress=suppress)
        case SecurityAccess(level, data, suppress):
            body = _sub(level, suppress=suppress) + data
        case RoutineControl(routine, option, action, suppress):
            body = _sub(action, suppress=suppress) + struct.pack(">H", routine) + option
        case _:
            body = _encode_data_request(request)
    return bytes([_SERVICES[type(request)]]) + body


def decode_request(data: bytes) -> UdsRequest:
    """Parse a request as an ECU receives it.

    Raises:
        NegativeResponseError: unknown service (0x11), wrong length or format (0x13) or a value
            that no field can have (0x31); an ECU answers with exactly this code.
    """
    if not data:
        raise NegativeResponseError(0, Nrc.INCORRECT_LENGTH_OR_FORMAT)
    decode = _DECODERS.get(data[0])
    if decode is None:
        raise NegativeResponseError(data[0], Nrc.SERVICE_NOT_SUPPORTED)
    try:
        return decode(data[1:])
    except (struct.error, IndexError) as error:
        raise NegativeResponseError(data[0], Nrc.INCORRECT_LENGTH_OR_FORMAT) from error


def _sub(sub: int, *, suppress: bool) -> bytes:
    return struct.pack(">B", sub | (_SUPPRESS if suppress else 0))


def _encode_data_request(
    request: ReadData | RequestDownload | TransferData | TransferExit,
) -> bytes:
    match request:
        case ReadData(dids):
            return struct.pack(f">{len(dids)}H", *dids)
        case RequestDownload(address, size_bytes, data_format):
            return struct.pack(">BBII", data_format, 0x44, address, size_bytes)
        case TransferData(counter, data):
            return struct.pack(">B", counter) + data
        case TransferExit(data):
            return data


def _decode_session(body: bytes) -> SessionControl:
    (sub,) = struct.unpack(">B", body)
    return SessionControl(sub & ~_SUPPRESS, bool(sub & _SUPPRESS))


def _decode_reset(body: bytes) -> EcuReset:
    (sub,) = struct.unpack(">B", body)
    return EcuReset(sub & ~_SUPPRESS, bool(sub & _SUPPRESS))


def _decode_read(body: bytes) -> ReadData:
    count = len(body) // _DID_LENGTH
    if not 0 < count <= _RECORDS_MAX:
        raise NegativeResponseError(Service.READ_DATA, Nrc.INCORRECT_LENGTH_OR_FORMAT)
    return ReadData(struct.unpack(f">{count}H", body))


def _decode_security(body: bytes) -> SecurityAccess:
    return SecurityAccess(body[0] & ~_SUPPRESS, body[1:], bool(body[0] & _SUPPRESS))


def _decode_routine(body: bytes) -> RoutineControl:
    sub, routine = struct.unpack_from(">BH", body)
    return RoutineControl(routine, body[3:], sub & ~_SUPPRESS, bool(sub & _SUPPRESS))


def _decode_download(body: bytes) -> RequestDownload:
    data_format, lengths = struct.unpack_from(">BB", body)
    size_length, address_length = lengths >> 4, lengths & 0x0F
    if not (0 < size_length <= 8 and 0 < address_length <= 8):  # noqa: PLR2004 - 64-bit fields
        raise NegativeResponseError(Service.REQUEST_DOWNLOAD, Nrc.REQUEST_OUT_OF_RANGE)
    if len(body) != 2 + size_length + address_length:
        raise NegativeResponseError(Service.REQUEST_DOWNLOAD, Nrc.INCORRECT_LENGTH_OR_FORMAT)
    address = int.from_bytes(body[2 : 2 + address_length], "big")
    return RequestDownload(address, int.from_bytes(body[2 + address_length :], "big"), data_format)


def _decode_transfer(body: bytes) -> TransferData:
    return TransferData(body[0], body[1:])


def _decode_tester_present(body: bytes) -> TesterPresent:
    (sub,) = struct.unpack(">B", body)
    if sub & ~_SUPPRESS:
        raise NegativeResponseError(Service.TESTER_PRESENT, Nrc.SUB_FUNCTION_NOT_SUPPORTED)
    return TesterPresent(bool(sub & _SUPPRESS))


_DECODERS: dict[int, Callable[[bytes], UdsRequest]] = {
    Service.SESSION_CONTROL: _decode_session,
    Service.ECU_RESET: _decode_reset,
    Service.READ_DATA: _decode_read,
    Service.SECURITY_ACCESS: _decode_security,
    Service.ROUTINE_CONTROL: _decode_routine,
    Service.REQUEST_DOWNLOAD: _decode_download,
    Service.TRANSFER_DATA: _decode_transfer,
    Service.TRANSFER_EXIT: TransferExit,
    Service.TESTER_PRESENT: _decode_tester_present,
}

_SERVICES: dict[type[UdsRequest], Service] = {
    SessionControl: Service.SESSION_CONTROL,
    EcuReset: Service.ECU_RESET,
    ReadData: Service.READ_DATA,
    SecurityAccess: Service.SECURITY_ACCESS,
    RoutineControl: Service.ROUTINE_CONTROL,
    RequestDownload: Service.REQUEST_DOWNLOAD,
    TransferData: Service.TRANSFER_DATA,
    TransferExit: Service.TRANSFER_EXIT,
    TesterPresent: Service.TESTER_PRESENT,
}
