"""A report of a vehicle is taken in whole and in range, or not at all."""

import json
from contextlib import suppress
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
        ("inventory", {"time": -1}),
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
