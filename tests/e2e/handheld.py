"""A vehicle that a test drives by hand: enrolled like any other, without an agent."""

import ssl
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from tests.e2e.processes import LIMIT_S
from tests.e2e.world import Server

from roadworthy.adapters.https_client import HttpsCloud, HttpsSettings
from roadworthy.adapters.mqtt import MqttMessages, MqttSettings
from roadworthy.adapters.tls import TlsClient
from roadworthy.base.clock import SystemChance, SystemClock
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.client import OperatorClient
from roadworthy.sim.vehicle_types import vin
from roadworthy.trust import certificates
from roadworthy.trust.keys import SEED_BYTES, key_of, key_to_json, signer_from_seed
from roadworthy.trust.tuf import CryptoSigner

__all__ = ["HandVehicle", "enrol", "new_key", "write_tls"]

_SEED = "by hand"
Link = MqttMessages


@dataclass(frozen=True)
class HandVehicle:
    """A vehicle's key, the signer of its reports and its certificate."""

    key: VehicleKey
    signer: CryptoSigner
    tls: TlsClient

    async def on_mqtt(
        self,
        server: Server,
        work: Callable[[Link], Awaitable[None]],
        *,
        timeout_s: float = LIMIT_S,
    ) -> None:
        """Do something with a connection to the broker.

        A broker that does not accept the certificate is found out only after `timeout_s`.
        """
        port = int(server.ready["mqtt"])
        settings = MqttSettings("127.0.0.1", port, self.key, self.tls, timeout_s=timeout_s)
        link = MqttMessages(settings, clock=SystemClock(), chance=SystemChance())
        try:
            await work(link)
        finally:
            await link.aclose()

    async def on_https(self, server: Server, work: Callable[[HttpsCloud], Awaitable[None]]) -> None:
        """Do something with a connection to the vehicles' API."""
        async with aclosing(HttpsCloud(HttpsSettings(server.ready["vehicle"], self.tls))) as cloud:
            await work(cloud)


def new_key() -> EllipticCurvePrivateKey:
    """Return a new private key for connections."""
    return certificates.connection_key(_random(certificates.SCALAR_BYTES))


def enrol(client: OperatorClient, folder: Path, index: int, type_name: str) -> HandVehicle:
    """Enrol a vehicle through the operator API and put its certificate into the folder."""
    signer, key = signer_from_seed(_random(SEED_BYTES)), new_key()
    request = ssl.DER_cert_to_PEM_cert(certificates.build_csr(key, "vehicle"))
    body = {
        "vin": vin(_SEED, index),
        "type": type_name,
        "csr": request.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
        "report_key": key_to_json(key_of(signer)).decode(),
    }
    answer = client.post("/vehicles", body)
    tls = write_tls(folder, answer["authority"].encode(), answer["certificate"].encode(), key)
    return HandVehicle(VehicleKey(answer["vehicle"]), signer, tls)


def write_tls(
    folder: Path, authority: bytes, certificate: bytes, key: EllipticCurvePrivateKey
) -> TlsClient:
    """Write a client's files and return where they are."""
    folder.mkdir(exist_ok=True)
    files = {
        "ca.pem": authority,
        "vehicle.pem": certificate,
        "vehicle.key": certificates.key_pem(key),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return TlsClient(folder / "ca.pem", folder / "vehicle.pem", folder / "vehicle.key")


def _random(size_bytes: int) -> bytes:
    return bytes.fromhex(SystemChance().token(size_bytes))
