"""Ends a program that runs until somebody stops it."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

__all__ = ["log_to_stderr", "stopped_by_signal"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopped_by_signal() -> Iterator[asyncio.Event]:
    """Yield an event that SIGINT or SIGTERM sets."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def log_to_stderr(*, is_verbose: bool) -> None:
    """Send the log to stderr: warnings and errors, with `is_verbose` also what is done."""
    level = logging.INFO if is_verbose else logging.WARNING
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s", level=level)
    if not is_verbose:
        # Stronger than a level, because the web framework sets levels of its own.
        logging.disable(logging.INFO)
