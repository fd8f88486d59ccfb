"""Identifiers are checked once, where they come in."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base import ids
from roadworthy.base.errors import InputError

Parser = Callable[[str], str]
VALID: list[tuple[Parser, str]] = [
    (ids.parse_vin, "WVWZZZ1JZXW000001"),
    (ids.parse_vehicle_key, "v0123456789abcdef"),
    (ids.parse_ecu_serial, "ECU-7_a"),
    (ids.parse_hardware_id, "a" * 48),
    (ids.parse_sha256, "0" * 63 + "f"),
]
INVALID: list[tuple[Parser, str]] = [
    (ids.parse_vin, "WVWZZZ1JZXW00000I"),
    (ids.parse_vin, "wvwzzz1jzxw000001"),
    (ids.parse_vin, "WVWZZZ1JZXW00000"),
    (ids.parse_vin, "WVWZZZ1JZXW00000\N{FULLWIDTH DIGIT ONE}"),
    (ids.parse_vehicle_key, "v0123456789ABCDEF"),
    (ids.parse_vehicle_key, "0123456789abcdef0"),
    (ids.parse_vehicle_key, "v0123456789abcde"),
    (ids.parse_ecu_serial, "-first"),
    (ids.parse_ecu_serial, "a" * 49),
    (ids.parse_hardware_id, "a.b"),
    (ids.parse_hardware_id, "../a"),
    (ids.parse_sha256, "0" * 65),
    (ids.parse_sha256, "F" * 64),
]
PARSERS = sorted({parser for parser, _ in VALID}, key=lambda parser: parser.__name__)


@pytest.mark.parametrize(("parser", "text"), VALID)
def test_a_valid_identifier_stays_as_it_is(parser: Parser, text: str) -> None:
    assert parser(text) == text


@pytest.mark.parametrize(("parser", "text"), INVALID)
def test_an_invalid_identifier_is_refused_and_says_what_is_right(parser: Parser, text: str) -> None:
    with pytest.raises(InputError) as raised:
        parser(text)
    assert raised.value.value
    assert raised.value.todo.startswith("give ")


@pytest.mark.parametrize(("parser", "text"), VALID)
@pytest.mark.parametrize("around", ["{}\n", "\n{}", " {}", "{}\0", "{}/", "{}#", "{}.{}"])
def test_nothing_may_stand_before_or_after(parser: Parser, text: str, around: str) -> None:
    with pytest.raises(InputError):
        parser(around.format(text, text))


@pytest.mark.parametrize("parser", PARSERS)
@given(text=st.text(max_size=70))
def test_any_text_is_an_identifier_or_an_input_error(parser: Parser, text: str) -> None:
    try:
        assert parser(text) == text
    except InputError:
        return
    assert text.isascii()
    assert not set(text) & set("/.#+*\\ \t\n\0")
