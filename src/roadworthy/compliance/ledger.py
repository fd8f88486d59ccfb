"""The ledger: every decision is an entry of an append-only Merkle log, provable offline.

An entry's leaf is its JSON with sorted keys, no white space and integers only. The operator
signs the tree head (size, root, time) with its ledger key. A proof bundle holds one entry, its
audit path and a signed head; whoever has the public key can check it without our servers.
Entries carry vehicle keys, never VINs, so that an erased person leaves no trace in a log that
can't forget.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from roadworthy.base.encoding import canonical, parse_json_object
from roadworthy.base.errors import InputError
from roadworthy.compliance.merkle import (
    Frontier,
    MemoryNodes,
    Node,
    NodeReader,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from roadworthy.trust.envelope import seal, unseal
from roadworthy.trust.tuf import CryptoSigner, Key

__all__ = [
    "BUNDLE_BYTES_MAX",
    "Entry",
    "Frontier",
    "MemoryNodes",
    "Node",
    "NodeReader",
    "ProofError",
    "SignedTreeHead",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "make_bundle",
    "parse_entry",
    "parse_head",
    "root_hash",
    "sign_head",
    "verify_bundle",
    "verify_consistency",
    "verify_head",
    "verify_inclusion",
]

BUNDLE_BYTES_MAX = 256 * 1024
_ENTRY_BYTES_MAX = 64 * 1024
_FORMAT = "roadworthy-ledger-proof-1"
_HEAD_TYPE = "tree-head"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}")
_TEXT_MAX = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision.

    index: its place, 0 first. time: aware, UTC. type: what was decided, such as
    "campaign-started". actor: who decided (an operator, "engine", a vehicle key). subject: what
    it is about. data: details that have a canonical form (no floats).
    """

    index: int
    time: datetime
    type: str
    actor: str
    subject: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def leaf(self) -> bytes:
        """Return the canonical bytes that are hashed into the tree.

        Raises:
            InputError: a field is out of range or has no canonical form, or the entry is larger
                than 64 KiB.
        """
        leaf = _canonical(_entry_json(self))
        if len(leaf) > _ENTRY_BYTES_MAX:
            raise InputError(f"has {len(leaf)} bytes", value="entry", todo="store a digest instead")
        parse_entry(leaf)
        return leaf


@dataclass(frozen=True, slots=True)
class SignedTreeHead:
    """The state of the whole ledger at a time; `sealed` is the envelope that says so."""

    size: int
    root: bytes
    time: datetime
    sealed: bytes


def parse_entry(leaf: bytes) -> Entry:
    """Return the entry with these canonical bytes.

    Raises:
        InputError: not an entry, or not in canonical form.
    """
    raw = parse_json_object(leaf, name="entry", size_bytes_max=_ENTRY_BYTES_MAX)
    if _canonical(raw) != leaf:
        raise InputError("is not in canonical form", value="entry")
    return _entry(raw)


def sign_head(frontier: Frontier, now: datetime, signer: CryptoSigner) -> SignedTreeHead:
    """Sign the state of the ledger that `frontier` describes."""
    root = frontier.root()
    body = {
        "type": _HEAD_TYPE,
        "size": frontier.size,
        "root": root.hex(),
        "time": _time_text(now),
    }
    return SignedTreeHead(frontier.size, root, now, seal(body, signer))


def parse_head(sealed: bytes, key: Key) -> SignedTreeHead:
    """Return the tree head in an envelope that `key` signed.

    Raises:
        MalformedError, OversizeError, SignatureError: as `trust.envelope.unseal`.
        InputError: the body is no tree head.
    """
    body = unseal(sealed, key)
    match body:
        case {
            "type": str() as kind,
            "size": int() as size,
            "root": str() as root,
            "time": str() as time,
            **rest,
        } if not rest and kind == _HEAD_TYPE and type(size) is int and size >= 0:
            return SignedTreeHead(size, _hash(root), _time(time), sealed)
    raise InputError("is not a tree head", value="head")


def verify_head(older: SignedTreeHead, newer: SignedTreeHead, proof: Sequence[bytes]) -> None:
    """Check that the newer ledger begins with all of the older one: nothing was rewritten.

    Raises:
        ProofError: it does not, or the older one was empty and can't be begun with.
    """
    verify_consistency(older.size, newer.size, proof, old_root=older.root, root=newer.root)


def make_bundle(entry: Entry, head: SignedTreeHead, nodes: NodeReader) -> bytes:
    """Return the proof bundle of an entry: canonical JSON, to be kept beside a document.

    Raises:
        InputError: the head is older than the entry.
    """
    path = inclusion_proof(entry.index, head.size, nodes)
    return _canonical(
        {
            "format": _FORMAT,
            "entry": _entry_json(entry),
            "inclusion": [item.hex() for item in path],
            "head": parse_json_object(head.sealed, name="head", size_bytes_max=BUNDLE_BYTES_MAX),
        }
    )


def verify_bundle(data: bytes, key: Key) -> Entry:
    """Check a proof bundle with nothing but the ledger's public key; return its entry.

    Args:
        data: the bundle exactly as exported.
        key: the ledger's public key.

    Raises:
        InputError: not a bundle, or changed in form.
        SignatureError: the head is not signed by `key`.
        ProofError: the entry is not in the ledger that the head describes.
    """
    raw = parse_json_object(data, name="bundle", size_bytes_max=BUNDLE_BYTES_MAX)
    if _canonical(raw) != data:
        raise InputError(
            "is not in canonical form", value="bundle", todo="check the file as it was exported"
        )
    match raw:
        case {
            "format": str() as form,
            "entry": dict() as entry_json,
            "inclusion": list() as path,
            "head": dict() as head_json,
            **rest,
        } if not rest and form == _FORMAT:
            head = parse_head(_canonical(head_json), key)
            entry = _entry(entry_json)
        case _:
            raise InputError("is not a ledger proof", value="bundle")
    leaf = leaf_hash(_canonical(entry_json))
    verify_inclusion(leaf, entry.index, head.size, [_hash(item) for item in path], head.root)
    return entry


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "index": entry.index,
        "time": _time_text(entry.time),
        "type": entry.type,
        "actor": entry.actor,
        "subject": entry.subject,
        "data": dict(entry.data),
    }


def _entry(raw: dict[str, Any]) -> Entry:
    match raw:
        case {
            "index": int() as index,
            "time": str() as time,
            "type": str() as kind,
            "actor": str() as actor,
            "subject": str() as subject,
            "data": dict() as data,
            **rest,
        } if not rest and type(index) is int and index >= 0:
            if max(len(kind), len(actor), len(subject)) > _TEXT_MAX:
                raise InputError(f"has a name longer than {_TEXT_MAX} characters", value="entry")
            return Entry(index, _time(time), kind, actor, subject, data)
    raise InputError("is not a ledger entry", value="entry")


def _time_text(time: datetime) -> str:
    if time.utcoffset() is None:
        raise InputError("has no time zone", value="time", todo="give an aware time")
    return time.astimezone(UTC).strftime(_TIME_FORMAT)


def _time(text: str) -> datetime:
    try:
        if _TIME.fullmatch(text):
            return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise InputError("is not a time in UTC with microseconds", value="time")


def _hash(text: object) -> bytes:
    if not isinstance(text, str) or not _HASH.fullmatch(text):
        raise InputError("is not 64 lower-case hex digits", value="hash")
    return bytes.fromhex(text)


def _canonical(value: object) -> bytes:
    # Canonical JSON proper leaves control characters raw, which no JSON parser takes; here they
    # are escaped (RFC 8259), so that a leaf and a bundle are JSON for everyone.
    try:
        canonical(value)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError("holds text that is not Unicode", value="value") from error
