"""One value has one canonical form, and bad bytes are refused by name."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.encoding import canonical, parse_json_object, sha256_hex
from roadworthy.base.errors import InputError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers() | st.none() | st.binary(), inner, max_size=3)
    ),
    max_leaves=12,
)


def parse(data: bytes) -> dict[str, Any]:
    return parse_json_object(data, name="report", size_bytes_max=10_000)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"b": 1, "a": [True, None, "x"]}, b'{"a":[true,null,"x"],"b":1}'),
        ('quote" and back\\slash', b'"quote\\" and back\\\\slash"'),
        ("ü\n", '"ü\n"'.encode()),
        ((1, -2), b"[1,-2]"),
        ({}, b"{}"),
    ],
)
def test_the_canonical_form_is_that_of_the_tuf_specification(value: object, form: bytes) -> None:
    assert canonical(value) == form


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        {"a": math.nan},
        b"bytes",
        {"a": b"bytes"},
        {1: "a"},
        {"a": {2: "b", "c": 1}},
        [{None: 1}],
        {True: 1},
        {(1,): 1},
        {b"a": 1},
        {1, 2},
        pytest.param(object(), id="object"),
        "\ud800",
        {"\udfff": 1},
    ],
    ids=repr,
)
def test_a_value_without_a_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="canonical"):
        canonical(value)


def test_a_value_that_is_nested_without_end_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InputError):
        canonical(endless)


@given(ANYTHING)
def test_canonical_gives_bytes_or_an_input_error(value: object) -> None:
    try:
        form = canonical(value)
    except InputError:
        return
    form.decode()


@given(value=PLAIN, seed=st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_change_the_form(value: object, seed: Any) -> None:  # noqa: ANN401 - hypothesis names no type
    def shuffled(one: object) -> object:
        if isinstance(one, dict):
            items = [(key, shuffled(item)) for key, item in one.items()]
            seed.shuffle(items)
            return dict(items)
        return [shuffled(item) for item in one] if isinstance(one, list) else one

    assert canonical(shuffled(value)) == canonical(value)


@given(left=PLAIN, right=PLAIN)
def test_two_values_have_one_form_only_if_they_are_equal_json(left: object, right: object) -> None:
    alike = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (canonical(left) == canonical(right)) == alike


@given(st.dictionaries(TEXT, PLAIN, max_size=4))
def test_an_object_that_was_written_as_json_is_read_back(value: dict[str, object]) -> None:
    for ascii_only in (True, False):
        data = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert parse_json_object(data, name="report", size_bytes_max=len(data)) == value


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_an_object_or_an_input_error(data: bytes) -> None:
    try:
        value = parse(data)
    except InputError:
        return
    assert isinstance(value, dict)


@given(data=st.dictionaries(st.text(), PLAIN).map(json.dumps), cut=st.integers(0, 40))
def test_a_text_that_was_cut_short_is_an_object_or_an_input_error(data: str, cut: int) -> None:
    try:
        value = parse(data.encode()[: max(0, len(data) - cut)])
    except InputError:
        return
    json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[1]",
        b"1",
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\ud800"}',
        b'{"\\uDFFF":1}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
        b'{"a":' * 4000,
        b'{"a":"' + b"x" * 10_000 + b'"}',
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_not_one_plain_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as raised:
        parse(data)
    assert raised.value.value == "report"


def test_an_object_of_the_largest_depth_and_both_halves_of_a_pair_are_fine() -> None:
    assert parse(b'{"a":' + b"[" * 30 + b"]" * 30 + b"}")
    assert parse(b'{"a":"\\ud83d\\ude9a"}') == {"a": "\N{DELIVERY TRUCK}"}


def test_a_hash_is_that_of_the_standard() -> None:
    assert sha256_hex(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223")
