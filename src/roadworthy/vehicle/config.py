"""The agent's configuration file: TOML or JSON, paths relative to the file's own folder.

    vehicle = "v0123456789abcdef"
    storage = "storage"

    [server]
    host = "localhost"
    https_port = 8443
    mqtt_port = 8883

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
    port = 13400

    [[ecus]]
    address = 0x10
    domain = "body"

`ecu_secrets` maps ECU serials to unlock secrets in hex. `conditions_file`, if given, is a JSON
object with `parked`, `battery_percent`, `window_open` and `consent` that the body computer keeps up
to date; without it the vehicle counts as always ready.
"""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec

from roadworthy.base.errors import InputError
from roadworthy.base.ids import (
    EcuSerial,
    VehicleKey,
    parse_ecu_serial,
    parse_vehicle_key,
)
from roadworthy.fleet.inventory import Domain, Slots
from roadworthy.trust.keys import signer_from_pem
from roadworthy.vehicle.settings import AgentSettings, EcuPlace, Identity

__all__ = [
    "DoipConfig",
    "EcuConfig",
    "KeyFiles",
    "ServerConfig",
    "VehicleConfig",
    "load_config",
    "load_identity",
]

_CONFIG_BYTES_MAX = 1 << 20
_SECRET_BYTES_MIN = 16
_PORT_MAX = 0xFFFF


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file; unknown names are mistakes."""


class ServerConfig(_Table, frozen=True):
    """Where the cloud is; `host` must stand in the server's certificate."""

    host: str
    https_port: int
    mqtt_port: int


class KeyFiles(_Table, frozen=True):
    """Files that the factory put in."""

    ca: Path
    certificate: Path
    private_key: Path
    report_key: Path
    ecu_secrets: Path
    director_root: Path
    images_root: Path


class DoipConfig(_Table, frozen=True):
    """Where the vehicle's DoIP entity is."""

    host: str = "127.0.0.1"
    port: int = 13400


class EcuConfig(_Table, frozen=True):
    """One ECU behind the DoIP entity."""

    address: int
    domain: Domain
    slots: Slots = Slots.AB


class VehicleConfig(_Table, frozen=True):
    """The whole file, with absolute paths. `poll_s`: seconds between polls without a notice."""

    vehicle: VehicleKey
    storage: Path
    server: ServerConfig
    keys: KeyFiles
    ecus: tuple[EcuConfig, ...] = ()
    doip: DoipConfig = DoipConfig()
    conditions_file: Path | None = None
    poll_s: float = AgentSettings().poll_s


def load_config(path: Path) -> VehicleConfig:
    """Read and check a configuration file.

    Raises:
        InputError: the file can't be read, or a name or value in it is not right.
    """
    data = _read(path)
    try:
        raw = json.loads(data) if path.suffix == ".json" else tomllib.loads(data.decode())
        config = msgspec.convert(raw, VehicleConfig, dec_hook=_from(path.parent))
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not a vehicle's configuration ({error})", value=str(path)) from error
    parse_vehicle_key(config.vehicle)
    for port in (config.server.https_port, config.server.mqtt_port, config.doip.port):
        if not 0 < port <= _PORT_MAX:
            raise InputError("is not a port", value=f"{path.name}: {port}")
    if not config.ecus or not all(0 < ecu.address <= _PORT_MAX for ecu in config.ecus):
        raise InputError(
            "needs ECUs with addresses from 1 to 0xFFFF",
            value=f"{path.name}: ecus",
            todo="add a table [[ecus]] with address and domain for each",
        )
    return config


def load_identity(config: VehicleConfig) -> Identity:
    """Read the key files.

    Raises:
        InputError: a file can't be read or is not what it must be.
    """
    keys = config.keys
    return Identity(
        vehicle=config.vehicle,
        signer=signer_from_pem(_read(keys.report_key)),
        ecus=tuple(EcuPlace(ecu.address, ecu.domain, ecu.slots) for ecu in config.ecus),
        secrets=_secrets(keys.ecu_secrets),
        director_root=_read(keys.director_root),
        images_root=_read(keys.images_root),
    )


def _secrets(path: Path) -> dict[EcuSerial, bytes]:
    try:
        raw = msgspec.json.decode(_read(path), type=dict[str, str])
        secrets = {parse_ecu_serial(serial): bytes.fromhex(text) for serial, text in raw.items()}
    except (ValueError, msgspec.DecodeError) as error:
        # Without its cause, which would quote the file.
        kind = type(error).__name__
        raise InputError(f"does not map serials to hex ({kind})", value=str(path)) from None
    if any(len(secret) < _SECRET_BYTES_MIN for secret in secrets.values()):
        raise InputError(f"has a secret below {_SECRET_BYTES_MIN} bytes", value=str(path))
    return secrets


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", value=str(path)) from error
    if len(data) > _CONFIG_BYTES_MAX:
        raise InputError("is too large", value=str(path))
    return data


def _from(folder: Path) -> Callable[[type, object], Path]:
    def decode(kind: type, text: object) -> Path:
        if kind is not Path or not isinstance(text, str):
            msg = "must be a path"
            raise ValueError(msg)
        return folder / text

    return decode
