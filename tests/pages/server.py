"""Starts the scripted site in a process of its own, on a free port of 127.0.0.1."""

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roadworthy.base.clock import SystemClock

_ROOT = Path(__file__).parents[2]
_START_LIMIT_S = 120
_END_LIMIT_S = 60


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(site: str) -> bool:
    try:
        with urllib.request.urlopen(f"{site}/ledger", timeout=1):  # noqa: S310 - http on loopback
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """Yield the address of the site, on `port` or a free one; end its process afterwards."""
    port = port or free_port()
    site = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.pages.scripted_site", str(port)]
    clock = SystemClock()
    with subprocess.Popen(command, cwd=_ROOT) as process:  # noqa: S603 - our own module
        try:
            limit = clock.monotonic() + _START_LIMIT_S
            while not _answers(site):
                if process.poll() is not None or clock.monotonic() > limit:
                    raise RuntimeError("the scripted site did not start")
            yield site
        finally:
            process.terminate()
            process.wait(_END_LIMIT_S)
