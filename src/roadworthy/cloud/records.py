"""Every decision of the cloud becomes an entry of the ledger, in the same write as its effect.

An entry names its subjects (`campaign/…`, `vehicle/…`, `release/…`), so that a page can show
what happened to a thing, and each line of it can be proven.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from roadworthy.base.errors import NotFoundError
from roadworthy.cloud.authority import Authority
from roadworthy.cloud.ports import LedgerTable, StoredEntry, Tables
from roadworthy.compliance.ledger import (
    Entry,
    Frontier,
    SignedTreeHead,
    leaf_hash,
    make_bundle,
    parse_entry,
    sign_head,
)

__all__ = ["Nodes", "entry_at", "proof_bundle", "record", "tree_head"]


class Nodes:
    """The ledger's nodes as the proofs read them."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table

    def node(self, level: int, index: int) -> bytes:
        """Return the 32-byte hash of a complete subtree; level 0 is a leaf hash."""
        found = self._table.node(level, index)
        if found is None:
            raise NotFoundError("is not in the ledger", value=f"node {level}/{index}")
        return found


def record(
    tables: Tables,
    kind: str,
    *,
    actor: str,
    subjects: Sequence[str],
    data: dict[str, Any],
    now: datetime,
) -> int:
    """Append an entry and return its index.

    Args:
        tables: of the write that also does what the entry says.
        kind: such as `release-signed`.
        actor: who decided: an account's name, `engine`, or a vehicle.
        subjects: ids of what it is about, the main one first.
        data: facts; strings, integers, lists and objects only.
        now: the time of the entry.
    """
    index = tables.ledger.size()
    leaf = Entry(
        index=index, time=now, type=kind, actor=actor, subject=subjects[0], data=data
    ).leaf()
    _, completed = Frontier.load(index, Nodes(tables.ledger)).append(leaf_hash(leaf))
    tables.ledger.put_nodes({(node.level, node.index): node.hash for node in completed})
    tables.ledger.put_entry(StoredEntry(index, leaf), subjects)
    return index


def entry_at(table: LedgerTable, index: int) -> Entry:
    """Return the entry at an index or raise NotFoundError."""
    stored = table.entry(index) if 0 <= index < table.size() else None
    if stored is None:
        raise NotFoundError("no such entry", value=f"ledger/{index}")
    return parse_entry(stored.data)


def tree_head(table: LedgerTable, authority: Authority, *, now: datetime) -> SignedTreeHead:
    """Return the signed state of the whole ledger."""
    frontier = Frontier.load(table.size(), Nodes(table))
    return sign_head(frontier, now, authority.ledger)


def proof_bundle(table: LedgerTable, authority: Authority, index: int, *, now: datetime) -> bytes:
    """Return what proves offline that the entry is in the ledger."""
    entry = entry_at(table, index)
    return make_bundle(entry, tree_head(table, authority, now=now), Nodes(table))
