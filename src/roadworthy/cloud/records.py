"""Every decision of the cloud becomes an entry of the ledger, in the same write as its effect.

An entry names its subjects (`campaign/…`, `vehicle/…`, `release/…`), so that a page can show
what happened to a thing, and each line of it can be proven.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from roadworthy.cloud.ports import StoredEntry, Tables
from roadworthy.compliance.ledger import Entry, append_leaf, entry_bytes

__all__ = ["record"]


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
    entry = Entry(
        index=index,
        time=int(now.timestamp() * 1000),
        type=kind,
        actor=actor,
        subject=subjects[0],
        data=data,
    )
    leaf = entry_bytes(entry)
    tables.ledger.put_nodes(append_leaf(index, leaf, tables.ledger.node))
    tables.ledger.put_entry(StoredEntry(index, leaf), subjects)
    return index
