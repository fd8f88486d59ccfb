"""Durable tables in one SQLite file: many writes share one commit to the disk.

A commit that survives a power cut has to wait for the disk (`synchronous=FULL`), so works
that arrive while the disk is busy run together in the next transaction:

    write ─┐                                     ┌─▶ answer
    write ─┼─▶ BEGIN · work · work · work · COMMIT ─┼─▶ answer
    write ─┘    on the event loop   in a thread  └─▶ its own error, after ROLLBACK TO

A work runs from its begin to its end on the caller's thread with nothing in between, in a
savepoint of its own: if it raises, only its own changes are undone. No caller hears of its
work, good or bad, before the commit; if the commit fails, none of the works happened.
"""

import asyncio
import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from roadworthy.adapters.sqlite_cloud import SqliteTables
from roadworthy.adapters.sqlite_link import Link
from roadworthy.adapters.sqlite_schema import migrate
from roadworthy.adapters.store_records import AccountRecord, EntryRecord
from roadworthy.base.errors import StoreError

__all__ = ["SqliteStore"]

Answer = TypeVar("Answer")
Entry = TypeVar("Entry", bound=EntryRecord)
Account = TypeVar("Account", bound=AccountRecord)

_WORKS_PER_COMMIT_MAX = 128


class _Outcome(NamedTuple):
    """How a work ended: with an answer, or with an error that its caller gets."""

    answer: Any = None
    error: Exception | None = None


class _Job(NamedTuple):
    """A work in the queue and who waits for it."""

    work: Callable[[Any], Any]
    done: "asyncio.Future[Any]"


class SqliteStore(Generic[Entry, Account]):
    """Implements `cloud.ports.Store` on a file.

    Args:
        path: the database file; `-wal`, `-shm` and `.lock` files appear beside it.
        make_entry: makes the cloud's record of a ledger entry from index and data.
        account: the cloud's record of an account.

    Raises:
        StoreError: another process has the store open, or the file is not usable.
    """

    def __init__(
        self, path: Path, make_entry: Callable[[int, bytes], Entry], account: type[Account]
    ) -> None:
        self._path = path
        self._lock_fd = _lock(path)
        try:
            self._writer = Link(path, writer=True)
            try:
                migrate(self._writer)
                self._reader = Link(path, writer=False)
            except BaseException:
                self._writer.close()
                raise
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._writable = SqliteTables.on(self._writer, make_entry, account)
        self._readable = SqliteTables.on(self._reader, make_entry, account)
        self._queue: deque[_Job] = deque()
        self._drain_task: asyncio.Task[None] | None = None
        self._transaction = threading.Lock()
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-commit")
        self._closed = False

    async def write(self, work: Callable[[SqliteTables[Entry, Account]], Answer]) -> Answer:
        """Run `work` on the tables; on return its changes are durable, all of them.

        A caller that is cancelled before its work ran takes it back; afterwards it is done.

        Raises:
            StoreError: the disk failed; nothing of `work` happened.
        """
        self._check_usable()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()
        self._queue.append(_Job(work, done))
        if self._drain_task is None or self._drain_task.done():
            self._drain_task = loop.create_task(self._drain())
        return await done

    def write_now(self, work: Callable[[SqliteTables[Entry, Account]], Answer]) -> Answer:
        """Do what `write` does, and block until it is done; one commit for each call."""
        self._check_usable()
        outcome = self._run((work,))[0]
        self._commit()
        if outcome.error is not None:
            raise outcome.error
        answer: Answer = outcome.answer
        return answer

    def read(self) -> SqliteTables[Entry, Account]:
        """Return tables for reading; each query sees what was committed when it began."""
        self._check_usable()
        return self._readable

    def close(self) -> None:
        """Finish the commit in progress, refuse what is queued and close the file."""
        if self._closed:
            return
        self._closed = True
        self._disk.shutdown(wait=True)
        self._refuse(self._queue, self._closed_error())
        self._reader.close()
        self._writer.close()
        os.close(self._lock_fd)

    async def _drain(self) -> None:
        while self._queue:
            jobs = self._next_jobs()
            try:
                outcomes = self._run([job.work for job in jobs])
                await asyncio.shield(asyncio.wrap_future(self._commit_in_thread()))
            except StoreError as error:
                self._refuse(jobs, error)
            except BaseException:
                for job in (*jobs, *self._queue):
                    job.done.cancel()
                self._queue.clear()
                raise
            else:
                for job, outcome in zip(jobs, outcomes, strict=True):
                    _answer(job, outcome)

    def _next_jobs(self) -> list[_Job]:
        jobs: list[_Job] = []
        while self._queue and len(jobs) < _WORKS_PER_COMMIT_MAX:
            job = self._queue.popleft()
            if not job.done.done():
                jobs.append(job)
        return jobs

    def _run(self, works: Sequence[Callable[[Any], Any]]) -> list[_Outcome]:
        """Begin a transaction and run the works in it; `_commit` has to follow."""
        self._transaction.acquire()
        try:
            self._writer.command("BEGIN IMMEDIATE")
            return [self._run_one(work) for work in works]
        except BaseException:
            self._roll_back()
            self._transaction.release()
            raise

    def _run_one(self, work: Callable[[Any], Any]) -> _Outcome:
        self._writer.command("SAVEPOINT work")
        self._writer.in_work = True
        try:
            outcome = _Outcome(answer=work(self._writable))
        except Exception as error:
            if not self._writer.in_transaction:
                raise StoreError(
                    f"the transaction was lost ({error})",
                    value=str(self._path),
                    todo="mend the cause and repeat the write",
                ) from error
            self._writer.command("ROLLBACK TO work")
            outcome = _Outcome(error=error)
        finally:
            self._writer.in_work = False
        self._writer.command("RELEASE work")
        return outcome

    def _commit(self) -> None:
        try:
            self._writer.command("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._transaction.release()

    def _commit_in_thread(self) -> "Future[None]":
        try:
            return self._disk.submit(self._commit)
        except RuntimeError as error:
            self._roll_back()
            self._transaction.release()
            raise StoreError(f"has no thread to commit in ({error})", value="store") from error

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.command("ROLLBACK")

    def _refuse(self, jobs: "Sequence[_Job] | deque[_Job]", error: StoreError) -> None:
        for job in jobs:
            if not job.done.done():
                refusal = StoreError(error.happened, value=error.value, todo=error.todo)
                refusal.__cause__ = error
                job.done.set_exception(refusal)

    def _check_usable(self) -> None:
        if self._closed:
            raise self._closed_error()
        if self._writer.in_work:
            raise StoreError(
                "a work may use only the tables that it was given", value=str(self._path)
            )

    def _closed_error(self) -> StoreError:
        return StoreError("the store is closed", value=str(self._path))


def _answer(job: _Job, outcome: _Outcome) -> None:
    if job.done.done():
        return
    if outcome.error is not None:
        job.done.set_exception(outcome.error)
    else:
        job.done.set_result(outcome.answer)


def _lock(path: Path) -> int:
    """Lock the file against other processes; the lock ends with the process, however it ends."""
    lock_path = path.with_name(path.name + ".lock")
    try:
        lock_fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"the store's folder is not writable ({error.strerror})",
            value=str(lock_path),
            todo="create the folder or give another path",
        ) from error
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(lock_fd, 20).decode("ascii", "replace") or "unknown"
        os.close(lock_fd)
        raise StoreError(
            f"is open in another process (number {holder})",
            value=str(path),
            todo="stop that process or give another path",
        ) from error
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, str(os.getpid()).encode(), 0)
    return lock_fd
