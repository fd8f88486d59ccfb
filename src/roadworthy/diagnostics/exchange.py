"""One request and its final answer: timers, "wait", "busy" (ISO 14229-2 clause 7).

The driver sends `request`, then feeds every answer of that ECU to `receive` in time order,
and calls `expire` when `deadline` has passed. 0x78 restarts the timer with P2*; without that
rule long erases fail (a classic fault of testers). 0x21 means: send it again a little later.
The final answer is returned as bytes, negative or not; what to do about it is the
conversation's business.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from roadworthy.diagnostics.answers import POSITIVE_OFFSET, negative
from roadworthy.diagnostics.errors import MalformedResponseError, NoResponseError
from roadworthy.diagnostics.nrc import Nrc

__all__ = ["Exchange", "ExchangeStep", "Final", "Repeat", "Wait"]

_BUSY_PAUSE_S = 0.1
_BUSY_MAX = 10
_PENDING_MAX = 120


@dataclass(frozen=True, slots=True)
class Wait:
    """No final answer yet: wait for the next one until `deadline`."""

    deadline: datetime


@dataclass(frozen=True, slots=True)
class Repeat:
    """The ECU is busy: send the request again after `pause_s`, then call `sent`."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class Final:
    """The final answer's bytes, positive or negative."""

    response: bytes


ExchangeStep = Wait | Repeat | Final


class Exchange:
    """Waits for the final answer to one request.

    Args:
        request: bytes of the request, at least the service id.
        p2_s: time to the first answer.
        p2_star_s: time to the next answer after each 0x78.
        now: when the request was sent.
    """

    def __init__(self, request: bytes, *, p2_s: float, p2_star_s: float, now: datetime) -> None:
        self.request = request
        self.deadline = now + timedelta(seconds=p2_s)
        self._p2_s = p2_s
        self._p2_star_s = p2_star_s
        self._pending = 0
        self._busy = 0

    def sent(self, now: datetime) -> None:
        """Note that the request was sent again: the timer starts anew with P2."""
        self.deadline = now + timedelta(seconds=self._p2_s)

    def receive(self, response: bytes, now: datetime) -> ExchangeStep:
        """Take one answer.

        Raises:
            MalformedResponseError: empty, or the answer to another service.
            NoResponseError: the ECU says "wait" without end.
        """
        service = self.request[0]
        if response == negative(service, Nrc.RESPONSE_PENDING):
            return self._wait(now)
        if response == negative(service, Nrc.BUSY_REPEAT_REQUEST) and self._busy < _BUSY_MAX:
            self._busy += 1
            return Repeat(_BUSY_PAUSE_S)
        is_positive = response[:1] == bytes([(service + POSITIVE_OFFSET) & 0xFF])
        if not is_positive and response[:2] != negative(service, 0)[:2]:
            raise MalformedResponseError(
                f"{response[:8].hex(' ') or 'nothing'} is no answer to service 0x{service:02X}",
                value="answer",
            )
        return Final(response)

    def expire(self, now: datetime) -> None:
        """Give up if the deadline has passed.

        Raises:
            NoResponseError: no final answer came in time.
        """
        if now >= self.deadline:
            raise NoResponseError(
                f"no answer to service 0x{self.request[0]:02X} in time",
                value="ECU",
                todo="check that it has power and is connected",
            )

    def _wait(self, now: datetime) -> Wait:
        self._pending += 1
        if self._pending > _PENDING_MAX:
            raise NoResponseError(f"asked {_PENDING_MAX} times for more time", value="ECU")
        self.deadline = now + timedelta(seconds=self._p2_star_s)
        return Wait(self.deadline)
