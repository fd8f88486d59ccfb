"""Write to a store until killed and print each write that was acknowledged; a test runs it."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.cloud.ports import Account, StoredEntry, Tables

_WRITERS = 8


def _work(writer: int, number: int) -> Callable[[Tables], int]:
    def work(tables: Tables) -> int:
        index = tables.ledger.size()
        data = f"{writer}/{number}".encode()
        tables.ledger.put_entry(StoredEntry(index, data), [f"writer-{writer}"])
        tables.metadata.put("last", "", f"writer-{writer}", data)
        tables.metadata.put("last", "", "index", str(index).encode())
        return index

    return work


async def _write(store: SqliteStore[StoredEntry, Account], writer: int) -> None:
    number = 0
    while True:
        index = await store.write(_work(writer, number))
        sys.stdout.write(f"{index} {writer}/{number}\n")
        sys.stdout.flush()
        number += 1


async def _main() -> None:
    store = SqliteStore(Path(sys.argv[1]), StoredEntry, Account)
    await asyncio.gather(*(_write(store, writer) for writer in range(_WRITERS)))


if __name__ == "__main__":
    asyncio.run(_main())
