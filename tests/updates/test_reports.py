"""A report of a vehicle is taken in whole and in range, or not at all."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.encoding import canonical, parse_json_object
from roadworthy.base.errors import InputError
from roadworthy.updates.reports import (
    REPORT_BYTES_MAX,
    Inventory,
    Outcome,
    Progress,
    Refusal,
    Report,
    Result,
    Stage,
    parse_report,
    report_body,
)

KEY = "v0123456789abcdef"
ECU = {
    "serial": "brake-1",
    "hardware_id": "esp-9",
    "domain": "safety",
    "address": 0x1001,
    "version": "1.2.3",
    "sha256": "a" * 64,
    "release_counter": 3,
}
COMMON = {"vehicle": KEY, "sequence": 1, "time": 1_700_000_000}
BODIES: dict[str, dict[str, Any]] = {
    "inventory": {**COMMON, "type": "inventory", "ecus": [ECU]},
    "progress": {**COMMON, "type": "progress", "offer": "o", "stage": "staged", "percent": 5},
    "result": {**COMMON, "type": "result", "offer": "o", "outcome": "confirmed", "ecus": [ECU]},
    "refusal": {**COMMON, "type": "refusal", "code": "rollback", "detail": "older"},
}
KINDS: dict[str, type[Report]] = {
    "inventory": Inventory,
    "progress": Progress,
    "result": Result,
    "refusal": Refusal,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(sorted({name for body in BODIES.values() for name in body}))


@pytest.mark.parametrize("kind", BODIES)
def test_a_complete_report_is_taken_in_and_written_back(kind: str) -> None:
    report = parse_report(BODIES[kind])
    assert type(report) is KINDS[kind]
    assert parse_report(report_body(report)) == report
    sent = canonical(report_body(report))
    assert parse_report(parse_json_object(sent, name="r", size_bytes_max=len(sent))) == report


def test_stages_and_outcomes_are_read_by_name() -> None:
    progress, result = parse_report(BODIES["progress"]), parse_report(BODIES["result"])
    assert isinstance(progress, Progress)
    assert isinstance(result, Result)
    assert progress.stage is Stage.STAGED
    assert result.outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("inventory", {"vehicle": "WVWZZZ1JZXW000001"}),
        ("inventory", {"sequence": 0}),
        ("inventory", {"sequence": 1.5}),
        ("inventory", {"sequence": 1 << 53}),
        ("inventory", {"time": -1}),
        ("inventory", {"time": 253_402_300_800}),
        ("inventory", {"ecus": [{**ECU, "release_counter": 1 << 53}]}),
        ("result", {"received_bytes": 1 << 53}),
        ("inventory", {"ecus": [{**ECU, "address": 0}]}),
        ("inventory", {"ecus": None}),
        ("inventory", {"type": "greeting"}),
        ("inventory", {"type": None}),
        ("progress", {"stage": "flying"}),
        ("progress", {"percent": 101}),
        ("progress", {"percent": -1}),
        ("progress", {"offer": "o" * 501}),
        ("progress", {"ecu": "e" * 501}),
        ("result", {"outcome": "maybe"}),
        ("result", {"received_bytes": -1}),
        ("result", {"code": "c" * 501}),
        ("result", {"detail": "d" * 501}),
        ("result", {"ecus": [ECU, ECU]}),
        ("refusal", {"detail": None}),
        ("refusal", {"code": 5}),
    ],
)
def test_a_field_out_of_its_range_is_refused(kind: str, changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        parse_report({**BODIES[kind], **changes})


@pytest.mark.parametrize("kind", BODIES)
def test_every_field_without_a_default_has_to_be_there(kind: str) -> None:
    for name in set(BODIES[kind]) - {"percent"}:
        with pytest.raises(InputError):
            parse_report({key: item for key, item in BODIES[kind].items() if key != name})


def test_the_callers_object_is_not_changed() -> None:
    body = json.loads(json.dumps(BODIES["result"]))
    parse_report(body)
    assert body == BODIES["result"]


@given(st.dictionaries(st.text() | FIELDS, JSON, max_size=8))
def test_any_json_object_is_a_report_or_an_input_error(body: dict[str, Any]) -> None:
    with suppress(InputError):
        assert parse_report(body).vehicle == body["vehicle"]


@given(
    kind=st.sampled_from(sorted(BODIES)),
    changes=st.dictionaries(FIELDS | st.sampled_from(["percent", "code", "ecu"]), JSON, max_size=3),
)
def test_any_changed_report_is_in_range_or_an_input_error(
    kind: str, changes: dict[str, Any]
) -> None:
    try:
        report: Report = parse_report({**BODIES[kind], **changes})
    except InputError:
        return
    assert report.sequence >= 1
    assert report.time >= 0
    assert report_body(report)


INTEGERS = st.integers() | st.sampled_from(
    [limit + more for limit in (0, 1, 100, 0xFFFF, 1 << 53, 253_402_300_800) for more in (-1, 0, 1)]
)


@given(
    name=st.sampled_from(["sequence", "time", "percent", "received_bytes"]),
    number=INTEGERS,
    kind=st.sampled_from(sorted(BODIES)),
)
def test_every_integer_that_is_taken_in_is_exact_in_json_and_every_time_a_date(
    name: str, number: int, kind: str
) -> None:
    try:
        report = parse_report({**BODIES[kind], name: number})
    except InputError:
        assert not 1 <= number <= 100, "an ordinary number is in range of each"
        return
    for value in report_body(report).values():
        assert not isinstance(value, int) or 0 <= value < 1 << 53
    assert datetime.fromtimestamp(report.time, UTC).year <= 9999


@given(name=st.sampled_from(["release_counter", "address"]), number=INTEGERS)
def test_every_integer_of_an_ecu_that_is_taken_in_is_exact_in_json(name: str, number: int) -> None:
    try:
        report = parse_report({**BODIES["inventory"], "ecus": [{**ECU, name: number}]})
    except InputError:
        assert not 1 <= number <= 0xFFFF
        return
    assert isinstance(report, Inventory)
    assert 0 <= getattr(report.ecus[0], name) < 1 << 53


@given(data=st.sampled_from(sorted(BODIES)), place=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_report_with_a_damaged_byte_is_a_report_or_an_input_error(
    data: str, place: int, byte: int
) -> None:
    sent = bytearray(canonical(BODIES[data]))
    sent[place % len(sent)] = byte
    try:
        body = parse_json_object(bytes(sent), name="report", size_bytes_max=REPORT_BYTES_MAX)
        report = parse_report(body)
    except InputError:
        return
    canonical(report_body(report))
