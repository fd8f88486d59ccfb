"""Proofs are checked offline: right ones pass, any change ends with status 7."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.conftest import Cli

from roadworthy.base.encoding import canonical
from roadworthy.compliance.ledger import (
    Entry,
    Frontier,
    MemoryNodes,
    leaf_hash,
    make_bundle,
    sign_head,
)
from roadworthy.trust.keys import key_of, key_to_json, signer_from_seed

SIGNER = signer_from_seed(bytes(31) + b"\7")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENTRIES = [
    Entry(number, NOW, "campaign-started", "anna", f"campaign/c{number}", {"waves": number})
    for number in range(5)
]


def bundle() -> bytes:
    nodes, frontier = MemoryNodes(), Frontier()
    for entry in ENTRIES:
        frontier, completed = frontier.append(leaf_hash(entry.leaf()))
        nodes.add(completed)
    return make_bundle(ENTRIES[3], sign_head(frontier, NOW, SIGNER), nodes)


BUNDLE = bundle()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    proof, key = tmp_path / "proof.json", tmp_path / "ledger.pub.json"
    proof.write_bytes(BUNDLE)
    key.write_bytes(key_to_json(key_of(SIGNER)))
    return proof, key


def test_a_true_proof_verifies_and_shows_its_entry(cli: Cli, files: tuple[Path, Path]) -> None:
    proof, key = files
    told = cli.ok("ledger", "verify", proof, "--key", key)
    assert told["verified"] is True
    assert told["entry"]["subject"] == "campaign/c3"
    result = cli("ledger", "verify", proof, "--key", key)
    assert "campaign/c3" in result.stdout
    assert "verifies" in result.stderr


def changed(path: tuple[str | int, ...], value: object) -> bytes:
    """Return the bundle in canonical form with one value changed."""
    raw: Any = json.loads(BUNDLE)
    place = raw
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return canonical(raw)


@pytest.mark.parametrize(
    "data",
    [
        changed(("entry", "actor"), "mallory"),
        changed(("entry", "index"), 2),
        changed(("entry", "data"), {"waves": 1}),
        changed(("inclusion", 0), "00" * 32),
        changed(("inclusion",), []),
        changed(("format",), "roadworthy-ledger-proof-2"),
        changed(("head",), {}),
        BUNDLE + b"\n",
        BUNDLE[:-1],
        b"",
        b"[]",
    ],
)
def test_a_changed_proof_is_status_7(cli: Cli, files: tuple[Path, Path], data: bytes) -> None:
    proof, key = files
    proof.write_bytes(data)
    result = cli("ledger", "verify", proof, "--key", key)
    assert result.exit_code == 7, result.output
    assert result.stdout == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, len(BUNDLE) - 1), st.integers(1, 255))
def test_no_changed_byte_verifies(
    cli: Cli, files: tuple[Path, Path], place: int, difference: int
) -> None:
    proof, key = files
    data = bytearray(BUNDLE)
    data[place] ^= difference
    proof.write_bytes(bytes(data))
    assert cli("ledger", "verify", proof, "--key", key).exit_code == 7


def test_a_proof_by_another_key_is_status_7(cli: Cli, files: tuple[Path, Path]) -> None:
    proof, key = files
    key.write_bytes(key_to_json(key_of(signer_from_seed(bytes(32)))))
    assert cli("ledger", "verify", proof, "--key", key).exit_code == 7


def test_a_missing_proof_and_a_broken_key_are_status_2(
    cli: Cli, files: tuple[Path, Path], tmp_path: Path
) -> None:
    proof, key = files
    assert cli("ledger", "verify", tmp_path / "none.json", "--key", key).exit_code == 2
    key.write_bytes(b"{}")
    assert cli("ledger", "verify", proof, "--key", key).exit_code == 2
