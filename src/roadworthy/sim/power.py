"""A vehicle's power supply: every wait of the vehicle is a step at which power may fail.

Steps are what the vehicle's ports take: a packet, a UDS request, a write to its storage. So a
cut can be placed at, say, step 117, which is the same moment in every run of that seed. The cut
comes in the middle of the step: what the step was writing is torn.
"""

from collections.abc import Callable
from datetime import datetime

from roadworthy.sim.scheduler import Scheduler

__all__ = ["Supply", "SupplyClock"]


class Supply:
    """Lets a vehicle's time pass, step by step, and fails where it was told to.

    Args:
        scheduler: the run's time.
        cut: called when power fails; ends the vehicle's tasks.

    `watch` is called after each step, so that a judge sees every moment.
    """

    def __init__(self, scheduler: Scheduler, cut: Callable[[float], None]) -> None:
        self.steps = 0
        self.watch: Callable[[], None] = lambda: None
        self._scheduler = scheduler
        self._cut = cut
        self._plan: dict[int, float] = {}
        self._calls: dict[int, Callable[[], None]] = {}

    def fail_after(self, steps: int, off_s: float) -> None:
        """Let power fail at the so-many-th step from now, for `off_s` seconds."""
        self._plan[self.steps + steps] = off_s

    def call_after(self, steps: int, call: Callable[[], None]) -> None:
        """Call a function at the so-many-th step from now."""
        self._calls[self.steps + steps] = call

    async def step(self, duration_s: float) -> None:
        """Let `duration_s` seconds pass; power may fail half-way."""
        self.steps += 1
        call = self._calls.pop(self.steps, None)
        if call is not None:
            call()
        off_s = self._plan.pop(self.steps, None)
        if off_s is not None:
            self._scheduler.call_later(duration_s / 2, lambda: self._cut(off_s))
        await self._scheduler.sleep(duration_s)
        self.watch()


class SupplyClock:
    """The vehicle's clock behind the port `base.clock.Clock`: sleeping is a step, too."""

    def __init__(self, supply: Supply, scheduler: Scheduler) -> None:
        self._supply = supply
        self._scheduler = scheduler

    def now(self) -> datetime:
        """Return the virtual time, aware, in UTC."""
        return self._scheduler.now()

    async def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` virtual seconds."""
        await self._supply.step(duration_s)
