"""What the two ways to ECUs over DoIP have in common: waiting for the final answer.

One request per ECU may be on its way at a time; ECUs are independent of each other. After a
timeout or a cancelled request the connection is given up, so that a late answer can't be taken
for the answer to a later request.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from datetime import datetime

from roadworthy.base.clock import Clock
from roadworthy.base.errors import LinkError, RoadworthyError
from roadworthy.diagnostics.doip import diagnostic_words
from roadworthy.diagnostics.doip_client import (
    Activated,
    Answer,
    ClientEvent,
    DoipClient,
    Refused,
    SendNow,
)
from roadworthy.diagnostics.errors import MalformedResponseError, RoutingError
from roadworthy.diagnostics.exchange import Exchange, Final, Repeat

__all__ = ["TESTER", "DoipBus"]

TESTER = 0x0E10
"""The agent's own address among the testers (ISO 13400-2: 0x0E00 to 0x0FFF).

Not the first of them, which a workshop's tester takes when nobody tells it another.
"""


class DoipBus(ABC):
    """Requests over one DoIP connection, opened when it is needed."""

    def __init__(self, clock: Clock, tester: int) -> None:
        self._clock = clock
        self._tester = tester
        self._client = DoipClient(tester)
        self._inbox: dict[int, deque[bytes | LinkError]] = {}
        self._failure: LinkError | None = None
        self._is_active = False
        self._openings = 0

    async def request(
        self, address: int, payload: bytes, *, p2_s: float, p2_star_s: float
    ) -> bytes:
        """Return the final UDS answer of the ECU at `address`.

        Raises:
            LinkError: no connection, refused by the gateway, or no answer in time.
            VehicleError: the answer belongs to no request.
        """
        await self._open()
        opening = self._openings
        inbox: deque[bytes | LinkError] = deque()
        self._inbox[address] = inbox
        now = self._clock.now()
        exchange = Exchange(payload, p2_s=p2_s, p2_star_s=p2_star_s, now=now)
        self._write(self._client.request(address, payload))
        try:
            return await self._finish(address, inbox, exchange)
        except (LinkError, MalformedResponseError, asyncio.CancelledError) as error:
            if opening == self._openings and not isinstance(error, RoutingError):
                self.close()
            raise

    def close(self) -> None:
        """End the connection; the next request opens a new one."""
        self._fail("the connection was closed")
        self._disconnect()

    async def _finish(
        self, address: int, inbox: deque[bytes | LinkError], exchange: Exchange
    ) -> bytes:
        while True:
            if not inbox:
                await self._wait(exchange.deadline)
            now = self._clock.now()
            if not inbox:
                exchange.expire(now)
                continue
            answer = inbox.popleft()
            if isinstance(answer, LinkError):
                raise answer
            step = exchange.receive(answer, now)
            if isinstance(step, Final):
                return step.response
            if isinstance(step, Repeat):
                await self._clock.sleep(step.pause_s)
                exchange.sent(self._clock.now())
                self._write(self._client.request(address, exchange.request))

    def _begin(self) -> None:
        self._client = DoipClient(self._tester)
        self._inbox = {}
        self._failure = None
        self._is_active = False
        self._openings += 1

    def _receive(self, data: bytes) -> None:
        try:
            for event in self._client.receive(data):
                self._take(event)
        except RoadworthyError as error:
            self._fail(str(error))
            self._disconnect()

    def _take(self, event: ClientEvent) -> None:
        match event:
            case Activated():
                self._is_active = True
            case SendNow(data):
                self._write(data)
            case Answer(source, payload) if source in self._inbox:
                self._inbox[source].append(payload)
            case Refused(target, code) if target in self._inbox:
                words = diagnostic_words(code)
                self._inbox[target].append(RoutingError(words, value=f"ECU 0x{target:04X}"))
            case _:
                pass

    def _fail(self, happened: str) -> None:
        if self._failure is None:
            self._failure = LinkError(happened, value="DoIP connection")
            for inbox in self._inbox.values():
                inbox.append(self._failure)

    @abstractmethod
    async def _open(self) -> None:
        """Connect and activate routing, unless that is done."""

    @abstractmethod
    def _write(self, data: bytes) -> None:
        """Send bytes."""

    @abstractmethod
    async def _wait(self, deadline: datetime) -> None:
        """Return when something has come in, or at the deadline."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Let go of the connection."""
