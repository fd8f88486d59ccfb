"""A conversation with one ECU: a generator that says what to send and takes the answers.

It holds no socket and no clock, so the same conversation runs over TCP, in the simulator's
virtual time and in a test. `converse` is the driver: it awaits only the two ports given.
Its rules, also for any other driver:

* `Request` is answered with the FINAL answer's bytes (`generator.send(response)`); when the
  link fails, the `LinkError` is thrown into the generator, which may repeat the request.
* `Pause` and `Progress` are answered with `b""`.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from roadworthy.base.errors import LinkError
from roadworthy.diagnostics.answers import decode_answer
from roadworthy.diagnostics.errors import NegativeResponseError
from roadworthy.diagnostics.nrc import Nrc
from roadworthy.diagnostics.uds import UdsRequest, encode_request

__all__ = [
    "REACTIONS",
    "Action",
    "Conversation",
    "Pace",
    "Pause",
    "Progress",
    "Reaction",
    "Request",
    "RequestPort",
    "SleepPort",
    "ask",
    "converse",
    "reaction_to",
]


@dataclass(frozen=True, slots=True)
class Request:
    """Send `payload` and give back the final answer; the two times as in `Exchange`."""

    payload: bytes
    p2_s: float
    p2_star_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Let `duration_s` seconds pass."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """`done_bytes` of `total_bytes` have arrived in the ECU."""

    done_bytes: int
    total_bytes: int


Action = Request | Pause | Progress
_T = TypeVar("_T")
Conversation = Generator[Action, bytes, _T]


class Reaction(StrEnum):
    """What a flash conversation does about a negative response.

    WAIT: repeat the same request after a pause. SESSION: open session and lock again, then
    start over. TRANSFER: start the transfer over, from erasing on. FAIL: give up.
    """

    WAIT = "wait"
    SESSION = "session"
    TRANSFER = "transfer"
    FAIL = "fail"


REACTIONS: dict[int, Reaction] = {
    Nrc.BUSY_REPEAT_REQUEST: Reaction.WAIT,
    Nrc.REQUIRED_TIME_DELAY_NOT_EXPIRED: Reaction.WAIT,
    Nrc.EXCEEDED_NUMBER_OF_ATTEMPTS: Reaction.SESSION,
    Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_SESSION: Reaction.SESSION,
    Nrc.SERVICE_NOT_SUPPORTED_IN_SESSION: Reaction.SESSION,
    Nrc.SECURITY_ACCESS_DENIED: Reaction.SESSION,
    Nrc.AUTHENTICATION_REQUIRED: Reaction.SESSION,
    Nrc.WRONG_BLOCK_SEQUENCE_COUNTER: Reaction.TRANSFER,
    Nrc.REQUEST_SEQUENCE_ERROR: Reaction.TRANSFER,
    Nrc.TRANSFER_DATA_SUSPENDED: Reaction.TRANSFER,
    Nrc.UPLOAD_DOWNLOAD_NOT_ACCEPTED: Reaction.TRANSFER,
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a conversation is; all times in seconds.

    p2_s, p2_star_s: as in `Exchange`. busy_pause_s: before repeating after 0x21.
    lock_pause_s: before trying again after 0x36 or 0x37. loss_pause_s: after a lost answer.
    boot_pause_s: after a reset, before the first question. waits_max, losses_max: repeats of
    one request. attempts_max: runs of a whole conversation part.
    """

    p2_s: float = 1.0
    p2_star_s: float = 5.0
    busy_pause_s: float = 0.2
    lock_pause_s: float = 10.0
    loss_pause_s: float = 0.5
    boot_pause_s: float = 1.0
    waits_max: int = 5
    losses_max: int = 4
    attempts_max: int = 3


class RequestPort(Protocol):
    """The way to ECUs (`EcuBus` of the vehicle side has this method)."""

    async def request(
        self, address: int, payload: bytes, *, p2_s: float, p2_star_s: float
    ) -> bytes:
        """Return the final answer; LinkError when there is none."""
        ...


class SleepPort(Protocol):
    """Lets time pass (`base.clock.Clock` has this method)."""

    async def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` seconds."""
        ...


def reaction_to(nrc: int) -> Reaction:
    """Return what to do about a negative response; codes not in the table are fatal."""
    return REACTIONS.get(nrc, Reaction.FAIL)


def ask(request: UdsRequest, pace: Pace, *, losses_max: int | None = None) -> Conversation[bytes]:
    """Send one request until it has an answer; return the answer's body.

    Waits out "busy" and the lock's delay, and repeats after a lost answer: every request of our
    conversations but the reset may arrive twice without harm (see `diagnostics.server`).

    Raises:
        NegativeResponseError: the ECU refuses, or is still busy after `pace.waits_max` pauses.
        MalformedResponseError: the answer makes no sense.
        LinkError: `losses_max` (default: the pace's) repeats got no answer.
    """
    losses_left = pace.losses_max if losses_max is None else losses_max
    waits_left = pace.waits_max
    payload = encode_request(request)
    while True:
        try:
            response = yield Request(payload, pace.p2_s, pace.p2_star_s)
            return decode_answer(payload, response)
        except LinkError:
            if losses_left == 0:
                raise
            losses_left -= 1
            pause_s = pace.loss_pause_s
        except NegativeResponseError as error:
            if waits_left == 0 or reaction_to(error.nrc) is not Reaction.WAIT:
                raise
            waits_left -= 1
            is_busy = error.nrc == Nrc.BUSY_REPEAT_REQUEST
            pause_s = pace.busy_pause_s if is_busy else pace.lock_pause_s
        yield Pause(pause_s)


async def converse(
    conversation: Conversation[_T],
    bus: RequestPort,
    address: int,
    clock: SleepPort,
    progress: Callable[[Progress], None] = lambda _: None,
) -> _T:
    """Hold a conversation with the ECU at `address` and return its result.

    Raises:
        VehicleError, LinkError: as the conversation raises them.
    """
    try:
        action = next(conversation)
        while True:
            answer = b""
            match action:
                case Request(payload, p2_s, p2_star_s):
                    try:
                        answer = await bus.request(address, payload, p2_s=p2_s, p2_star_s=p2_star_s)
                    except LinkError as error:
                        action = conversation.throw(error)
                        continue
                case Pause(duration_s):
                    await clock.sleep(duration_s)
                case Progress():
                    progress(action)
            action = conversation.send(answer)
    except StopIteration as stop:
        result: _T = stop.value
        return result
