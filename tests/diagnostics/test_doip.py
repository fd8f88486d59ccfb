"""DoIP bytes are cut, checked and answered as ISO 13400-2 says, whatever arrives."""

from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.diagnostics.ecu_bench import START

from roadworthy.base.errors import RoadworthyError
from roadworthy.diagnostics.doip import (
    ActivationCode,
    DoipMessage,
    Framer,
    HeaderFault,
    HeaderNack,
    PayloadType,
    RoutingRequest,
    RoutingResponse,
    decode_diagnostic,
    decode_routing_request,
    decode_routing_response,
    encode_diagnostic,
    encode_message,
    encode_routing_request,
    encode_routing_response,
)
from roadworthy.diagnostics.doip_client import (
    Activated,
    Answer,
    DoipClient,
    Refused,
    SendNow,
)
from roadworthy.diagnostics.doip_server import DoipServer, Output
from roadworthy.diagnostics.errors import DoipFormatError, RoutingError

GATEWAY = 0x1000
ECU = 0x1001
TESTER = 0x0E00
ADDRESS = st.integers(0, 0xFFFF)


def echo(request: bytes, _now: datetime) -> list[bytes]:
    return [b"\x7f" + request[:1] + b"\x78", bytes([(request[0] + 0x40) & 0xFF]) + request[1:]]


def new_server(**options: int) -> DoipServer:
    return DoipServer(GATEWAY, {ECU: echo, ECU + 1: lambda *_: []}, **options)


def activated(server: DoipServer, number: int, tester: int = TESTER) -> list[Output]:
    server.connect(number, START)
    return server.receive(number, encode_routing_request(RoutingRequest(tester)), START)


def message(output: Output) -> DoipMessage:
    (item,) = Framer(1000).feed(output.data)
    assert isinstance(item, DoipMessage)
    return item


def code_of(output: Output) -> int:
    return decode_routing_response(message(output).payload).code


@given(st.lists(st.tuples(ADDRESS, st.binary(max_size=30)), max_size=5), st.integers(1, 20))
def test_a_stream_is_cut_into_the_same_messages_wherever_it_is_split(
    sent: list[tuple[int, bytes]], step: int
) -> None:
    stream = b"".join(encode_message(kind, payload) for kind, payload in sent)
    framer = Framer(100)
    found = [
        item for i in range(0, len(stream), step) for item in framer.feed(stream[i : i + step])
    ]
    assert found == [DoipMessage(kind, payload) for kind, payload in sent]


@given(ADDRESS, ADDRESS, st.integers(0, 255), st.binary(min_size=1))
def test_payloads_survive_the_way_to_bytes_and_back(a: int, b: int, code: int, data: bytes) -> None:
    head = 8
    request, response = RoutingRequest(a, code), RoutingResponse(a, b, code)
    assert decode_routing_request(encode_routing_request(request)[head:]) == request
    assert decode_routing_response(encode_routing_response(response)[head:]) == response
    assert decode_diagnostic(encode_diagnostic(a, b, data)[head:]) == (a, b, data)


@given(st.binary(max_size=16))
def test_any_payload_gives_a_value_or_a_typed_error(payload: bytes) -> None:
    for decode in (decode_routing_request, decode_routing_response, decode_diagnostic):
        with suppress(DoipFormatError):
            assert decode(payload)


NOISE = st.one_of(
    st.binary(max_size=40),
    st.builds(encode_message, st.sampled_from(PayloadType), st.binary(max_size=12)),
    st.builds(encode_diagnostic, st.just(TESTER), st.just(ECU), st.binary(max_size=12)),
    st.just(encode_routing_request(RoutingRequest(TESTER))),
)


@given(st.lists(st.tuples(st.integers(1, 3), NOISE), max_size=12))
def test_any_bytes_from_any_connection_get_doip_back(pieces: list[tuple[int, bytes]]) -> None:
    server = new_server()
    now = START
    for number in (1, 2, 3):
        server.connect(number, now)
    for number, data in pieces:
        now += timedelta(seconds=0.3)
        for output in server.receive(number, data, now) + server.tick(now):
            items = Framer(1000).feed(output.data)
            assert all(isinstance(item, DoipMessage) for item in items)


@given(st.lists(NOISE, max_size=6))
def test_a_tester_takes_any_bytes(pieces: list[bytes]) -> None:
    client = DoipClient(TESTER)
    with suppress(RoadworthyError):
        for data in pieces:
            for event in client.receive(data):
                assert isinstance(event, Activated | Answer | Refused | SendNow)


def test_bad_headers_are_refused_with_the_code_of_the_standard() -> None:
    server = new_server()
    cases = {
        b"\x02\xfc\x80\x01\x00\x00\x00\x00": (HeaderNack.PATTERN, True),
        encode_message(0x4001): (HeaderNack.UNKNOWN_TYPE, False),
        encode_message(PayloadType.DIAGNOSTIC, b"\x0e\x00\x10\x01"): (HeaderNack.LENGTH, True),
        encode_message(PayloadType.ROUTING_REQUEST, b"\x0e"): (HeaderNack.LENGTH, True),
        b"\x02\xfd\x80\x01\x7f\x00\x00\x00": (HeaderNack.TOO_LARGE, False),
    }
    for number, (data, (code, is_last)) in enumerate(cases.items()):
        server.connect(number, START)
        (output,) = server.receive(number, data, START)
        assert message(output) == DoipMessage(PayloadType.HEADER_NACK, bytes([code]))
        assert output.is_last is is_last


def test_a_message_that_is_too_large_is_skipped_and_the_next_one_read() -> None:
    framer = Framer(10)
    stream = encode_message(0x8001, bytes(50)) + encode_message(7)
    items = [item for i in range(len(stream)) for item in framer.feed(stream[i : i + 1])]
    assert items == [HeaderFault(HeaderNack.TOO_LARGE), DoipMessage(7, b"")]


def test_acknowledgement_and_answers_leave_in_one_piece() -> None:
    server = new_server()
    (output,) = activated(server, 1)
    assert code_of(output) == ActivationCode.SUCCESS
    request = encode_diagnostic(TESTER, ECU, b"\x22\xf1\x90")
    (output,) = server.receive(1, request, START)
    kinds = [item.kind for item in Framer(100).feed(output.data) if isinstance(item, DoipMessage)]
    assert kinds == [PayloadType.DIAGNOSTIC_ACK, PayloadType.DIAGNOSTIC, PayloadType.DIAGNOSTIC]
    events = DoipClient(TESTER).receive(output.data)
    assert events == [Answer(ECU, b"\x7f\x22\x78"), Answer(ECU, b"\x62\xf1\x90")]


@pytest.mark.parametrize(
    ("source", "target", "code", "is_last"),
    [(TESTER + 1, ECU, 0x02, True), (TESTER, 0x7777, 0x03, False)],
)
def test_wrong_addresses_are_refused(source: int, target: int, code: int, *, is_last: bool) -> None:
    server = new_server()
    activated(server, 1)
    (output,) = server.receive(1, encode_diagnostic(source, target, b"\x3e\x00"), START)
    assert message(output).kind == PayloadType.DIAGNOSTIC_NACK
    assert message(output).payload[4] == code
    assert output.is_last is is_last


def test_nothing_is_routed_before_activation() -> None:
    server = new_server()
    server.connect(1, START)
    (output,) = server.receive(1, encode_diagnostic(TESTER, ECU, b"\x3e\x00"), START)
    assert message(output).payload[4] == 0x02
    assert output.is_last


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (RoutingRequest(0x0001), ActivationCode.UNKNOWN_SOURCE),
        (RoutingRequest(TESTER, 0x77), ActivationCode.UNSUPPORTED_TYPE),
    ],
)
def test_activations_that_make_no_sense_close_the_connection(
    request_: RoutingRequest, code: ActivationCode
) -> None:
    server = new_server()
    server.connect(1, START)
    (output,) = server.receive(1, encode_routing_request(request_), START)
    assert (code_of(output), output.is_last) == (code, True)


def test_one_connection_has_one_tester_and_places_are_limited() -> None:
    server = new_server(connections_max=1)
    activated(server, 1)
    (output,) = activated(server, 2, TESTER + 1)
    assert (code_of(output), output.is_last) == (ActivationCode.NO_SOCKET_LEFT, True)
    again = encode_routing_request(RoutingRequest(TESTER + 1))
    (output,) = server.receive(1, again, START)
    assert (code_of(output), output.is_last) == (ActivationCode.SOURCE_DIFFERS, True)


def test_a_tester_that_is_alive_keeps_its_place() -> None:
    server = new_server()
    activated(server, 1)
    (asked,) = activated(server, 2)
    assert (asked.connection, message(asked).kind) == (1, PayloadType.ALIVE_REQUEST)
    (event,) = DoipClient(TESTER).receive(asked.data)
    assert isinstance(event, SendNow)
    (output,) = server.receive(1, event.data, START)
    assert (output.connection, output.is_last) == (2, True)
    assert code_of(output) == ActivationCode.SOURCE_IN_USE


def test_a_dead_tester_loses_its_place_after_half_a_second() -> None:
    server = new_server()
    activated(server, 1)
    activated(server, 2)
    assert server.deadline == START + timedelta(seconds=0.5)
    closed, admitted = server.tick(START + timedelta(seconds=0.5))
    assert (closed.connection, closed.is_last) == (1, True)
    assert (admitted.connection, code_of(admitted)) == (2, ActivationCode.SUCCESS)


def test_a_tester_that_leaves_makes_room_at_once() -> None:
    server = new_server()
    activated(server, 1)
    activated(server, 2)
    (admitted,) = server.disconnect(1, START)
    assert (admitted.connection, code_of(admitted)) == (2, ActivationCode.SUCCESS)


def test_idle_connections_are_closed_in_time() -> None:
    server = new_server()
    server.connect(1, START)
    activated(server, 2)
    (first,) = server.tick(START + timedelta(seconds=2))
    assert (first.connection, first.is_last) == (1, True)
    assert server.tick(START + timedelta(seconds=299)) == []
    (second,) = server.tick(START + timedelta(seconds=300))
    assert (second.connection, second.is_last) == (2, True)
    assert server.deadline is None


def test_a_tester_may_ask_whether_the_entity_is_alive() -> None:
    server = new_server()
    activated(server, 1)
    (output,) = server.receive(1, encode_message(PayloadType.ALIVE_REQUEST), START)
    assert message(output) == DoipMessage(PayloadType.ALIVE_RESPONSE, b"\x10\x00")


def test_a_refused_activation_is_a_routing_error() -> None:
    client = DoipClient(TESTER)
    refusal = encode_routing_response(RoutingResponse(TESTER, GATEWAY, 0x03))
    with pytest.raises(RoutingError):
        client.receive(refusal)
    with pytest.raises(RoutingError):
        DoipClient(TESTER).receive(encode_message(PayloadType.HEADER_NACK, b"\x01"))
    with pytest.raises(DoipFormatError):
        DoipClient(TESTER).receive(b"HTTP/1.1 200")
