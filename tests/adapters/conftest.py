"""A certificate authority, a running broker with its gate, and vehicles for the tests."""

import asyncio
import datetime as dt
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from roadworthy.adapters.mqtt import MqttMessages, MqttSettings
from roadworthy.adapters.nats_auth import VehicleGate
from roadworthy.adapters.nats_broker import BrokerSettings, NatsBroker
from roadworthy.adapters.nats_messages import NatsMessages
from roadworthy.adapters.tls import TlsClient, TlsServer
from roadworthy.base.clock import SystemChance, SystemClock
from roadworthy.base.errors import AccessError, LinkError
from roadworthy.base.ids import VehicleKey, parse_vehicle_key

ONE = VehicleKey("v0000000000000001")
TWO = VehicleKey("v0000000000000002")
LIMIT_S = 60.0
"""How long a slow machine may take; nothing waits longer than it must."""


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        certificate = (
            self._builder("ca", self.key)
            .subject_name(self.name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.ca = self._write("ca.crt", certificate.public_bytes(serialization.Encoding.PEM))

    def server(self) -> TlsServer:
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        certificate, key = self._issue("localhost", ExtendedKeyUsageOID.SERVER_AUTH, names)
        return TlsServer(certificate, key, self.ca)

    def vehicle(self, name: str) -> TlsClient:
        certificate, key = self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, None)
        return TlsClient(self.ca, certificate, key)

    def anonymous(self, certificate: Path | None = None, key: Path | None = None) -> TlsClient:
        return TlsClient(self.ca, certificate, key)

    def _issue(
        self, name: str, usage: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None
    ) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = (
            self._builder(name, key)
            .subject_name(subject)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        pem = builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        return self._write(f"{name}.crt", pem), self._write(
            f"{name}.key",
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def _builder(self, _name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = SystemClock().now()
        return (
            x509.CertificateBuilder()
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )

    def _write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


@dataclass
class Registry:
    """Who may connect; stands for the server's decision."""

    revoked: set[VehicleKey] = field(default_factory=set)

    async def authorise(self, certificate: bytes) -> VehicleKey:
        subject = x509.load_der_x509_certificate(certificate).subject
        name = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        vehicle = parse_vehicle_key(str(name))
        if vehicle in self.revoked:
            raise AccessError("is revoked", value="certificate")
        return vehicle


@dataclass
class Station:
    """The server's end: broker, gate and messages."""

    broker: NatsBroker
    gate: VehicleGate
    messages: NatsMessages
    registry: Registry


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def settings(tmp_path: Path, authority: Authority) -> BrokerSettings:
    return BrokerSettings(tmp_path / "broker", authority.server())


@pytest.fixture
async def station(settings: BrokerSettings) -> AsyncIterator[Station]:
    clock = SystemClock()
    broker = NatsBroker(settings, clock=clock, chance=SystemChance())
    await broker.start()
    registry = Registry()
    messages = NatsMessages(broker, clock=clock, ack_wait_s=1.0)
    gate = VehicleGate(broker, registry.authorise, clock=clock)
    try:
        await messages.open()
        await gate.open()
        yield Station(broker, gate, messages, registry)
    finally:
        await gate.close()
        await messages.close()
        await broker.stop()


Connect = Callable[..., MqttMessages]


@pytest.fixture
async def connect(authority: Authority) -> AsyncIterator[Connect]:
    """Make vehicles' message links; closed at the end."""
    made: list[MqttMessages] = []

    def make(port: int, vehicle: VehicleKey = ONE, **changes: object) -> MqttMessages:
        options: dict[str, object] = {
            "tls": authority.vehicle(str(changes.pop("named", vehicle))),
            "timeout_s": LIMIT_S,
            "pause_min_s": 0.05,
            "pause_max_s": 0.2,
            **changes,
        }
        link = MqttMessages(
            MqttSettings("127.0.0.1", port, vehicle, **options),  # type: ignore[arg-type]
            clock=SystemClock(),
            chance=SystemChance(),
        )
        made.append(link)
        return link

    yield make
    for link in made:
        await link.aclose()


class Link(Protocol):
    """A vehicle's message link, real or twin."""

    async def receive(self, timeout_s: float) -> bytes | None: ...


async def is_up(link: Link) -> None:
    """Return when the link is up and its session with the broker has begun."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            with suppress(LinkError):
                assert await link.receive(0.05) is None
                return


async def told(words: str, act: Callable[[], Awaitable[object]]) -> None:
    """Return when a link that must not come up says these words; until then it says others."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                found = await act()
            except LinkError as error:
                if words in str(error):
                    return
            else:
                raise AssertionError(f"was let in: {found!r}")
