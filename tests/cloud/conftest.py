"""A whole cloud in memory: the real applications and services on the stores' twins."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from roadworthy.adapters.files import MemoryArtifacts
from roadworthy.adapters.memory_store import MemoryStore
from roadworthy.base.clock import SeededChance
from roadworthy.base.ids import EcuSerial, HardwareId, Sha256, VehicleKey, Vin
from roadworthy.cloud.access import SCOPES, issue
from roadworthy.cloud.authority import Ceremony, hold_ceremony
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.operator_app import make_operator_app
from roadworthy.cloud.ports import Account, StoredEntry
from roadworthy.cloud.repositories import store_roots
from roadworthy.cloud.vehicle_api import make_vehicle_app
from roadworthy.fleet.inventory import Domain, EcuState
from roadworthy.trust import certificates
from roadworthy.trust.envelope import seal
from roadworthy.trust.keys import key_of, key_to_json, signer_from_pem, signer_from_seed
from roadworthy.trust.tuf import CryptoSigner
from roadworthy.updates.reports import Report, report_body

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
OLD, NEW = b"old engine image" * 8, b"new engine image" * 8
ENGINE = HardwareId("engine-a")


class HandClock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    async def sleep(self, duration_s: float) -> None:
        self.time += timedelta(seconds=duration_s)


@dataclass
class TestVehicle:
    """A vehicle's own keys, certificate and report counter."""

    __test__ = False

    key: VehicleKey
    signer: CryptoSigner
    certificate: bytes
    vin: Vin
    sequence: int = 0

    def seal(self, kind: type[Any], now: datetime, **fields: Any) -> bytes:
        self.sequence += 1
        report: Report = kind(
            vehicle=self.key, sequence=self.sequence, time=int(now.timestamp()), **fields
        )
        return seal(report_body(report), self.signer)


@dataclass
class Bench:
    """The desk, both applications, and the people and vehicles around them."""

    desk: Desk
    clock: HandClock
    ceremony: Ceremony
    operator: httpx.AsyncClient
    store: MemoryStore[StoredEntry, Account]
    kicked: list[VehicleKey] = field(default_factory=list)

    def vehicle_client(self, certificate: bytes | None) -> httpx.AsyncClient:
        app = _WithCertificate(make_vehicle_app(self.desk), certificate)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="https://cloud.test"
        )

    def bearer(self, *scopes: str) -> dict[str, str]:
        token = self.issue("token", *scopes, life=timedelta(days=1))
        return {"authorization": f"Bearer {token}"}

    def issue(self, kind: str, *scopes: str, life: timedelta) -> str:
        secret = self.desk.chance.token(32)
        return self.store.write_now(
            lambda tables: issue(
                tables.accounts,
                secret=secret,
                name="test",
                kind=kind,
                scopes=scopes or SCOPES,
                life=life,
                now=self.clock.now(),
            )
        )

    async def enrol(self, number: int = 1, vehicle_type: str = "car") -> TestVehicle:
        signer = signer_from_seed(number.to_bytes(32))
        key = certificates.connection_key(number.to_bytes(48))
        vin = Vin(f"RWT{number:014d}")
        body = {
            "vin": vin,
            "type": vehicle_type,
            "csr": _pem(certificates.build_csr(key, "any")),
            "report_key": key_to_json(key_of(signer)).decode(),
        }
        answer = await self.operator.post("/api/v1/vehicles", json=body)
        assert answer.status_code == 201, answer.text
        pem = answer.json()["certificate"].encode()
        certificate = certificates.to_der(_certificate(pem))
        return TestVehicle(VehicleKey(answer.json()["vehicle"]), signer, certificate, vin)

    async def signed_release(self, release_id: str, image: bytes, counter: int) -> None:
        sha256 = (await self.upload(image)).json()["sha256"]
        artifact = {
            "name": f"engine-{counter}.bin",
            "hardware_id": ENGINE,
            "version": f"{counter}.0",
            "release_counter": counter,
            "sha256": sha256,
        }
        body = {"id": release_id, "name": release_id, "version": "1", "artifacts": [artifact]}
        answer = await self.operator.post("/api/v1/releases", json=body)
        assert answer.status_code == 201, answer.text
        for name in ("targets-1", "targets-2"):
            answer = await self.sign(release_id, name)
            assert answer.status_code == 200, answer.text

    async def upload(self, image: bytes) -> httpx.Response:
        return await self.operator.put(f"/api/v1/images/{sha(image)}", content=image)

    async def sign(self, release_id: str, name: str) -> httpx.Response:
        payload = (await self.operator.get(f"/api/v1/releases/{release_id}/payload")).content
        signature = signer_from_pem(self.ceremony.offline[name]).sign(payload)
        body = {"keyid": signature.keyid, "sig": signature.signature}
        return await self.operator.post(f"/api/v1/releases/{release_id}/signatures", json=body)


class _WithCertificate:
    """Puts a client certificate where the TLS listener puts it."""

    def __init__(self, app: Litestar, certificate: bytes | None) -> None:
        self._app, self._certificate = app, certificate

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"] = {"tls": {"client_certificate": self._certificate}}
        await self._app(scope, receive, send)


def sha(data: bytes) -> Sha256:
    import hashlib  # noqa: PLC0415 - used by this helper alone

    return Sha256(hashlib.sha256(data).hexdigest())


def ecu(image: bytes, counter: int, serial: str = "ENG-1") -> EcuState:
    return EcuState(
        serial=EcuSerial(serial),
        hardware_id=ENGINE,
        domain=Domain.SAFETY,
        address=0x1001,
        version=f"{counter}.0",
        sha256=sha(image),
        release_counter=counter,
    )


def _pem(csr: bytes) -> str:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM).decode()


def _certificate(pem: bytes) -> Any:
    from cryptography import x509  # noqa: PLC0415

    return x509.load_pem_x509_certificate(pem)


@pytest.fixture(scope="session")
def ceremony() -> Ceremony:
    chance = SeededChance("ceremony")
    return hold_ceremony(lambda size: bytes.fromhex(chance.token(size)), START)


@pytest.fixture(scope="session")
def issuer() -> certificates.Authority:
    key = certificates.connection_key(b"\1" * 48)
    validity = certificates.Validity(START - timedelta(days=1), START + timedelta(days=3650))
    return certificates.make_authority("test", key, serial=1, validity=validity)


@pytest.fixture
async def bench(ceremony: Ceremony, issuer: certificates.Authority) -> AsyncIterator[Bench]:
    clock, kicked = HandClock(), list[VehicleKey]()
    store = MemoryStore[StoredEntry, Account]()

    async def kick(vehicle: VehicleKey) -> None:
        kicked.append(vehicle)

    desk = Desk(
        store=store,
        artifacts=MemoryArtifacts(),
        authority=ceremony.authority(),
        issuer=issuer,
        clock=clock,
        chance=SeededChance("bench"),
        disconnect=kick,
    )
    await desk.write(lambda tables: store_roots(tables.metadata, desk.authority))
    transport = httpx.ASGITransport(app=make_operator_app(desk))
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test") as operator:
        made = Bench(desk, clock, ceremony, operator, store, kicked)
        operator.headers.update(made.bearer())
        yield made
