"""A ledger entry can be checked by anyone with one file and one public key."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.base.errors import InputError, RoadworthyError
from roadworthy.compliance.ledger import (
    Entry,
    Frontier,
    MemoryNodes,
    ProofError,
    SignedTreeHead,
    consistency_proof,
    leaf_hash,
    make_bundle,
    parse_entry,
    parse_head,
    sign_head,
    verify_bundle,
    verify_head,
)
from roadworthy.trust.envelope import seal
from roadworthy.trust.errors import SignatureError
from roadworthy.trust.keys import key_of, signer_from_seed

NOW = datetime(2026, 6, 1, 12, 0, 0, 5, tzinfo=UTC)
SIGNER = signer_from_seed(bytes(32))
KEY = key_of(SIGNER)


def entry(index: int) -> Entry:
    time = NOW + timedelta(seconds=index)
    return Entry(index, time, "wave-advanced", "engine", f"campaign-{index}", {"reached": index})


def ledger(size: int) -> tuple[Frontier, MemoryNodes]:
    frontier, nodes = Frontier(), MemoryNodes()
    for index in range(size):
        frontier, completed = frontier.append(leaf_hash(entry(index).leaf()))
        nodes.add(completed)
    return frontier, nodes


FRONTIER, NODES = ledger(21)
HEAD = sign_head(FRONTIER, NOW, SIGNER)
BUNDLE = make_bundle(entry(13), HEAD, NODES)


def test_a_leaf_has_one_form() -> None:
    assert entry(1).leaf() == (
        b'{"actor":"engine","data":{"reached":1},"index":1,"subject":"campaign-1",'
        b'"time":"2026-06-01T12:00:01.000005Z","type":"wave-advanced"}'
    )


def test_times_are_told_in_utc() -> None:
    local = replace(entry(0), time=NOW.astimezone(timezone(timedelta(hours=2))))
    assert local.leaf() == entry(0).leaf()


TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(data=st.dictionaries(TEXT, JSON, max_size=4), texts=st.tuples(TEXT, TEXT, TEXT))
def test_what_is_entered_comes_back(data: dict[str, Any], texts: tuple[str, str, str]) -> None:
    written = Entry(3, NOW, *texts, data)
    assert parse_entry(written.leaf()) == written


@pytest.mark.parametrize(
    "bad",
    [
        replace(entry(0), data={"share": 0.5}),
        replace(entry(0), data={"text": "\ud800"}),
        replace(entry(0), data={"bytes": b""}),
        replace(entry(0), data={"long": "x" * 70_000}),
        replace(entry(0), index=-1),
        replace(entry(0), index=True),
        replace(entry(0), actor="x" * 201),
        replace(entry(0), time=NOW.replace(tzinfo=None)),
    ],
    ids=["float", "surrogate", "bytes", "long", "index", "bool", "actor", "naive"],
)
def test_what_can_not_be_checked_is_not_entered(bad: Entry) -> None:
    with pytest.raises(InputError):
        bad.leaf()


def test_a_bundle_proves_its_entry() -> None:
    assert verify_bundle(BUNDLE, KEY) == entry(13)


def test_every_entry_of_a_ledger_is_proven() -> None:
    for index in range(21):
        assert verify_bundle(make_bundle(entry(index), HEAD, NODES), KEY).index == index


def test_an_entry_that_was_never_made_can_not_be_proven() -> None:
    forged = replace(entry(13), actor="someone else")
    with pytest.raises(ProofError):
        verify_bundle(make_bundle(forged, HEAD, NODES), KEY)


def test_a_head_by_another_key_proves_nothing() -> None:
    other = key_of(signer_from_seed(bytes([1]) * 32))
    with pytest.raises(SignatureError):
        verify_bundle(BUNDLE, other)


def test_a_head_older_than_the_entry_gives_no_bundle() -> None:
    with pytest.raises(InputError):
        make_bundle(entry(21), HEAD, NODES)


def test_any_changed_byte_of_a_bundle_is_found() -> None:
    for position in range(len(BUNDLE)):
        changed = bytearray(BUNDLE)
        changed[position] ^= 1
        with pytest.raises(RoadworthyError):
            verify_bundle(bytes(changed), KEY)


def test_white_space_in_a_bundle_is_found() -> None:
    with pytest.raises(InputError):
        verify_bundle(json.dumps(json.loads(BUNDLE)).encode(), KEY)


def test_a_newer_head_extends_the_older_one() -> None:
    older = sign_head(ledger(9)[0], NOW, SIGNER)
    verify_head(older, HEAD, consistency_proof(9, 21, NODES))
    rewritten = replace(older, root=bytes(32))
    with pytest.raises(ProofError):
        verify_head(rewritten, HEAD, consistency_proof(9, 21, NODES))


def test_a_head_survives_its_envelope() -> None:
    assert parse_head(HEAD.sealed, KEY) == HEAD
    assert parse_head(HEAD.sealed, KEY) == SignedTreeHead(21, FRONTIER.root(), NOW, HEAD.sealed)


@pytest.mark.parametrize(
    "change",
    [
        {"size": -1},
        {"size": True},
        {"root": "A" * 64},
        {"time": "2026-06-01"},
        {"time": "2026-13-01T12:00:00.000000Z"},
        {"type": "report"},
        {"more": 1},
    ],
    ids=str,
)
def test_a_signed_body_that_is_no_head_is_refused(change: dict[str, object]) -> None:
    body = json.loads(HEAD.sealed)["signed"] | change
    with pytest.raises(InputError):
        parse_head(seal(body, SIGNER), KEY)


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_typed_errors(data: bytes) -> None:
    with pytest.raises(RoadworthyError):
        verify_bundle(data, KEY)
    with pytest.raises(RoadworthyError):
        parse_entry(data)


@settings(max_examples=300)
@given(value=JSON, place=st.sampled_from(["entry", "format", "inclusion", "head", "data", "time"]))
def test_a_bundle_of_another_form_raises_only_typed_errors(value: object, place: str) -> None:
    raw = json.loads(BUNDLE)
    holder = raw["entry"] if place in {"data", "time"} else raw
    holder[place] = value
    data = json.dumps(raw, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    with pytest.raises(RoadworthyError):
        verify_bundle(data, KEY)
