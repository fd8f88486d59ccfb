"""`roadworthy vehicle enroll`: makes what a vehicle's agent starts with.

The private keys are drawn here and never leave the folder; the server gets a certificate
request and the public key of reports. If the server refuses, the same command can be given
again: it takes the keys that are there.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from roadworthy.base.clock import SystemChance
from roadworthy.base.errors import ConflictError, InputError, StoreError
from roadworthy.cli.commands import Command
from roadworthy.cli.files import FILE, FOLDER, read_file, write_new
from roadworthy.cli.session import session
from roadworthy.cli.settings import settings_of
from roadworthy.fleet.inventory import Domain, Slots
from roadworthy.trust.connection_keys import build_csr, connection_key, key_from_pem, key_pem
from roadworthy.trust.keys import (
    SEED_BYTES,
    key_of,
    key_to_json,
    private_pem,
    signer_from_pem,
    signer_from_seed,
)
from roadworthy.vehicle.config import load_config

__all__ = ["enroll"]

_CONNECTION_BYTES = 40
_PORT = click.IntRange(1, 65535)
_ADDRESS_MAX = 0xFFFF


@dataclass(frozen=True, slots=True)
class Ecu:
    """An ECU as the command names it."""

    address: int
    domain: Domain
    slots: Slots


def _parse_ecus(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> tuple[Ecu, ...]:
    return tuple(_parse_ecu(text) for text in texts)


def _parse_ecu(text: str) -> Ecu:
    address, domain, slots = [*text.split(":"), "", ""][:3]
    try:
        found = Ecu(int(address, 0), Domain(domain), Slots(slots or Slots.AB.value))
    except ValueError:
        found = Ecu(0, Domain.BODY, Slots.AB)
    if not 0 < found.address <= _ADDRESS_MAX:
        domains = ", ".join(Domain)
        raise click.BadParameter(f"{text!r}: give ADDRESS:DOMAIN, a domain of {domains}")
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where the vehicle finds the server and its own ECUs."""

    host: str
    https_port: int
    mqtt_port: int
    doip_port: int
    ecus: tuple[Ecu, ...]


@click.command("enroll", cls=Command)
@click.argument("folder", type=FOLDER)
@click.option("--vin", required=True, help="17 characters (ISO 3779); stays in the registry.")
@click.option("--type", "kind", required=True, help="Vehicle type, by which campaigns select.")
@click.option("--host", help="Of the server, as the vehicle reaches it; default: of --server.")
@click.option("--vehicle-port", default=8443, show_default=True, type=_PORT, help="HTTPS.")
@click.option("--mqtt-port", default=8883, show_default=True, type=_PORT, help="MQTT over TLS.")
@click.option("--doip-port", default=13400, show_default=True, type=_PORT, help="In the vehicle.")
@click.option(
    "--ecu",
    "ecus",
    multiple=True,
    metavar="ADDRESS:DOMAIN[:SLOTS]",
    callback=_parse_ecus,
    help="Such as 0x0010:body or 0x0011:infotainment:single.",
)
@click.option("--ecu-secrets", type=FILE, help="JSON: unlock secret in hex by ECU serial.")
@click.pass_context
def enroll(  # noqa: PLR0913 - one argument per option
    context: click.Context,
    *,
    folder: Path,
    vin: str,
    kind: str,
    host: str | None,
    vehicle_port: int,
    mqtt_port: int,
    doip_port: int,
    ecus: tuple[Ecu, ...],
    ecu_secrets: Path | None,
) -> None:
    """Register a vehicle and make the FOLDER that its agent starts with.

    Then, in the vehicle: roadworthy agent run --config FOLDER/agent.toml
    """
    found = host or urlsplit(settings_of(context).server).hostname or "localhost"
    place = Place(found, vehicle_port, mqtt_port, doip_port, ecus)
    secrets = read_file(ecu_secrets) if ecu_secrets else b"{}\n"
    if (folder / "vehicle.pem").exists():
        raise ConflictError("is enrolled already", value=str(folder), todo="take another folder")
    with session(context) as here:
        asked = {"vin": vin, "type": kind, **_keys(folder)}
        answer = here.client.post("/vehicles", asked)
        config = _write(folder, answer, place, secrets)
        if here.settings.is_json:
            here.output.json({"vehicle": answer["vehicle"], "config": str(config)})
            return
        here.output.fields({"Vehicle": answer["vehicle"], "Configuration": str(config)})
        if not ecus:
            here.output.message(f"Add the vehicle's ECUs to {config.name} before its agent starts,")
            here.output.message(f"or let them be simulated: roadworthy vehicle simulate {folder}")


def _keys(folder: Path) -> dict[str, str]:
    """Make the keys, unless they are there, and return what the server is to know of them."""
    chance = SystemChance()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"can't be made ({error.strerror})", value=str(folder)) from error
    connection, report = folder / "vehicle.key", folder / "report.key"
    if not connection.exists():
        drawn = bytes.fromhex(chance.token(_CONNECTION_BYTES))
        write_new(connection, key_pem(connection_key(drawn)))
    if not report.exists():
        write_new(report, private_pem(signer_from_seed(bytes.fromhex(chance.token(SEED_BYTES)))))
    csr = build_csr(key_from_pem(read_file(connection)), "vehicle")
    public = key_to_json(key_of(signer_from_pem(read_file(report))))
    pem = x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM)
    return {"csr": pem.decode(), "report_key": public.decode()}


def _write(folder: Path, answer: dict[str, str], place: Place, secrets: bytes) -> Path:
    write_new(folder / "ca.pem", answer["authority"].encode())
    write_new(folder / "director.root.json", answer["director_root"].encode())
    write_new(folder / "images.root.json", answer["images_root"].encode())
    write_new(folder / "ecu-secrets.json", secrets)
    config = folder / "agent.toml"
    write_new(config, _config(answer["vehicle"], place).encode())
    # The certificate comes last: with it, the folder is whole.
    write_new(folder / "vehicle.pem", answer["certificate"].encode())
    if place.ecus:
        load_config(config)
    return config


def _config(vehicle: str, place: Place) -> str:
    if not place.host.isprintable():
        raise InputError("is not a host", value="--host")
    ecus = "".join(
        f"\n[[ecus]]\naddress = 0x{ecu.address:04X}\n"
        f'domain = "{ecu.domain.value}"\nslots = "{ecu.slots.value}"\n'
        for ecu in place.ecus
    )
    return f"""vehicle = "{vehicle}"
storage = "storage"

[server]
host = {json.dumps(place.host)}
https_port = {place.https_port}
mqtt_port = {place.mqtt_port}

[keys]
ca = "ca.pem"
certificate = "vehicle.pem"
private_key = "vehicle.key"
report_key = "report.key"
ecu_secrets = "ecu-secrets.json"
director_root = "director.root.json"
images_root = "images.root.json"

[doip]
host = "127.0.0.1"
port = {place.doip_port}
{ecus}"""
