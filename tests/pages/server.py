"""Starts the scripted site in a process of its own, on a free port of 127.0.0.1."""

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from roadworthy.adapters.ports import reserved_port
from roadworthy.base.clock import SystemClock

_ROOT = Path(__file__).parents[2]
_START_LIMIT_S = 120
_ANSWER_LIMIT_S = 30
_END_LIMIT_S = 60
_PAUSE_S = 0.05


def _answers(site: str) -> bool:
    try:
        with urllib.request.urlopen(f"{site}/ledger", timeout=_ANSWER_LIMIT_S):  # noqa: S310 - http on loopback
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """Yield the address of the site, on `port` or a free one; end its process afterwards."""
    with nullcontext(port) if port else reserved_port() as held:
        yield from _serving(held)


def _serving(port: int) -> Iterator[str]:
    site = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.pages.scripted_site", str(port)]
    clock, idle = SystemClock(), threading.Event()
    with subprocess.Popen(command, cwd=_ROOT) as process:  # noqa: S603 - our own module
        try:
            limit = clock.monotonic() + _START_LIMIT_S
            while not _answers(site):
                if process.poll() is not None or clock.monotonic() > limit:
                    raise RuntimeError("the scripted site did not start")
                idle.wait(_PAUSE_S)
            yield site
        finally:
            process.terminate()
            try:
                process.wait(_END_LIMIT_S)
            finally:
                process.kill()
