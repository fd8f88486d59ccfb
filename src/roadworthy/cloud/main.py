"""Wires the server: stores, broker, both listeners, workers. The only module that knows all."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast

from roadworthy.adapters.delta_process import make_in_child
from roadworthy.adapters.files import FolderArtifacts
from roadworthy.adapters.https_server import AsgiApp, RunningServer, serve
from roadworthy.adapters.nats_auth import Authorise, VehicleGate
from roadworthy.adapters.nats_broker import BrokerSettings, NatsBroker
from roadworthy.adapters.nats_messages import NatsMessages
from roadworthy.adapters.sqlite_store import SqliteStore
from roadworthy.adapters.tls import TlsServer
from roadworthy.base.clock import Clock, SystemChance, SystemClock
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.access import LINK_LIFE, SCOPES, issue
from roadworthy.cloud.admission import admit
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.doors import HTTPS_DOOR
from roadworthy.cloud.folder import ServerFolder
from roadworthy.cloud.operator_app import make_operator_app
from roadworthy.cloud.pages.sign_in import sign_in_path
from roadworthy.cloud.ports import Account, StoredEntry, Tables
from roadworthy.cloud.price import Price
from roadworthy.cloud.repositories import store_roots
from roadworthy.cloud.vehicle_api import make_vehicle_app
from roadworthy.cloud.workers import (
    build_deltas,
    keep_doors,
    keep_sightings,
    repeat,
    run_campaigns,
    take_in,
)
from roadworthy.delta import BackEnd

__all__ = ["RunningCloud", "ServerSettings", "TlsServer", "issue_local", "running_cloud"]

_LOG = logging.getLogger("roadworthy.cloud")
_ENGINE_EVERY_S = 0.5
_DELTAS_EVERY_S = 1.0
_SIGHTINGS_EVERY_S = 10.0
_DOORS_EVERY_S = 2.0
_RESTART_AFTER_S = 1.0
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How to run a server.

    folder: made by the key ceremony.
    operator_port, vehicle_port, mqtt_port: 0 picks a free one.
    operator_tls: certificate and key of the operators' listener; without it, plain HTTP,
        which is only for the machine itself or behind a proxy that ends TLS.
    environment: a badge on every page.
    delta_back_end: whether a delta's bytes or the vehicle's processor time matter more.
    price: what the bytes to vehicles cost, if the operator said so.
    """

    folder: Path
    host: str = "127.0.0.1"
    operator_port: int = 0
    vehicle_port: int = 0
    mqtt_port: int = 0
    operator_tls: TlsServer | None = None
    environment: str = ""
    delta_back_end: BackEnd = BackEnd.MIXING
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class RunningCloud:
    """A server that runs."""

    desk: Desk
    operator: RunningServer
    vehicle: RunningServer
    broker: NatsBroker

    async def sign_in_link(self) -> str:
        """Return a link that opens a session once, within 15 minutes."""
        token = await issue_local(self.desk, kind="link", name="operator")
        return self.operator.url + sign_in_path(token)


async def issue_local(desk: Desk, *, kind: str, name: str, life: timedelta = LINK_LIFE) -> str:
    """Return a token with all scopes, for whoever can start this server."""
    secret, now = desk.chance.token(_SECRET_BYTES), desk.now()

    def work(tables: Tables) -> str:
        """Store the token."""
        return issue(
            tables.accounts,
            secret=secret,
            name=name,
            kind=kind,
            scopes=SCOPES,
            life=life,
            now=now,
        )

    return await desk.write(work)


@contextlib.asynccontextmanager
async def running_cloud(settings: ServerSettings) -> AsyncIterator[RunningCloud]:
    """Run a server as long as the block does.

    Raises:
        NotFoundError: the folder has no keys yet.
        StoreError, LinkError: a part can't start; says which and why.
    """
    async with contextlib.AsyncExitStack() as stack:
        desk, broker, gate = _make_desk(stack, settings)
        await desk.write(lambda tables: store_roots(tables.metadata, desk.authority))
        messages = NatsMessages(broker, clock=desk.clock)
        await broker.start()
        stack.push_async_callback(broker.stop)
        await messages.open()
        stack.push_async_callback(messages.close)
        await gate.open()
        stack.push_async_callback(gate.close)
        vehicle_tls, operator_tls = _tls(settings), settings.operator_tls
        vehicle_app, operator_app = make_vehicle_app(desk), make_operator_app(desk)
        vehicle = await serve(
            cast("AsgiApp", vehicle_app),
            host=settings.host,
            port=settings.vehicle_port,
            tls=vehicle_tls,
            refused=lambda reason: desk.doors.note(HTTPS_DOOR, reason),
        )
        stack.push_async_callback(vehicle.stop)
        operator = await serve(
            cast("AsgiApp", operator_app),
            host=settings.host,
            port=settings.operator_port,
            tls=operator_tls,
        )
        stack.push_async_callback(operator.stop)
        workers = _workers(desk, messages, broker, settings.delta_back_end)
        tasks = [asyncio.create_task(_keep(desk, work)) for work in workers]
        stack.push_async_callback(_end, tasks)
        yield RunningCloud(desk, operator, vehicle, broker)


def _make_desk(
    stack: contextlib.AsyncExitStack, settings: ServerSettings
) -> tuple[Desk, NatsBroker, VehicleGate]:
    folder, clock, chance = ServerFolder(settings.folder), SystemClock(), SystemChance()
    authority, issuer = folder.load_authority(), folder.load_issuer()
    store = SqliteStore(folder.database, StoredEntry, Account)
    stack.callback(store.close)
    broker = NatsBroker(
        BrokerSettings(
            folder.broker, _tls(settings), host=settings.host, mqtt_port=settings.mqtt_port
        ),
        clock=clock,
        chance=chance,
    )
    gate = VehicleGate(broker, _admit(store, clock), clock=clock)
    desk = Desk(
        store=store,
        artifacts=FolderArtifacts(folder.artifacts),
        authority=authority,
        issuer=issuer,
        clock=clock,
        chance=chance,
        disconnect=gate.kick,
        environment=settings.environment,
        price=settings.price,
    )
    return desk, broker, gate


def _tls(settings: ServerSettings) -> TlsServer:
    folder = ServerFolder(settings.folder)
    return TlsServer(folder.tls("server.pem"), folder.tls("server.key"), folder.tls("ca.pem"))


def _workers(
    desk: Desk, messages: NatsMessages, broker: NatsBroker, back_end: BackEnd
) -> list[Callable[[], Awaitable[None]]]:
    refused = broker.refused_certificates
    make = partial(make_in_child, back_end=back_end)
    return [
        lambda: repeat(desk, lambda: run_campaigns(desk, messages), _ENGINE_EVERY_S),
        lambda: repeat(desk, lambda: build_deltas(desk, make), _DELTAS_EVERY_S),
        lambda: repeat(desk, lambda: keep_sightings(desk), _SIGHTINGS_EVERY_S),
        lambda: repeat(desk, lambda: keep_doors(desk, refused), _DOORS_EVERY_S),
        lambda: take_in(desk, messages, messages),
    ]


def _admit(store: SqliteStore[StoredEntry, Account], clock: Clock) -> Authorise:
    async def ask(certificate: bytes) -> VehicleKey:
        return await admit(store, certificate, now=clock.now())

    return ask


async def _keep(desk: Desk, worker: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await worker()
        except Exception:  # noqa: BLE001 - one bad step must not stop the campaigns for ever
            _LOG.exception("a worker failed and is started again")
        await desk.clock.sleep(_RESTART_AFTER_S)


async def _end(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
