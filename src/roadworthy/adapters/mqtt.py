"""The vehicle's message link: MQTT 3.1.1 over TLS 1.3 with the vehicle's certificate.

The client id is the vehicle key and the session persistent, so the broker keeps messages for
the vehicle while it is away. A task holds the connection and repairs it with growing,
randomly spread pauses. What the vehicle sends is safe only when the server's application
answers it (a PUBACK is no authorisation): the caller keeps it until then.
"""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from typing import Self

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode
from typing_extensions import override

from roadworthy.adapters._cancelling import heed_cancellation
from roadworthy.adapters.tls import TlsClient, ask_tls_reason, client_context, tls_reason
from roadworthy.base.clock import Chance, Clock
from roadworthy.base.errors import LinkError
from roadworthy.base.ids import VehicleKey

__all__ = ["MqttMessages", "MqttSettings"]

_LOG = logging.getLogger(__name__)
_KEEPALIVE_S = 30
_QUEUE_MAX = 1000


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where the broker is and who we are.

    host: a name or address that the server's certificate carries.
    timeout_s: for connecting, and for each acknowledgement.
    pause_min_s, pause_max_s: between connection attempts; doubles, with random spread.
    """

    host: str
    port: int
    vehicle: VehicleKey
    tls: TlsClient
    timeout_s: float = 10.0
    pause_min_s: float = 0.5
    pause_max_s: float = 60.0


class MqttMessages:
    """Implements the vehicle's `Messages` port; connects on first use."""

    def __init__(self, settings: MqttSettings, *, clock: Clock, chance: Chance) -> None:
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._context = client_context(settings.tls)
        self._context.sslsocket_class = _TidySocket
        self._received: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE_MAX)
        self._link: asyncio.Future[aiomqtt.Client] | None = None
        self._lost: asyncio.Event = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._reason = "is not connected yet"

    async def send(self, payload: bytes) -> None:
        """Give one report to the broker; returns when the broker has stored it.

        Raises:
            LinkError: no connection, or it was lost before the acknowledgement.
        """
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                client = await asyncio.shield(self._connected())
        except TimeoutError:
            raise LinkError(self._reason, value="broker") from None
        topic = f"v/{self._settings.vehicle}/up"
        publish = asyncio.create_task(client.publish(topic, payload, qos=1))
        lost = asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait((publish, lost), return_when=asyncio.FIRST_COMPLETED)
            if not publish.done():
                raise LinkError("lost before the acknowledgement", value="broker")
            await publish
        except aiomqtt.MqttError as error:
            raise LinkError(f"did not take the report ({error})", value="broker") from error
        finally:
            await _discard(publish, lost)

    async def receive(self, timeout_s: float) -> bytes | None:
        """Return the next message from the server, or None after `timeout_s` seconds.

        Raises:
            LinkError: no message came, and the connection is down at the end of that time.
        """
        link = self._connected()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._received.get()
        except TimeoutError:
            if link.done() and not self._lost.is_set():
                return None
            raise LinkError(self._reason, value="broker") from None

    async def aclose(self) -> None:
        """Disconnect; the broker keeps the session."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await _discard(keeper)

    def _connected(self) -> asyncio.Future[aiomqtt.Client]:
        if self._link is None:
            self._link = asyncio.get_running_loop().create_future()
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())
        if self._keeper.done():
            self._keeper.result()
        return self._link

    async def _keep(self) -> None:
        pause_s = self._settings.pause_min_s
        while True:
            try:
                await self._session()
            except (aiomqtt.MqttError, OSError, LinkError) as error:
                was_up = self._link is not None and self._link.done()
                self._reason = (
                    f"connection lost ({error})" if was_up else await self._explain(error)
                )
                _LOG.info("No link to the broker: %s", self._reason)
            if self._link is not None and self._link.done():
                pause_s = self._settings.pause_min_s
                self._link = asyncio.get_running_loop().create_future()
            self._lost.set()
            await self._clock.sleep(self._chance.uniform(pause_s / 2, pause_s))
            pause_s = min(pause_s * 2, self._settings.pause_max_s)

    async def _session(self) -> None:
        async with _TidyClient(
            self._settings.host,
            self._settings.port,
            identifier=self._settings.vehicle,
            clean_session=False,
            keepalive=_KEEPALIVE_S,
            timeout=self._settings.timeout_s,
            tls_context=self._context,
        ) as client:
            codes = await client.subscribe(f"v/{self._settings.vehicle}/down", qos=1)
            heed_cancellation()
            if any(_code(code) > 1 for code in codes):
                raise LinkError("the broker refused the subscription", value="broker")
            self._lost.clear()
            link = self._connected()
            if not link.done():
                link.set_result(client)
            async for message in client.messages:
                await self._received.put(_bytes(message.payload))

    async def _explain(self, error: Exception) -> str:
        if isinstance(error, MqttConnectError):
            return "the broker does not let this vehicle in; it may be revoked or unknown"
        host, port = self._settings.host, self._settings.port
        found = tls_reason(error) or await ask_tls_reason(host, port, self._context)
        return found or f"can't connect ({error})"


class _TidySocket(ssl.SSLSocket):
    """Closes itself when TLS fails, which the MQTT library leaves to the garbage collector."""

    @override
    def do_handshake(self, block: bool = False) -> None:
        """Make TLS on the connection.

        Raises:
            OSError: no TLS came about; the connection is closed.
        """
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class _TidyClient(aiomqtt.Client):
    """Leaves no connection behind when it is not let in, or is cancelled before it is."""

    @override
    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            aiomqtt.MqttError: no connection came about, and none is open.
        """
        entering = asyncio.ensure_future(super().__aenter__())
        try:
            return await asyncio.shield(entering)
        except BaseException:
            # It connects in a thread, which nothing can stop, not even another cancellation.
            entering.add_done_callback(lambda _: self._client.disconnect())
            await asyncio.wait((entering,))
            raise


def _code(code: int | ReasonCode) -> int:
    return code if isinstance(code, int) else int(code.value)


def _bytes(payload: object) -> bytes:
    return bytes(payload) if isinstance(payload, bytes | bytearray) else str(payload).encode()


async def _discard(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
