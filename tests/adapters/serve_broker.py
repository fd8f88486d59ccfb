"""A server process for the test that kills it: broker, gate and a consumer that never acks."""

import asyncio
import json
import sys
from pathlib import Path

from cryptography import x509

from roadworthy.adapters.nats_auth import VehicleGate
from roadworthy.adapters.nats_broker import BrokerSettings, NatsBroker
from roadworthy.adapters.nats_messages import NatsMessages
from roadworthy.adapters.tls import TlsServer
from roadworthy.base.clock import SystemChance, SystemClock
from roadworthy.base.ids import VehicleKey, parse_vehicle_key


async def authorise(certificate: bytes) -> VehicleKey:
    subject = x509.load_der_x509_certificate(certificate).subject
    return parse_vehicle_key(str(subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value))


async def main(folder: str, *tls: str) -> None:
    settings = BrokerSettings(Path(folder), TlsServer(*map(Path, tls)))
    clock = SystemClock()
    broker = NatsBroker(settings, clock=clock, chance=SystemChance())
    await broker.start()
    messages = NatsMessages(broker, clock=clock, ack_wait_s=1.0)
    await messages.open()
    await VehicleGate(broker, authorise, clock=clock).open()
    sys.stdout.write(json.dumps({"pid": broker.pid, "mqtt_port": broker.mqtt_port}) + "\n")
    sys.stdout.flush()
    async for _ in messages.receive():
        pass


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
