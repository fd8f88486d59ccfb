"""The demo's child processes: started guarded, read line by line, ended in good order.

A child dies with the demo, even when the demo is killed; the broker in turn dies with the
server. Each child is a session of its own, so that Ctrl-C reaches only the demo, which then
ends the children one after the other.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from roadworthy.adapters.processes import guarded
from roadworthy.base.errors import StoreError

__all__ = ["Child", "started"]

_STOP_TIMEOUT_S = 15.0
_LINE_BYTES_MAX = 1 << 20
_LOG_BYTES = 1500


class Child:
    """A running `python -m …` whose standard output is JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what the child says until it ends."""
        stream = self._process.stdout
        while stream is not None and (line := await stream.readline()):
            with contextlib.suppress(msgspec.DecodeError):
                yield msgspec.json.decode(line, type=dict[str, Any])

    async def line(self, event: str) -> dict[str, Any]:
        """Return the first line with this event.

        Raises:
            StoreError: the child ended before; says what it wrote last.
        """
        async for line in self.lines():
            if line.get("event") == event:
                return line
        await self._process.wait()
        raise StoreError(f"ended early: {self.log_tail()}", value=self._log.stem)

    def log_tail(self) -> str:
        """Return the end of what the child wrote to its log."""
        return self._log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip()

    async def stop(self) -> None:
        """Ask it to end, then make it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def started(name: str, arguments: Sequence[str], folder: Path) -> AsyncIterator[Child]:
    """Run `python -m` with the arguments for as long as the block does.

    Args:
        name: of its log file in `folder`.
        arguments: module and its own arguments.
        folder: where the log goes.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            *guarded([sys.executable, "-m", *arguments]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stream,
            start_new_session=True,
            limit=_LINE_BYTES_MAX,
        )
    child = Child(process, log)
    try:
        yield child
    finally:
        await child.stop()
