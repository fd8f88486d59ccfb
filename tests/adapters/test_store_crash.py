"""A server may be killed at any moment: nothing that was acknowledged is lost."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.base.clock import SeededChance
from roadworthy.cloud.ports import Account, StoredEntry

_PROGRAM = Path(__file__).with_name("endless_writer.py")
_ROUNDS = 8


def _write_until_killed(path: Path, acknowledged_before_kill: int) -> dict[int, bytes]:
    """Kill the writer after so many lines; return all that it acknowledged until it died."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(_PROGRAM), str(path)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(acknowledged_before_kill)]
        writer.kill()
        lines += writer.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith(b"\n")]
    return {int(index): data for index, data in whole}


def test_every_acknowledged_write_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    chance = SeededChance("kill")
    acknowledged: dict[int, bytes] = {}
    for _ in range(_ROUNDS):
        acknowledged |= _write_until_killed(path, int(chance.uniform(1, 300)))
        with closing(SqliteStore(path, StoredEntry, Account)) as store:
            tables = store.read()
            stored = {entry.index: entry.data for entry in tables.ledger.entries(limit=1_000_000)}
            assert acknowledged.items() <= stored.items()
            assert sorted(stored) == list(range(tables.ledger.size()))
            assert tables.metadata.get("last", "", "index") == str(len(stored) - 1).encode()
            for writer in {data.split(b"/")[0].decode() for data in stored.values()}:
                newest = tables.ledger.entries(subject=f"writer-{writer}", limit=1)
                assert tables.metadata.get("last", "", f"writer-{writer}") == newest[0].data
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(acknowledged) >= _ROUNDS
