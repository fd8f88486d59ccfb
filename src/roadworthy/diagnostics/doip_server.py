"""A vehicle's DoIP entity: one machine for all its TCP connections (ISO 13400-2:2019 clause 9).

A connection must activate routing within two seconds and may be idle for five minutes. One
tester address is active on one connection only; when it turns up on a second one, the first
is asked whether it is alive and loses its place if it does not answer within half a second.
Acknowledgement and answers of one message leave in one piece: two small segments would cost
the tester a delayed-ACK wait for every block.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from roadworthy.diagnostics.doip import (
    ActivationCode,
    DiagnosticNack,
    DoipMessage,
    Framer,
    HeaderFault,
    HeaderNack,
    PayloadType,
    RoutingResponse,
    decode_diagnostic,
    decode_routing_request,
    encode_diagnostic,
    encode_diagnostic_ack,
    encode_diagnostic_nack,
    encode_message,
    encode_routing_response,
)
from roadworthy.diagnostics.errors import DoipFormatError

__all__ = ["DoipServer", "EcuHandler", "Output"]

EcuHandler = Callable[[bytes, datetime], list[bytes]]
"""Answers UDS bytes, as `UdsServer.handle`; an empty list is silence. It must not raise."""

_INITIAL = timedelta(seconds=2)
_GENERAL = timedelta(minutes=5)
_ALIVE = timedelta(seconds=0.5)
_TESTERS = range(0x0E00, 0x1000)
_KINDS = (0x00, 0x01)
_PAYLOAD_LENGTH_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Output:
    """Send `data` on `connection`, then close it if `is_last`."""

    connection: int
    data: bytes
    is_last: bool = False


@dataclass(slots=True)
class _Connection:
    framer: Framer
    deadline: datetime
    tester: int | None = None
    waits_for: int | None = None
    is_open: bool = True


class DoipServer:
    """The entity.

    Args:
        address: the entity's own logical address.
        ecus: UDS handler of each logical address; may change between calls.
        connections_max: further testers are refused.
    """

    def __init__(
        self, address: int, ecus: Mapping[int, EcuHandler], *, connections_max: int = 16
    ) -> None:
        self._address = address
        self._ecus = ecus
        self._connections_max = connections_max
        self._connections: dict[int, _Connection] = {}

    @property
    def deadline(self) -> datetime | None:
        """When `tick` must be called next; None if nobody is connected."""
        return min((c.deadline for c in self._connections.values()), default=None)

    def connect(self, connection: int, now: datetime) -> None:
        """Note a new connection under a number of the caller's choice."""
        self._connections[connection] = _Connection(Framer(_PAYLOAD_LENGTH_MAX), now + _INITIAL)

    def disconnect(self, connection: int, now: datetime) -> list[Output]:
        """Note that a connection has ended; its tester's place goes to who waits for it."""
        state = self._connections.pop(connection, None)
        return self._admit_waiting(connection, state.tester, now) if state else []

    def receive(self, connection: int, data: bytes, now: datetime) -> list[Output]:
        """Take received bytes and return what to send; unknown connections get nothing."""
        outputs: list[Output] = []
        state = self._connections.get(connection)
        items = state.framer.feed(data) if state else []
        for item in items:
            if state is None or not state.is_open:
                break
            outputs += self._take(connection, state, item, now)
        self._drop_closed()
        return outputs

    def tick(self, now: datetime) -> list[Output]:
        """Close connections whose time is over, and give their place to who waits for it."""
        outputs: list[Output] = []
        for number, state in list(self._connections.items()):
            if state.is_open and now >= state.deadline:
                outputs += self._end(number, state)
                outputs += self._admit_waiting(number, state.tester, now)
        self._drop_closed()
        return outputs

    def _take(
        self, number: int, state: _Connection, item: DoipMessage | HeaderFault, now: datetime
    ) -> list[Output]:
        if isinstance(item, HeaderFault):
            return self._refuse_header(number, state, item)
        if state.tester is not None:
            state.deadline = now + _GENERAL
        handler = {
            PayloadType.ROUTING_REQUEST: self._activate,
            PayloadType.DIAGNOSTIC: self._diagnose,
            PayloadType.ALIVE_REQUEST: self._show_alive,
            PayloadType.ALIVE_RESPONSE: self._hear_alive,
        }.get(PayloadType(item.kind) if item.kind in set(PayloadType) else PayloadType.HEADER_NACK)
        if handler is None:
            return self._refuse_header(number, state, HeaderFault(HeaderNack.UNKNOWN_TYPE))
        try:
            return handler(number, state, item.payload, now)
        except DoipFormatError:
            return self._refuse_header(number, state, HeaderFault(HeaderNack.LENGTH))

    def _refuse_header(self, number: int, state: _Connection, fault: HeaderFault) -> list[Output]:
        data = encode_message(PayloadType.HEADER_NACK, bytes([fault.code]))
        return self._end(number, state, data) if fault.is_fatal else [Output(number, data)]

    def _activate(
        self, number: int, state: _Connection, payload: bytes, now: datetime
    ) -> list[Output]:
        request = decode_routing_request(payload)
        code = self._judge(number, state, request.source, request.kind)
        if code is None:
            return self._ask_alive(number, state, request.source, now)
        return self._answer_activation(number, state, request.source, code, now)

    def _judge(
        self, number: int, state: _Connection, source: int, kind: int
    ) -> ActivationCode | None:
        """Return the answer to an activation, None if another connection must be asked first."""
        active = [n for n, c in self._connections.items() if c.tester is not None and n != number]
        code: ActivationCode | None = ActivationCode.SUCCESS
        if source not in _TESTERS:
            code = ActivationCode.UNKNOWN_SOURCE
        elif kind not in _KINDS:
            code = ActivationCode.UNSUPPORTED_TYPE
        elif state.tester not in (None, source):
            code = ActivationCode.SOURCE_DIFFERS
        elif any(self._connections[n].tester == source for n in active):
            code = None
        elif len(active) >= self._connections_max:
            code = ActivationCode.NO_SOCKET_LEFT
        return code

    def _answer_activation(
        self, number: int, state: _Connection, source: int, code: ActivationCode, now: datetime
    ) -> list[Output]:
        data = encode_routing_response(RoutingResponse(source, self._address, code))
        state.waits_for = None
        if code is not ActivationCode.SUCCESS:
            return self._end(number, state, data)
        state.tester = source
        state.deadline = now + _GENERAL
        return [Output(number, data)]

    def _ask_alive(
        self, number: int, state: _Connection, source: int, now: datetime
    ) -> list[Output]:
        holder = next(n for n, c in self._connections.items() if c.tester == source)
        if any(c.waits_for == holder for c in self._connections.values()):
            code = ActivationCode.SOURCE_IN_USE
            return self._answer_activation(number, state, source, code, now)
        state.waits_for = holder
        state.deadline = now + _INITIAL
        self._connections[holder].deadline = now + _ALIVE
        return [Output(holder, encode_message(PayloadType.ALIVE_REQUEST))]

    def _hear_alive(
        self, number: int, state: _Connection, payload: bytes, now: datetime
    ) -> list[Output]:
        if len(payload) != 2:  # noqa: PLR2004 - one address
            raise DoipFormatError("has a wrong length", value="alive check response")
        outputs: list[Output] = []
        for other, waiting in self._connections.items():
            if waiting.waits_for == number and state.tester is not None:
                code = ActivationCode.SOURCE_IN_USE
                outputs += self._answer_activation(other, waiting, state.tester, code, now)
        return outputs

    def _admit_waiting(self, holder: int, source: int | None, now: datetime) -> list[Output]:
        outputs: list[Output] = []
        for number, state in self._connections.items():
            if state.waits_for == holder and state.is_open and source is not None:
                success = ActivationCode.SUCCESS
                outputs += self._answer_activation(number, state, source, success, now)
        return outputs

    def _show_alive(
        self, number: int, _state: _Connection, _payload: bytes, _now: datetime
    ) -> list[Output]:
        payload = self._address.to_bytes(2, "big")
        return [Output(number, encode_message(PayloadType.ALIVE_RESPONSE, payload))]

    def _diagnose(
        self, number: int, state: _Connection, payload: bytes, now: datetime
    ) -> list[Output]:
        source, target, data = decode_diagnostic(payload)
        if state.tester is None or source != state.tester:
            nack = encode_diagnostic_nack(target, source, DiagnosticNack.INVALID_SOURCE)
            return self._end(number, state, nack)
        handle = self._ecus.get(target)
        if handle is None:
            nack = encode_diagnostic_nack(target, source, DiagnosticNack.UNKNOWN_TARGET)
            return [Output(number, nack)]
        answers = [encode_diagnostic(target, source, answer) for answer in handle(data, now)]
        return [Output(number, b"".join([encode_diagnostic_ack(target, source), *answers]))]

    def _end(self, number: int, state: _Connection, data: bytes = b"") -> list[Output]:
        state.is_open = False
        return [Output(number, data, is_last=True)]

    def _drop_closed(self) -> None:
        for number in [n for n, c in self._connections.items() if not c.is_open]:
            del self._connections[number]
