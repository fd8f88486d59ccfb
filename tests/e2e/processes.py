"""Children of the tests: started guarded, read line by line, looked up in /proc, ended by pid."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from roadworthy.adapters.processes import guarded, tail
from roadworthy.base.clock import SystemClock

__all__ = ["LIMIT_S", "Child", "Process", "descendants", "is_running", "until"]

LIMIT_S = 300.0
_PAUSE_S = 0.05
_CLOCK = SystemClock()
Found = TypeVar("Found")
Process = tuple[int, int]
"""A process for good: its id and when it started (in ticks since boot)."""


def until(look: Callable[[], Found | None], what: str, *, pause_s: float = _PAUSE_S) -> Found:
    """Look again and again until something is found; fail in words after minutes."""
    limit, idle = _CLOCK.monotonic() + LIMIT_S, threading.Event()
    while _CLOCK.monotonic() < limit:
        if found := look():
            return found
        idle.wait(pause_s)
    raise AssertionError(f"never came: {what}")


def is_running(process: Process) -> bool:
    """Say whether exactly this process lives; a zombie does not."""
    pid, started = process
    found = _stat(pid)
    return found is not None and found[2] == started and found[0] != "Z"


def descendants(pid: int) -> set[Process]:
    """Return all living processes below this one, whatever session they are in."""
    parents: dict[int, list[Process]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal() and (found := _stat(int(path.name))) and found[0] != "Z":
            parents.setdefault(found[1], []).append((int(path.name), found[2]))
    below: set[Process] = set()
    ahead = [pid]
    while ahead:
        children = parents.get(ahead.pop(), [])
        below.update(children)
        ahead += [child for child, _ in children]
    return below


def _stat(pid: int) -> tuple[str, int, int] | None:
    """Return state, parent and start of a process; see proc(5)."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[1]), int(fields[19])
    return None


class Child:
    """A running `python -m …` that says what it does, line by line.

    Args:
        name: of its log in `folder`.
        arguments: module and its arguments.
        folder: where the log goes.
        heard: told each line of JSON, from a thread of its own.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        folder: Path,
        *,
        heard: Callable[[Mapping[str, Any]], None] = lambda _: None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.lines: list[str] = []
        self._heard = heard
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules
                guarded([sys.executable, "-m", *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=dict(environment) if environment is not None else None,
            )
        self._reader = threading.Thread(target=self._read, name=f"reads {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id, that of the module itself."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def family(self) -> set[Process]:
        """Return it and all below it."""
        found = _stat(self.pid)
        own = {(self.pid, found[2])} if found else set()
        return own | descendants(self.pid)

    def event(self, name: str) -> dict[str, Any]:
        """Wait for the first line of JSON with this event."""

        def look() -> dict[str, Any] | None:
            was_over = self.is_over
            found = next((one for one in self._events() if one.get("event") == name), None)
            assert found or not was_over, self.told()
            return found

        return until(look, f"{name}: {self._log.stem}")

    def wait_for(self, words: str) -> str:
        """Wait for the first line with these words."""

        def look() -> str | None:
            was_over = self.is_over
            found = next((line for line in self.lines.copy() if words in line), None)
            assert found or not was_over, self.told()
            return found

        return until(look, words)

    def told(self) -> str:
        """Return all it said, and the end of its log."""
        return "\n".join([*self.lines, tail(self._log)])

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return its exit status; none of its family may outlive it."""
        family = self.family()
        self.send(number)
        return self.wait(family)

    def wait(self, family: set[Process] | None = None) -> int:
        """Return its exit status once it and its family are gone."""
        until(lambda: self.is_over, f"end of {self._log.stem}")
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()
        alive = family or set()
        until(lambda: not any(map(is_running, alive)), f"end of what {self._log.stem} started")
        return self._process.wait()

    def kill_all(self) -> None:
        """End what is still there, whatever happened; for the end of a test."""
        if not self.is_over:
            for pid, _ in self.family():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.wait()

    def _events(self) -> Iterator[dict[str, Any]]:
        for line in self.lines.copy():
            with suppress(msgspec.DecodeError):
                yield msgspec.json.decode(line, type=dict[str, Any])

    def _read(self) -> None:
        for raw in self._process.stdout or ():
            line = raw.decode(errors="replace").rstrip("\n")
            self.lines.append(line)
            with suppress(msgspec.DecodeError):
                self._heard(msgspec.json.decode(line, type=dict[str, Any]))
