"""Time is aware and in UTC; a seed replays the same chance."""

import asyncio
from datetime import UTC, timedelta

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.clock import Chance, Clock, SeededChance, SystemChance, SystemClock

SEEDS = st.integers() | st.text()


async def test_the_system_clock_tells_utc_and_never_goes_back() -> None:
    clock = SystemClock()
    port: Clock = clock
    assert port.now().tzinfo is UTC
    assert port.now().utcoffset() == timedelta(0)
    before = clock.monotonic()
    await port.sleep(0.0)
    assert clock.monotonic() >= before


async def test_sleeping_lets_others_run() -> None:
    done = asyncio.Event()
    waiting = asyncio.create_task(done.wait())
    sleeping = asyncio.create_task(SystemClock().sleep(0.001))
    await sleeping
    done.set()
    assert await waiting


@given(SEEDS)
def test_a_seed_replays_the_same_values(seed: int | str) -> None:
    one, two = SeededChance(seed), SeededChance(seed)
    assert [one.token(), one.uniform(1, 9)] == [two.token(), two.uniform(1, 9)]
    assert one.token() == two.token()


def test_seeds_differ() -> None:
    assert SeededChance(1).token() != SeededChance(2).token()


@given(seed=SEEDS, size_bytes=st.integers(1, 64), low=st.floats(-9, 9), width=st.floats(0, 9))
def test_tokens_are_hex_of_the_size_and_numbers_are_in_range(
    seed: int | str, size_bytes: int, low: float, width: float
) -> None:
    sources: tuple[Chance, ...] = (SeededChance(seed), SystemChance())
    for chance in sources:
        token = chance.token(size_bytes)
        assert len(bytes.fromhex(token)) == size_bytes
        assert token == token.lower()
        assert low <= chance.uniform(low, low + width) <= low + width


def test_tokens_of_the_system_never_repeat() -> None:
    assert len({SystemChance().token() for _ in range(200)}) == 200
