"""The tester's end of one DoIP connection (ISO 13400-2:2019).

The machine turns requests into bytes and received bytes into events. An alive check is
answered at once: the event carries the bytes to send.
"""

from dataclasses import dataclass

from roadworthy.diagnostics.doip import (
    ActivationCode,
    DoipMessage,
    Framer,
    HeaderFault,
    PayloadType,
    RoutingRequest,
    activation_words,
    decode_diagnostic,
    decode_routing_response,
    encode_diagnostic,
    encode_message,
    encode_routing_request,
    header_words,
)
from roadworthy.diagnostics.errors import DoipFormatError, RoutingError

__all__ = ["Activated", "Answer", "ClientEvent", "DoipClient", "Refused", "SendNow"]

_PAYLOAD_LENGTH_MAX = 1 << 20
_ACTIVATED = (ActivationCode.SUCCESS,)


@dataclass(frozen=True, slots=True)
class Activated:
    """Routing is active; requests may be sent."""

    entity: int


@dataclass(frozen=True, slots=True)
class Answer:
    """UDS bytes from the ECU at `source`."""

    source: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The gateway refuses a message for `target` with an ISO 13400-2 code."""

    target: int
    code: int


@dataclass(frozen=True, slots=True)
class SendNow:
    """Bytes that must be sent at once (the answer to an alive check)."""

    data: bytes


ClientEvent = Activated | Answer | Refused | SendNow


class DoipClient:
    """One connection's machine.

    Args:
        tester: the tester's logical address, 0x0E00..0x0FFF.
    """

    def __init__(self, tester: int) -> None:
        self._tester = tester
        self._framer = Framer(_PAYLOAD_LENGTH_MAX)

    def activation(self) -> bytes:
        """Return the bytes that open a connection."""
        return encode_routing_request(RoutingRequest(self._tester))

    def request(self, target: int, payload: bytes) -> bytes:
        """Return the bytes of a UDS request to the ECU at `target`."""
        return encode_diagnostic(self._tester, target, payload)

    def receive(self, data: bytes) -> list[ClientEvent]:
        """Take received bytes; return events in order.

        Raises:
            RoutingError: the gateway refuses the connection, or a header of ours.
            DoipFormatError: the bytes are not DoIP.
        """
        events: list[ClientEvent] = []
        for item in self._framer.feed(data):
            if isinstance(item, HeaderFault):
                raise DoipFormatError(header_words(item.code), value="DoIP message")
            event = self._event(item)
            if event is not None:
                events.append(event)
        return events

    def _event(self, message: DoipMessage) -> ClientEvent | None:
        event: ClientEvent | None = None
        match message.kind:
            case PayloadType.ROUTING_RESPONSE:
                event = _activated(message.payload)
            case PayloadType.DIAGNOSTIC:
                event = self._answer(message.payload)
            case PayloadType.DIAGNOSTIC_NACK:
                target, _, rest = decode_diagnostic(message.payload)
                event = Refused(target, rest[0])
            case PayloadType.ALIVE_REQUEST:
                own = self._tester.to_bytes(2, "big")
                event = SendNow(encode_message(PayloadType.ALIVE_RESPONSE, own))
            case PayloadType.HEADER_NACK:
                code = int.from_bytes(message.payload[:1], "big")
                raise RoutingError(header_words(code), value="gateway")
            case _:
                pass
        return event

    def _answer(self, payload: bytes) -> Answer | None:
        source, target, data = decode_diagnostic(payload)
        return Answer(source, data) if target == self._tester else None


def _activated(payload: bytes) -> Activated:
    response = decode_routing_response(payload)
    if response.code not in _ACTIVATED:
        raise RoutingError(activation_words(response.code), value="gateway")
    return Activated(response.entity)
