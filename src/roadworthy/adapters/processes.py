"""A child process that is kept running, and that never outlives its parent.

The child is started through `_exec_guard`, so the kernel kills it when the parent dies, even
by SIGKILL. It has its own session: Ctrl-C in a terminal reaches the parent only, which then
stops the child in order. A lock on the child's folder, held by the child itself for as long
as it lives, keeps two of them from working on the same files.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from roadworthy.adapters import _exec_guard
from roadworthy.base.clock import Clock
from roadworthy.base.errors import ConflictError, StoreError

__all__ = ["ChildProcess", "ChildSettings", "tail"]

_LOG = logging.getLogger(__name__)
_TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """How to run the child.

    name: for messages, for example `nats-server`.
    folder: where its log (`NAME.log`) and its lock (`NAME.lock`) are.
    stop_timeout_s: from SIGTERM to SIGKILL.
    lock_timeout_s: how long a predecessor may take to die.
    restart_pause_s: wait before a restart.
    """

    name: str
    folder: Path
    stop_timeout_s: float = 5.0
    lock_timeout_s: float = 5.0
    restart_pause_s: float = 0.2


class ChildProcess:
    """Runs one command and starts it again whenever it exits.

    Args:
        settings: names, folder and times.
        command: gives program (absolute path) and arguments; asked before every start.
        clock: for pauses.

    Start it from the thread that lives as long as the program: Linux ties the death signal
    to the parent's thread.
    """

    def __init__(
        self, settings: ChildSettings, command: Callable[[], Sequence[str]], clock: Clock
    ) -> None:
        self._settings = settings
        self._command = command
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the running child."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start the child and keep it running.

        Raises:
            ConflictError: another child works on the same folder.
            StoreError: the program can't be started.
        """
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the child: SIGTERM, then SIGKILL; return when it is gone.

        Who is cancelled meanwhile leaves no child either: it gets SIGKILL at once.
        """
        keeper, self._keeper = self._keeper, None
        try:
            if keeper is not None:
                keeper.cancel()
                await asyncio.wait((keeper,))
            await self._end()
        except BaseException:
            self._send(signal.SIGKILL)
            raise

    def log_tail(self) -> str:
        """Return the end of what the child printed."""
        return tail(self._path("log"))

    def _path(self, suffix: str) -> Path:
        return self._settings.folder / f"{self._settings.name}.{suffix}"

    async def _end(self) -> None:
        if self._process is None:
            return
        self._send(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._settings.stop_timeout_s):
                await self._process.wait()
        except TimeoutError:
            self._send(signal.SIGKILL)
            await self._process.wait()

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep(self) -> None:
        while self._process is not None:
            status = await self._process.wait()
            _LOG.warning(
                "%s ended with status %s and is started again", self._settings.name, status
            )
            await self._clock.sleep(self._settings.restart_pause_s)
            try:
                await self._spawn()
            except (ConflictError, StoreError) as error:
                _LOG.error("%s", error)

    async def _spawn(self) -> None:
        lock = await self._lock()
        try:
            with self._path("log").open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *guarded(self._command()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._settings.folder,
                    pass_fds=(lock,),
                    start_new_session=True,
                )
        except OSError as error:
            raise self._not_started(error) from error
        finally:
            os.close(lock)
        self.starts += 1

    def _not_started(self, error: OSError) -> StoreError:
        return StoreError(f"can't be started ({error})", value=self._settings.name)

    async def _lock(self) -> int:
        try:
            lock = os.open(self._path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._not_started(error) from error
        try:
            await self._wait_for_lock(lock)
        except BaseException:
            os.close(lock)
            raise
        return lock

    async def _wait_for_lock(self, lock: int) -> None:
        waited_s, pause_s = 0.0, 0.05
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waited_s >= self._settings.lock_timeout_s:
                    raise ConflictError(
                        f"another {self._settings.name} works in this folder",
                        value=str(self._settings.folder),
                        todo="stop it or use another folder",
                    ) from None
            else:
                return
            waited_s += pause_s
            await self._clock.sleep(pause_s)


def tail(path: Path) -> str:
    """Return the last lines of a text file, empty if there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return log.read().decode(errors="replace")
    except OSError:
        return ""


def guarded(command: Sequence[str]) -> list[str]:
    """Return a command that runs `command` and dies with this process, however that ends.

    Args:
        command: program (absolute path) and arguments.
    """
    guard = (sys.executable, "-I", "-S", _exec_guard.__file__, str(os.getpid()))
    return [*guard, *command]
