"""Time and chance: the only module that touches the machine's clock and random source.

Cores take `now` (an aware UTC datetime) and values drawn by their caller; sides take a
`Clock` and a `Chance`. The simulator hands in its own, so that a seed replays a run.
"""

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Chance", "Clock", "SeededChance", "SystemChance", "SystemClock"]


class Clock(Protocol):
    """Tells the time and lets it pass."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` seconds."""
        ...


class Chance(Protocol):
    """Draws random values."""

    def token(self, size_bytes: int = 16) -> str:
        """Return `size_bytes` random bytes as lower-case hex."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """Return a number between `low` and `high`."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` seconds."""
        await asyncio.sleep(duration_s)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; never goes back."""
        return time.monotonic()


class SystemChance:
    """The operating system's random source; fit for keys and tokens."""

    def token(self, size_bytes: int = 16) -> str:
        """Return `size_bytes` random bytes as lower-case hex."""
        return secrets.token_hex(size_bytes)

    def uniform(self, low: float, high: float) -> float:
        """Return a number between `low` and `high`."""
        return secrets.SystemRandom().uniform(low, high)


class SeededChance:
    """Replays the same values for the same seed; never for keys of a real vehicle."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)  # noqa: S311 - replay is its purpose

    def token(self, size_bytes: int = 16) -> str:
        """Return `size_bytes` random bytes as lower-case hex."""
        return self.random.randbytes(size_bytes).hex()

    def uniform(self, low: float, high: float) -> float:
        """Return a number between `low` and `high`."""
        return self.random.uniform(low, high)
