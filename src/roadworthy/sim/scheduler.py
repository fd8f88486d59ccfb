"""Virtual time: plain coroutines, run one after the other in an order that only the seed decides.

The production code of the vehicle awaits nothing but its ports, so it needs no event loop.
Here those ports wait by `Scheduler.sleep` and `Mailbox.take`. Time jumps to the next wake-up;
a campaign of days takes milliseconds. Two wake-ups at one moment come in the order in which
they were asked for, so one seed gives one run.

Cancelling a task is a power cut: its coroutine is closed at the await where it stands. Code
that wants to await something on its way out can't, as in a real vehicle.
"""

import heapq
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

__all__ = ["EPOCH", "Mailbox", "Scheduler", "Task", "VirtualClock"]

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

Item = TypeVar("Item")
_Arm = Callable[["Task"], None]


@types.coroutine
def _suspend(arm: _Arm) -> Generator[_Arm, Any, Any]:
    """Stop the running task; `arm` gets it and sees to its being resumed."""
    answer = yield arm
    return answer


class Task:
    """A coroutine on its way; `done` once it returned, failed or was cancelled."""

    def __init__(self, scheduler: "Scheduler", work: Coroutine[Any, Any, None], name: str) -> None:
        self.name = name
        self.done = False
        self._scheduler = scheduler
        self._work = work
        self._turn = 0

    def cancel(self) -> None:
        """Close the coroutine at its current await; a task that is done stays as it is."""
        if not self.done:
            self.done = True
            self._work.close()

    def waker(self) -> Callable[[Any], None]:
        """Return a function that resumes the task once; later calls of it do nothing."""
        turn = self._turn

        def wake(answer: object = None) -> None:
            if turn == self._turn and not self.done:
                self._step(answer)

        return wake

    def _step(self, answer: object) -> None:
        self._turn += 1
        try:
            arm = self._work.send(answer)
        except StopIteration:
            self.done = True
        except BaseException:
            self.done = True
            raise
        else:
            arm(self)


class Scheduler:
    """Runs tasks and timed calls in virtual time.

    Args:
        start: the moment at which the run begins.
    """

    def __init__(self, start: datetime = EPOCH) -> None:
        self.elapsed_s = 0.0
        self._start = start
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """Return the virtual time."""
        return self._start + timedelta(seconds=self.elapsed_s)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> Task:
        """Start a coroutine at the present moment, after the calls that are due already."""
        task = Task(self, work, name)
        wake = task.waker()
        self.call_later(0.0, lambda: wake(None))
        return task

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call a function `delay_s` seconds from now."""
        self._count += 1
        heapq.heappush(self._calls, (self.elapsed_s + max(0.0, delay_s), self._count, call))

    async def sleep(self, duration_s: float) -> None:
        """Resume the calling task after `duration_s` seconds."""

        def arm(task: Task) -> None:
            """Wake the task when its time has come."""
            wake = task.waker()
            self.call_later(duration_s, lambda: wake(None))

        await _suspend(arm)

    def run_until(self, elapsed_s: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Run what falls due up to a moment, or until `stop` says so after some call.

        Raises:
            BaseException: whatever a task raised; a task's error is the run's error.
        """
        while self._calls and self._calls[0][0] <= elapsed_s:
            due, _, call = heapq.heappop(self._calls)
            self.elapsed_s = due
            call()
            if stop():
                return
        self.elapsed_s = max(self.elapsed_s, elapsed_s)

    def run_until_idle(self) -> None:
        """Run until nothing is left to wait for."""
        while self._calls:
            self.run_until(self._calls[0][0])


class Mailbox(Generic[Item]):
    """Items that tasks put in and one task takes out, in order."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._items: deque[Item] = deque()
        self._wake: Callable[[Any], None] | None = None

    def put(self, item: Item) -> None:
        """Add an item and resume the waiting task, if any."""
        self._items.append(item)
        if self._wake is not None:
            wake, self._wake = self._wake, None
            self._scheduler.call_later(0.0, lambda: wake(None))

    def drain(self) -> list[Item]:
        """Take all items out."""
        items = list(self._items)
        self._items.clear()
        return items

    async def take(self, timeout_s: float) -> Item | None:
        """Return the next item, or None when none came in time."""
        if not self._items:
            await _suspend(lambda task: self._arm(task, timeout_s))
        return self._items.popleft() if self._items else None

    def _arm(self, task: Task, timeout_s: float) -> None:
        wake = task.waker()
        self._wake = wake
        self._scheduler.call_later(timeout_s, lambda: wake(None))


class VirtualClock:
    """The scheduler's time behind the port `base.clock.Clock`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> datetime:
        """Return the virtual time, aware, in UTC."""
        return self._scheduler.now()

    async def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` virtual seconds."""
        await self._scheduler.sleep(duration_s)
