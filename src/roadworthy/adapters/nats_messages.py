"""Messages from and to vehicles, at the server's end.

Up: one durable pull consumer on the broker's own stream `$MQTT_msgs`. A PUBACK to a vehicle
means exactly that this stream holds the message, so nothing that was acknowledged can be
lost between the two (a stream of our own on the plain subject did lose such messages). The
stream keeps a message only while a consumer is interested, hence the consumer is made before
any vehicle is let in. The message leaves the stream on `ack()`, which the caller sends after
it has stored the message; until then it comes again, so that the caller must expect a
message twice.

Down: published into the same stream, it waits there for a vehicle that is offline. Plain
NATS publishing would lose it. A vehicle that never connected has no session yet, and gets
nothing: it asks for its state when it connects first.
"""

import logging
import re
from collections.abc import AsyncGenerator

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError as NoSuchStreamError

from roadworthy.adapters._cancelling import heed_cancellation
from roadworthy.adapters.messages import UpMessage
from roadworthy.adapters.nats_broker import NatsBroker
from roadworthy.base.clock import Clock
from roadworthy.base.errors import InputError, LinkError
from roadworthy.base.ids import VehicleKey, parse_vehicle_key

__all__ = ["NatsMessages"]

_LOG = logging.getLogger(__name__)
_STREAM = "$MQTT_msgs"
_SUBJECTS = "$MQTT.msgs.>"
_UP = "$MQTT.msgs.v.*.up"
_UP_KEY = re.compile(r"\$MQTT\.msgs\.v\.([^.]+)\.up")
_DURABLE = "ingest"
_FETCH_TIMEOUT_S = 2.0
_PAUSE_S = 0.2


class NatsMessages:
    """The server's end of all vehicles' message links.

    Args:
        broker: a started broker.
        clock: for pauses.
        ack_wait_s: a message that is not acknowledged for so long comes again.
        batch: how many messages are fetched at once.
    """

    def __init__(
        self, broker: NatsBroker, *, clock: Clock, ack_wait_s: float = 10.0, batch: int = 64
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._ack_wait_s = ack_wait_s
        self._batch = batch
        self._connection: Client | None = None
        self._consumer: JetStreamContext.PullSubscription | None = None

    async def open(self) -> None:
        """Connect and make sure that the durable consumer is there.

        Raises:
            LinkError: the broker can't be reached or refused.
        """
        self._connection = await self._broker.connect("backend")
        try:
            self._consumer = await self._bind(self._connection.jetstream())
        except BaseException as error:
            await self._connection.close()
            if isinstance(error, NatsError | TimeoutError):
                what = f"can't open the message stream ({error})"
                raise LinkError(what, value="broker") from error
            raise

    async def close(self) -> None:
        """Disconnect; the broker keeps collecting."""
        if self._connection is not None:
            await self._connection.close()

    async def receive(self) -> AsyncGenerator[UpMessage]:
        """Yield messages for ever; waits through broker restarts."""
        while True:
            fetched = await self._fetch()
            heed_cancellation()
            for message in fetched:
                found = _UP_KEY.fullmatch(message.subject)
                try:
                    vehicle = parse_vehicle_key(found.group(1) if found else "")
                except InputError:
                    _LOG.error("Dropped a message on %r", message.subject)
                    await message.term()
                else:
                    yield _up_message(vehicle, message)

    async def send(self, vehicle: VehicleKey, payload: bytes, *, message_id: str) -> None:
        """Give the broker a message for a vehicle; it is durable on return.

        Args:
            vehicle: who gets it, now or at its next connection.
            payload: at most 64 KiB.
            message_id: a second message with this id for this vehicle within two minutes is
                dropped (the broker compares ids over all vehicles, so the key is added).

        Raises:
            LinkError: the broker did not confirm in time.
        """
        stream = self._opened().jetstream(timeout=5)
        try:
            await stream.publish(
                f"$MQTT.msgs.v.{vehicle}.down",
                payload,
                headers={"Nmqtt-Pub": "1", "Nats-Msg-Id": f"{vehicle}:{message_id}"},
            )
        except (NatsError, TimeoutError) as error:
            raise LinkError(f"did not take the message ({error})", value="broker") from error

    def _opened(self) -> Client:
        if self._connection is None:
            raise LinkError("is not open", value="messages")
        return self._connection

    async def _fetch(self) -> list[Msg]:
        consumer, connection = self._consumer, self._opened()
        try:
            if consumer is None:
                consumer = self._consumer = await self._bind(connection.jetstream())
            return await consumer.fetch(self._batch, timeout=_FETCH_TIMEOUT_S)
        except (NatsTimeoutError, TimeoutError):
            return []
        except NatsError as error:
            _LOG.warning("The broker gave no messages: %s", error)
            await self._clock.sleep(_PAUSE_S)
            if connection.is_closed:
                raise LinkError("is closed", value="messages") from error
            return []

    async def _bind(self, stream: JetStreamContext) -> JetStreamContext.PullSubscription:
        try:
            await stream.stream_info(_STREAM)
        except NoSuchStreamError:
            await stream.add_stream(
                StreamConfig(
                    name=_STREAM,
                    subjects=[_SUBJECTS],
                    storage=StorageType.FILE,
                    retention=RetentionPolicy.INTEREST,
                    num_replicas=1,
                )
            )
        config = ConsumerConfig(
            durable_name=_DURABLE,
            filter_subject=_UP,
            ack_wait=self._ack_wait_s,
            max_deliver=-1,
            max_ack_pending=16 * self._batch,
        )
        return await stream.pull_subscribe(_UP, durable=_DURABLE, stream=_STREAM, config=config)


def _up_message(vehicle: VehicleKey, message: Msg) -> UpMessage:
    sequence, deliveries = message.metadata.sequence.stream, message.metadata.num_delivered

    async def release() -> None:
        try:
            await message.ack()
        except NatsError as error:
            _LOG.warning("Message %s is not acknowledged yet: %s", sequence, error)

    return UpMessage(vehicle, message.data, sequence, deliveries, release)
