"""A whole cloud in memory: the real applications and services on the stores' twins."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from litestar import Litestar

from roadworthy.adapters.files import MemoryArtifacts
from roadworthy.adapters.https_server import AsgiApp, Receive, Scope, Send
from roadworthy.adapters.memory_store import MemoryStore
from roadworthy.base.clock import SeededChance
from roadworthy.base.encoding import sha256_hex
from roadworthy.base.ids import EcuSerial, HardwareId, Sha256, VehicleKey, Vin
from roadworthy.cloud.access import SCOPES, issue
from roadworthy.cloud.authority import Ceremony, hold_ceremony
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.engine import campaign_or_error, tick
from roadworthy.cloud.intake import accept
from roadworthy.cloud.operator_app import make_operator_app
from roadworthy.cloud.ports import Account, StoredEntry
from roadworthy.cloud.repositories import store_roots
from roadworthy.cloud.vehicle_api import make_vehicle_app
from roadworthy.compliance.ledger import Entry, parse_entry
from roadworthy.fleet.inventory import Domain, EcuState
from roadworthy.trust import certificates
from roadworthy.trust.envelope import seal
from roadworthy.trust.keys import key_of, key_to_json, signer_from_pem, signer_from_seed
from roadworthy.trust.tuf import CryptoSigner
from roadworthy.updates.campaign import Campaign, Member
from roadworthy.updates.reports import Inventory, Outcome, Report, Result, report_body

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
        await asyncio.sleep(0)


@dataclass
class TestVehicle:
    """A vehicle's own keys, certificate and report counter."""

    __test__ = False

    key: VehicleKey
    signer: CryptoSigner
    certificate: bytes
    vin: Vin
    sequence: int = 0

    def seal(self, kind: type[Any], now: datetime, **fields: object) -> bytes:
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
    slots: dict[str, "Slot"]
    kicked: list[VehicleKey]
    operator_app: Litestar

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
            "csr": csr_pem(certificates.build_csr(key, "any")),
            "report_key": key_to_json(key_of(signer)).decode(),
        }
        answer = await self.operator.post("/api/v1/vehicles", json=body)
        assert answer.status_code == 201, answer.text
        pem = answer.json()["certificate"].encode()
        certificate = certificates.to_der(certificate_from(pem))
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

    async def report(
        self, vehicle: TestVehicle, kind: type[Any], **fields: object
    ) -> dict[str, Any]:
        """Take in a report of a vehicle as the worker does; return the answer to it."""
        return await self.take(vehicle, vehicle.seal(kind, self.clock.now(), **fields))

    async def take(self, vehicle: TestVehicle, payload: bytes) -> dict[str, Any]:
        now = self.clock.now()
        return await self.desk.write(lambda tables: accept(tables, vehicle.key, payload, now=now))

    async def fleet(self, size: int, image: bytes = OLD, counter: int = 1) -> list[TestVehicle]:
        """Enrol vehicles of one ECU each that have said what they run."""
        vehicles = [await self.enrol(number) for number in range(1, size + 1)]
        for vehicle in vehicles:
            await self.report(vehicle, Inventory, ecus=(ecu(image, counter),))
        return vehicles

    async def draft_campaign(self, campaign_id: str = "spring", **fields: object) -> None:
        body = {
            "id": campaign_id,
            "name": campaign_id.capitalize(),
            "release_id": "new",
            "waves": [{"name": "all", "share": 1.0}],
        }
        answer = await self.operator.post("/api/v1/campaigns", json=body | fields)
        assert answer.status_code == 201, answer.text

    async def rollout(self, size: int = 1, **fields: object) -> list[TestVehicle]:
        """Start the campaign `spring` on that many vehicles; nothing is offered yet."""
        vehicles = await self.fleet(size)
        await self.signed_release("new", NEW, 2)
        await self.draft_campaign("spring", **fields)
        answer = await self.act("start")
        assert answer.status_code == 200, answer.text
        return vehicles

    async def act(
        self, action: str, campaign_id: str = "spring", reason: str = ""
    ) -> httpx.Response:
        path = f"/api/v1/campaigns/{campaign_id}/{action}"
        return await self.operator.post(path, json={"reason": reason})

    async def tick(self, campaign_id: str = "spring") -> tuple[VehicleKey, ...]:
        now = self.clock.now()
        return await self.desk.write(
            lambda tables: tick(tables, self.desk.authority, campaign_id, now=now)
        )

    async def confirm(self, vehicle: TestVehicle, campaign_id: str = "spring") -> None:
        await self.finish(vehicle, Outcome.CONFIRMED, NEW, 2, campaign_id=campaign_id)

    async def fail(self, vehicle: TestVehicle, code: str = "ecu-rejected") -> None:
        await self.finish(vehicle, Outcome.FAILED, OLD, 1, code=code, ecu="ENG-1")

    async def finish(
        self,
        vehicle: TestVehicle,
        outcome: Outcome,
        image: bytes,
        counter: int,
        campaign_id: str = "spring",
        **fields: object,
    ) -> None:
        await self.report(
            vehicle,
            Result,
            offer=offer_of(vehicle, campaign_id),
            outcome=outcome,
            ecus=(ecu(image, counter),),
            **{"ecu": ""} | fields,
        )

    def campaign(self, campaign_id: str = "spring") -> Campaign:
        return campaign_or_error(self.desk.tables(), campaign_id)

    def member(self, vehicle: TestVehicle, campaign_id: str = "spring") -> Member:
        found = self.desk.tables().campaigns.member(campaign_id, vehicle.key)
        assert found is not None
        return found

    def entries(self, *kinds: str) -> list[Entry]:
        """The ledger, oldest first; only entries of these kinds."""
        found = [parse_entry(item.data) for item in self.desk.tables().ledger.entries(limit=1000)]
        return [entry for entry in reversed(found) if not kinds or entry.type in kinds]

    async def raw(
        self, method: str, path: str, events: list[dict[str, object]], until: bytes = b""
    ) -> tuple[int, bytes]:
        """Speak ASGI by hand; the client goes when it saw `until` or the end.

        Returns the status and the body as far as it came.
        """
        path, _, query = path.partition("?")
        token = self.operator.headers["authorization"]
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "headers": [(b"authorization", token.encode()), (b"accept", b"*/*")],
            "client": ("127.0.0.1", 1),
            "server": ("cloud.test", 80),
        }
        left, gone, status, body = list(events), asyncio.Event(), 0, b""

        async def receive() -> MutableMapping[str, object]:
            if left:
                return left.pop(0)
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, body
            status = message.get("status", status)
            body += message.get("body", b"")
            is_body = message["type"] == "http.response.body"
            if is_body and (until in body or not message.get("more_body")):
                gone.set()
            await asyncio.sleep(0)

        await cast("AsgiApp", self.operator_app)(scope, receive, send)
        return status, body

    async def page(self, path: str) -> httpx.Response:
        """Fetch a page as a browser does."""
        return await self.operator.get(path, headers={"accept": "text/html"})


class Slot:
    """Stands for a part of the desk that each test brings anew; the applications stay."""

    def __init__(self) -> None:
        self.part: object = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.part, name)


@dataclass(frozen=True)
class House:
    """What all tests share because it takes long to build."""

    desk: Desk
    operator_app: Litestar
    slots: dict[str, Slot]
    kicked: list[VehicleKey]


class _WithCertificate:
    """Puts a client certificate where the TLS listener puts it."""

    def __init__(self, app: Litestar, certificate: bytes | None) -> None:
        self._app, self._certificate = app, certificate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {"tls": {"client_certificate": self._certificate}}
        await cast("AsgiApp", self._app)(scope, receive, send)


def sha(data: bytes) -> Sha256:
    return Sha256(sha256_hex(data))


def offer_of(vehicle: TestVehicle, campaign_id: str = "spring") -> str:
    return f"{campaign_id}.{vehicle.key}"


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a problem of RFC 9457, whole and of this kind; return it."""
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    ), answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["code"] == code, body
    assert body["type"] == f"urn:roadworthy:problem:{code}"
    assert body["title"]
    assert body["happened"] in body["detail"]
    assert body["instance"] == answer.request.url.path
    assert {"value", "todo"} <= set(body)
    return body


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


def csr_pem(csr: bytes) -> str:
    return x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM).decode()


def certificate_from(pem: bytes) -> x509.Certificate:
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


@pytest.fixture(scope="session")
def house(ceremony: Ceremony, issuer: certificates.Authority) -> House:
    slots = {name: Slot() for name in ("store", "artifacts", "clock", "chance")}
    kicked: list[VehicleKey] = []

    async def kick(vehicle: VehicleKey) -> None:
        kicked.append(vehicle)

    desk = Desk(
        **cast("Any", slots), authority=ceremony.authority(), issuer=issuer, disconnect=kick
    )
    return House(desk, make_operator_app(desk), slots, kicked)


@pytest.fixture
async def bench(house: House, ceremony: Ceremony) -> AsyncIterator[Bench]:
    clock, store, desk = HandClock(), MemoryStore[StoredEntry, Account](), house.desk
    parts = {
        "store": store,
        "artifacts": MemoryArtifacts(),
        "clock": clock,
        "chance": SeededChance("bench"),
    }
    for name, part in parts.items():
        house.slots[name].part = part
    house.kicked.clear()
    await desk.write(lambda tables: store_roots(tables.metadata, desk.authority))
    transport = httpx.ASGITransport(app=cast("AsgiApp", house.operator_app))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as operator:
        made = Bench(
            desk, clock, ceremony, operator, store, house.slots, house.kicked, house.operator_app
        )
        operator.headers.update(made.bearer())
        yield made
