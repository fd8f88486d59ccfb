"""UDS messages survive the way to bytes and back, and any bytes get a typed error."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.diagnostics.ecu_bench import START

from roadworthy.diagnostics import uds
from roadworthy.diagnostics.answers import (
    SessionTiming,
    block_length_max,
    decode_answer,
    negative,
    positive,
    session_timing,
    split_records,
)
from roadworthy.diagnostics.errors import (
    MalformedResponseError,
    NegativeResponseError,
    NoResponseError,
)
from roadworthy.diagnostics.exchange import Exchange, Final, Repeat, Wait
from roadworthy.diagnostics.identity import decode_slot_size, encode_slot_size
from roadworthy.diagnostics.nrc import Nrc, nrc_words

BYTE = st.integers(0, 255)
SUB = st.integers(0, 127)
U32 = st.integers(0, 2**32 - 1)
DID = st.integers(0, 0xFFFF)
REQUESTS: st.SearchStrategy[uds.UdsRequest] = st.one_of(
    st.builds(uds.SessionControl, SUB, st.booleans()),
    st.builds(uds.EcuReset, SUB, st.booleans()),
    st.builds(uds.ReadData, st.lists(DID, min_size=1, max_size=64).map(tuple)),
    st.builds(uds.SecurityAccess, SUB, st.binary(), st.booleans()),
    st.builds(uds.RoutineControl, DID, st.binary(), SUB, st.booleans()),
    st.builds(uds.RequestDownload, U32, U32, BYTE),
    st.builds(uds.TransferData, BYTE, st.binary()),
    st.builds(uds.TransferExit, st.binary()),
    st.builds(uds.TesterPresent, st.booleans()),
)


@given(REQUESTS)
def test_a_request_survives_the_way_to_bytes_and_back(request: uds.UdsRequest) -> None:
    assert uds.decode_request(uds.encode_request(request)) == request


@given(st.binary(max_size=40))
def test_any_request_bytes_decode_or_are_refused_with_a_code_of_the_standard(data: bytes) -> None:
    outcome = decoded_or_refused(data)
    if isinstance(outcome, NegativeResponseError):
        assert outcome.nrc in set(Nrc)
        assert outcome.service == (data[0] if data else 0)
    else:
        assert uds.decode_request(encode_request_or(data, outcome)) == outcome


def decoded_or_refused(data: bytes) -> uds.UdsRequest | NegativeResponseError:
    try:
        return uds.decode_request(data)
    except NegativeResponseError as error:
        return error


def encode_request_or(data: bytes, request: uds.UdsRequest) -> bytes:
    """A download may come with other field widths and larger numbers than ours."""
    return data if isinstance(request, uds.RequestDownload) else uds.encode_request(request)


@given(REQUESTS, st.binary(max_size=80))
def test_any_answer_bytes_give_a_body_or_a_typed_error(
    request: uds.UdsRequest, data: bytes
) -> None:
    payload = uds.encode_request(request)
    try:
        body = decode_answer(payload, data)
    except (NegativeResponseError, MalformedResponseError):
        return
    assert data.endswith(body)
    assert data[0] == payload[0] + 0x40


@given(st.binary(max_size=20))
def test_any_answer_body_gives_a_value_or_a_typed_error(body: bytes) -> None:
    for parse in (session_timing, block_length_max, lambda b: split_records([0xF187, 0xF189], b)):
        with suppress(MalformedResponseError):
            assert parse(body) is not None


@pytest.mark.parametrize(
    ("data", "request_"),
    [
        ("10 03", uds.SessionControl(3)),
        ("10 83", uds.SessionControl(3, suppress=True)),
        ("22 F1 90 FD 00", uds.ReadData((0xF190, 0xFD00))),
        ("31 01 FF 00 44", uds.RoutineControl(0xFF00, b"\x44")),
        ("34 00 44 00 00 10 00 00 00 02 00", uds.RequestDownload(0x1000, 0x200)),
        ("34 00 12 10 00 20", uds.RequestDownload(0x1000, 0x20)),
        ("36 FF AA BB", uds.TransferData(0xFF, b"\xaa\xbb")),
        ("3E 80", uds.TesterPresent(suppress=True)),
    ],
)
def test_known_bytes_mean_what_the_standard_says(data: str, request_: uds.UdsRequest) -> None:
    assert uds.decode_request(bytes.fromhex(data)) == request_


@pytest.mark.parametrize(
    ("data", "nrc"),
    [
        ("", Nrc.INCORRECT_LENGTH_OR_FORMAT),
        ("2E F1 90", Nrc.SERVICE_NOT_SUPPORTED),
        ("10", Nrc.INCORRECT_LENGTH_OR_FORMAT),
        ("10 03 00", Nrc.INCORRECT_LENGTH_OR_FORMAT),
        ("22 F1", Nrc.INCORRECT_LENGTH_OR_FORMAT),
        ("31 01 FF", Nrc.INCORRECT_LENGTH_OR_FORMAT),
        ("34 00 40 00", Nrc.REQUEST_OUT_OF_RANGE),
        ("34 00 44 00", Nrc.INCORRECT_LENGTH_OR_FORMAT),
        ("36", Nrc.INCORRECT_LENGTH_OR_FORMAT),
        ("3E 01", Nrc.SUB_FUNCTION_NOT_SUPPORTED),
    ],
)
def test_a_bad_request_is_refused_with_the_right_code(data: str, nrc: Nrc) -> None:
    with pytest.raises(NegativeResponseError) as caught:
        uds.decode_request(bytes.fromhex(data))
    assert caught.value.nrc == nrc


def test_answers_are_checked_against_their_request() -> None:
    request = uds.encode_request(uds.TransferData(5, b"x"))
    assert decode_answer(request, b"\x76\x05rest") == b"rest"
    for wrong in (b"", b"\x76\x06", b"\x77", b"\x7f\x31\x10", b"\x7f\x36", b"\x7f\x36\x10\x00"):
        with pytest.raises(MalformedResponseError):
            decode_answer(request, wrong)


def test_times_and_lengths_have_the_units_of_the_standard() -> None:
    assert session_timing(bytes.fromhex("003201f4")) == SessionTiming(0.05, 5.0)
    assert block_length_max(bytes.fromhex("200402")) == 0x402
    for too_small in ("200002", "00", "4000", "20040200"):
        with pytest.raises(MalformedResponseError):
            block_length_max(bytes.fromhex(too_small))


def test_every_code_has_words_even_an_unknown_one() -> None:
    assert all(nrc_words(code) for code in range(256))
    assert "0x99" in nrc_words(0x99)
    assert "locked" in str(NegativeResponseError(0x36, Nrc.SECURITY_ACCESS_DENIED))


def exchange() -> Exchange:
    return Exchange(b"\x31\x01\xff\x00", p2_s=1, p2_star_s=5, now=START)


def test_response_pending_restarts_the_timer_with_p2_star() -> None:
    waiting = exchange()
    later = START + timedelta(seconds=0.9)
    step = waiting.receive(negative(0x31, Nrc.RESPONSE_PENDING), later)
    assert step == Wait(later + timedelta(seconds=5))
    waiting.expire(later + timedelta(seconds=4.9))
    final = positive(0x31, b"\x01\xff\x00")
    assert waiting.receive(final, later + timedelta(seconds=4.9)) == Final(final)


def test_silence_is_an_error_only_once_the_deadline_has_passed() -> None:
    waiting = exchange()
    waiting.expire(START + timedelta(seconds=0.99))
    with pytest.raises(NoResponseError):
        waiting.expire(START + timedelta(seconds=1))


def test_a_busy_ecu_is_asked_again_but_not_for_ever() -> None:
    waiting = exchange()
    busy = negative(0x31, Nrc.BUSY_REPEAT_REQUEST)
    steps = [waiting.receive(busy, START) for _ in range(11)]
    assert all(isinstance(step, Repeat) for step in steps[:10])
    assert steps[10] == Final(busy)


def test_an_ecu_that_asks_for_time_without_end_is_given_up() -> None:
    waiting = exchange()
    pending = negative(0x31, Nrc.RESPONSE_PENDING)
    for _ in range(120):
        assert isinstance(waiting.receive(pending, START), Wait)
    with pytest.raises(NoResponseError):
        waiting.receive(pending, START)


@given(st.binary(max_size=8))
def test_an_exchange_takes_any_answer_bytes(data: bytes) -> None:
    try:
        step = exchange().receive(data, START)
    except MalformedResponseError:
        return
    assert isinstance(step, Final | Repeat | Wait)


@given(st.integers(0, 1 << 40))
def test_a_slot_size_is_told_in_4_bytes(size_bytes: int) -> None:
    told = decode_slot_size(b"\xfd\x01" + encode_slot_size(size_bytes))
    assert told == min(size_bytes, (1 << 32) - 1)


@given(st.binary(max_size=9).filter(lambda body: len(body) != 6 or body[:2] != b"\xfd\x01"))
@example(b"\xfd\x01\x00\x00\x00")
@example(b"\xfd\x01\x00\x00\x00\x00\x00")
def test_anything_else_is_no_slot_size(body: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        decode_slot_size(body)
