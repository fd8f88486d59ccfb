"""Lets vehicles into the broker, and puts them out again (NATS auth callout, NATS ADR-26).

For every connection that is not our own the broker asks here. The answer rests on the client
certificate that the broker verified against the vehicles' authority: who the vehicle is and
whether it may still connect is decided by the `authorise` function handed in. Three rules
are enforced here:

1. Only MQTT with a verified certificate; never the NATS protocol port.
2. The MQTT client id is the vehicle key. Sessions belong to client ids: with the id of
   another vehicle one could take over its session and its waiting messages.
3. A vehicle publishes on `v/KEY/up` and subscribes to `v/KEY/down`, nothing else.

A forbidden publish is still acknowledged by the broker (MQTT 3.1.1 has no way to say no). How
large a message may be is a limit of the whole broker: with MQTT it heeds none of a user's own.
"""

import base64
import binascii
import hashlib
import json
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from roadworthy.adapters.nats_broker import ACCOUNT_FLEET, Issuer, NatsBroker
from roadworthy.base.clock import Clock
from roadworthy.base.encoding import parse_json_object
from roadworthy.base.errors import AccessError, InputError, LinkError, RoadworthyError
from roadworthy.base.ids import VehicleKey

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["Authorise", "ConnectRequest", "VehicleGate", "parse_request"]

_LOG = logging.getLogger(__name__)
_SUBJECT = "$SYS.REQ.USER.AUTH"
_REQUEST_BYTES_MAX = 1 << 18
_SUBSCRIPTIONS_MAX = 20

Authorise = Callable[[bytes], Awaitable[VehicleKey]]
"""Takes a verified certificate (DER), returns whose it is.

Raises AccessError or TrustError if that vehicle may not connect, for example because the
certificate is revoked.
"""


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What the broker says about a connection attempt.

    server: the broker's id; the answer is addressed to it.
    user_nkey: the broker's name for this connection.
    certificate: the verified client certificate, DER; None if there is none.
    client_id: the MQTT client id, empty if it is not MQTT.
    """

    server: str
    user_nkey: str
    certificate: bytes | None
    client_id: str


def parse_request(data: bytes) -> ConnectRequest:
    """Parse an authorization request (a JWT that only the broker can send).

    Raises:
        InputError: it is not of the documented form.
    """
    try:
        segment = data.split(b".")[1]
        body = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
        claims = parse_json_object(body, name="request", size_bytes_max=_REQUEST_BYTES_MAX)
        nats = claims["nats"]
        tls = nats.get("client_tls") or {}
        chains = tls.get("verified_chains") or []
        pem = chains[0][0] if chains else None
        return ConnectRequest(
            server=str(nats["server_id"]["id"]),
            user_nkey=str(nats["user_nkey"]),
            certificate=ssl.PEM_cert_to_DER_cert(pem) if pem is not None else None,
            client_id=_client_id(nats),
        )
    except (LookupError, AttributeError, TypeError, ValueError, binascii.Error) as error:
        raise InputError(f"is no authorization request ({error})", value="request") from error


class VehicleGate:
    """Answers the broker's questions about vehicles.

    Args:
        broker: a started broker.
        authorise: decides, see `Authorise`.
        clock: for issue and expiry times.
        session_max: a session is asked anew at the latest after this time.
    """

    def __init__(
        self,
        broker: NatsBroker,
        authorise: Authorise,
        *,
        clock: Clock,
        session_max: timedelta = timedelta(hours=12),
    ) -> None:
        self._broker = broker
        self._authorise = authorise
        self._clock = clock
        self._session_max = session_max
        self._auth: Client | None = None
        self._system: Client | None = None

    async def open(self) -> None:
        """Begin to answer; open the messages hub first, so that no report comes too early.

        Raises:
            LinkError: the broker can't be reached.
        """
        try:
            self._auth = await self._broker.connect("auth")
            self._system = await self._broker.connect("system")
            await self._auth.subscribe(_SUBJECT, cb=self._answer)
            await self._auth.flush()
        except BaseException as error:
            await self.close()
            if isinstance(error, NatsError | TimeoutError):
                raise LinkError(f"can't be opened ({error})", value="gate") from error
            raise

    async def close(self) -> None:
        """Stop answering; no vehicle can connect from now on."""
        for connection in (self._auth, self._system):
            if connection is not None:
                await connection.close()

    async def kick(self, vehicle: VehicleKey) -> int:
        """Close the live sessions of a vehicle; return how many there were.

        Call it after the revocation is stored: the vehicle reconnects at once, and is asked.

        Raises:
            LinkError: the broker did not answer.
        """
        if self._system is None:
            raise LinkError("is not open", value="gate")
        query = json.dumps({"auth": True, "user": vehicle}).encode()
        try:
            reply = await self._system.request("$SYS.REQ.SERVER.PING.CONNZ", query, timeout=5)
            found = json.loads(reply.data)
            server, sessions = found["server"]["id"], found["data"].get("connections") or []
            for session in sessions:
                order = json.dumps({"cid": session["cid"]}).encode()
                await self._system.request(f"$SYS.REQ.SERVER.{server}.KICK", order, timeout=5)
        except (NatsError, TimeoutError, ValueError, LookupError, TypeError) as error:
            raise LinkError(f"did not close the sessions ({error})", value="broker") from error
        return len(sessions)

    async def _answer(self, message: Msg) -> None:
        try:
            request = parse_request(message.data)
        except InputError as error:
            _LOG.warning("The broker asked in an unknown form: %s", error)
            return
        answer: dict[str, object] = {"type": "authorization_response", "version": 2}
        try:
            answer["jwt"] = self._permit(request, await self._identify(request))
        except RoadworthyError as error:
            _LOG.info("Connection refused: %s", error)
            answer["error"] = error.happened
        except Exception:  # noqa: BLE001 - every question needs an answer, and it is no
            _LOG.exception("Connection refused because the check failed")
            answer["error"] = "the check failed"
        claims = {"sub": request.user_nkey, "aud": request.server, "nats": answer}
        with suppress(NatsError):
            await message.respond(self._sign(claims))

    async def _identify(self, request: ConnectRequest) -> VehicleKey:
        if request.certificate is None or not request.client_id:
            raise AccessError("only MQTT with a certificate is served", value="connection")
        vehicle = await self._authorise(request.certificate)
        if request.client_id != vehicle:
            raise AccessError(
                "is not the vehicle key of the certificate",
                value="client id",
                todo="connect with the vehicle key as MQTT client id",
            )
        return vehicle

    def _permit(self, request: ConnectRequest, vehicle: VehicleKey) -> str:
        expires = self._clock.now() + self._session_max
        claims = {
            "sub": request.user_nkey,
            "aud": ACCOUNT_FLEET,
            "name": vehicle,
            "exp": int(expires.timestamp()),
            "nats": {
                "type": "user",
                "version": 2,
                "pub": {"allow": [f"v.{vehicle}.up"]},
                "sub": {"allow": [f"v.{vehicle}.down", "$MQTT.sub.>"]},
                "subs": _SUBSCRIPTIONS_MAX,
                "data": -1,
                "payload": -1,
                "allowed_connection_types": ["MQTT"],
            },
        }
        return self._sign(claims).decode()

    def _sign(self, claims: dict[str, Any]) -> bytes:
        return sign_claims(self._broker.issuer, claims, int(self._clock.now().timestamp()))


def sign_claims(issuer: Issuer, claims: dict[str, Any], issued_at: int) -> bytes:
    """Return a NATS JWT (version 2, `ed25519-nkey`) over the claims."""
    full = {**claims, "iat": issued_at, "iss": issuer.public}
    digest = hashlib.sha256(json.dumps(full).encode()).digest()
    full["jti"] = base64.b32encode(digest).decode().rstrip("=")
    header = _segment({"typ": "JWT", "alg": "ed25519-nkey"})
    signed = header + b"." + _segment(full)
    return signed + b"." + base64.urlsafe_b64encode(issuer.sign(signed)).rstrip(b"=")


def _segment(value: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def _client_id(nats: dict[str, Any]) -> str:
    client = nats.get("client_info") or {}
    return str(client.get("mqtt_id") or "") if client.get("type") == "mqtt" else ""
