from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.sim.scheduler import EPOCH, Mailbox, Scheduler, VirtualClock


def test_sleeping_takes_virtual_time_only() -> None:
    scheduler = Scheduler()
    clock = VirtualClock(scheduler)
    woken = []

    async def sleeper() -> None:
        await clock.sleep(86_400.0)
        woken.append(clock.now())

    scheduler.spawn(sleeper(), "sleeper")
    scheduler.run_until_idle()
    assert woken == [EPOCH + timedelta(days=1)]


@given(st.lists(st.integers(0, 5), max_size=20))
def test_wake_ups_of_one_moment_come_in_the_order_they_were_asked_for(delays: list[int]) -> None:
    scheduler = Scheduler()
    log: list[tuple[int, int]] = []

    async def sleeper(index: int, delay: int) -> None:
        await scheduler.sleep(delay)
        log.append((delay, index))

    for index, delay in enumerate(delays):
        scheduler.spawn(sleeper(index, delay), str(index))
    scheduler.run_until_idle()
    assert log == sorted(log)
    assert len(log) == len(delays)


def test_cancelling_closes_a_coroutine_at_its_await() -> None:
    scheduler = Scheduler()
    log = []

    async def worker() -> None:
        try:
            await scheduler.sleep(10.0)
            log.append("done")
        finally:
            log.append("closed")

    task = scheduler.spawn(worker(), "worker")
    scheduler.call_later(5.0, task.cancel)
    scheduler.run_until_idle()
    assert task.done
    assert log == ["closed"]


def test_a_task_cancelled_before_its_first_step_never_starts() -> None:
    scheduler = Scheduler()
    log = []

    async def worker() -> None:
        log.append("started")

    scheduler.spawn(worker(), "worker").cancel()
    scheduler.run_until_idle()
    assert not log


def test_an_error_of_a_task_is_the_error_of_the_run() -> None:
    scheduler = Scheduler()

    async def worker() -> None:
        await scheduler.sleep(1.0)
        raise ZeroDivisionError

    task = scheduler.spawn(worker(), "worker")
    with pytest.raises(ZeroDivisionError):
        scheduler.run_until_idle()
    assert task.done


def test_running_until_a_moment_leaves_later_calls_for_later() -> None:
    scheduler = Scheduler()
    log: list[float] = []
    for delay in (1.0, 2.0, 3.0):
        scheduler.call_later(delay, lambda: log.append(scheduler.elapsed_s))
    scheduler.run_until(2.5)
    assert log == [1.0, 2.0]
    assert scheduler.elapsed_s == 2.5
    scheduler.run_until(10.0, stop=lambda: len(log) == 3)
    assert scheduler.elapsed_s == 3.0


def test_a_mailbox_gives_items_in_order_and_nothing_after_its_timeout() -> None:
    scheduler = Scheduler()
    box: Mailbox[str] = Mailbox(scheduler)
    got: list[tuple[float, str | None]] = []

    async def reader() -> None:
        for _ in range(4):
            got.append((scheduler.elapsed_s, await box.take(10.0)))
            got[-1] = (scheduler.elapsed_s, got[-1][1])

    scheduler.spawn(reader(), "reader")
    scheduler.call_later(1.0, lambda: box.put("a"))
    scheduler.call_later(1.0, lambda: box.put("b"))
    scheduler.call_later(11.5, lambda: box.put("c"))
    scheduler.run_until_idle()
    assert got == [(1.0, "a"), (1.0, "b"), (11.0, None), (11.5, "c")]
