"""The conversation with the cloud: the outbox goes up, notices and acknowledgements come down."""

from collections.abc import Callable

from roadworthy.base.clock import Clock
from roadworthy.base.encoding import parse_json_object
from roadworthy.base.errors import InputError, LinkError
from roadworthy.base.ids import VehicleKey
from roadworthy.updates.reports import Refusal, Report
from roadworthy.vehicle.outbox import Outbox
from roadworthy.vehicle.ports import Messages

__all__ = ["Link"]

_MESSAGE_BYTES_MAX = 64 * 1024
_DOWN_PAUSE_S = 5.0
_SHORTEST_S = 0.1
_TAKEN_MAX = 100
_ROUNDING_S = 1.0
_DETAIL_MAX = 400


class Link:
    """Sends what is due and takes what comes.

    Args:
        messages: the broker.
        outbox: the reports of this vehicle.
        clock: tells the time, and lets it pass while there is no connection.
        vehicle: who we are.
    """

    def __init__(
        self, messages: Messages, outbox: Outbox, clock: Clock, vehicle: VehicleKey
    ) -> None:
        self._messages = messages
        self._outbox = outbox
        self._clock = clock
        self._vehicle = vehicle
        self._refused = ("", "", "")
        self._glanced_at = 0.0
        self.is_noticed = False

    async def report(self, make: Callable[[int, int], Report], *, ended: str = "") -> None:
        """Queue a report; it is sent with the next `wait` or `glance`."""
        await self._outbox.add(make, ended=ended)

    async def refuse(self, code: str, detail: str, offer: str = "") -> None:
        """Queue a refusal, unless it is the same as the one before."""
        if self._refused == (code, detail, offer):
            return
        self._refused = (code, detail, offer)
        await self._outbox.add(
            lambda sequence, time: Refusal(
                vehicle=self._vehicle,
                sequence=sequence,
                time=time,
                code=code,
                detail=detail[:_DETAIL_MAX],
                offer=offer[:_DETAIL_MAX],
            )
        )

    def forget_refusal(self) -> None:
        """Metadata was fine: the next refusal is news, even if it is the same again."""
        self._refused = ("", "", "")

    async def wait(self, duration_s: float) -> None:
        """Exchange messages for so long; return early when a notice came."""
        until = self._clock.now().timestamp() + duration_s
        while not self.is_noticed:
            await self._outbox.flush(self._messages)
            left_s = until - self._clock.now().timestamp()
            if not 0 < left_s <= duration_s + _ROUNDING_S:
                return
            due_s = self._outbox.next_due_s()
            if due_s is not None:
                left_s = min(left_s, max(due_s, _SHORTEST_S))
            await self._receive(left_s)

    async def glance(self, duration_s: float, every_s: float) -> None:
        """Send what is due and take what is there, at most every `every_s` seconds."""
        now = self._clock.now().timestamp()
        if 0 <= now - self._glanced_at < every_s:
            return
        self._glanced_at = now
        await self._outbox.flush(self._messages)
        for _ in range(_TAKEN_MAX):
            if not await self._take(duration_s):
                return

    async def _receive(self, timeout_s: float) -> None:
        before = self._clock.now().timestamp()
        if await self._take(timeout_s) is None:
            passed_s = self._clock.now().timestamp() - before
            await self._clock.sleep(max(0.0, min(_DOWN_PAUSE_S, timeout_s - passed_s)))

    async def _take(self, timeout_s: float) -> bool | None:
        """Take one message: True if there was one, None if there is no connection."""
        try:
            payload = await self._messages.receive(timeout_s)
        except LinkError:
            return None
        if payload is None:
            return False
        self._outbox.connected()
        try:
            await self._handle(payload)
        except InputError as error:
            await self.refuse(error.code, str(error))
        return True

    async def _handle(self, payload: bytes) -> None:
        message = parse_json_object(payload, name="message", size_bytes_max=_MESSAGE_BYTES_MAX)
        match message:
            case {"type": "notice"}:
                self.is_noticed = True
            case {"type": "ack" | "refused", "sequence": int(sequence)}:
                await self._outbox.acknowledge(sequence)
            case _:
                raise InputError("is not one that we know", value="message.type")
