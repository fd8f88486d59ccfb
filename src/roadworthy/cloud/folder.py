"""The server's folder: where its keys, certificates, database and artifacts lie.

keys/       online private keys and both roots     (0600)
tls/        authority, server certificate and keys (0600)
roadworthy.db, artifacts/, broker/
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from roadworthy.base.clock import Chance
from roadworthy.base.errors import ConflictError, NotFoundError, StoreError
from roadworthy.cloud.authority import OFFLINE, ONLINE, Authority, hold_ceremony
from roadworthy.trust import certificates
from roadworthy.trust.keys import key_of, key_to_json, signer_from_pem

__all__ = ["ServerFolder", "create_folder"]

_REPOSITORIES = ("director", "images")
_AUTHORITY_LIFE = timedelta(days=3650)
_SERVER_LIFE = timedelta(days=825)
_SKEW = timedelta(minutes=10)
_SERIAL_BYTES = 16


@dataclass(frozen=True, slots=True)
class ServerFolder:
    """Names of the files; `load_*` reads them."""

    path: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "roadworthy.db"

    @property
    def artifacts(self) -> Path:
        """Images and deltas."""
        return self.path / "artifacts"

    @property
    def broker(self) -> Path:
        """The broker's own folder."""
        return self.path / "broker"

    def tls(self, name: str) -> Path:
        """Return the file `ca.pem`, `ca.key`, `server.pem` or `server.key`."""
        return self.path / "tls" / name

    def load_authority(self) -> Authority:
        """Return the online signers and the roots.

        Raises:
            NotFoundError: there are no keys here yet.
        """
        keys = self.path / "keys"
        pems = {name: _read(keys / f"{name}.pem") for name in ONLINE}
        roots = {name: _read(keys / f"{name}.root.json") for name in _REPOSITORIES}
        return Authority.load(pems, roots)

    def load_issuer(self) -> certificates.Authority:
        """Return the authority that issues certificates."""
        return certificates.authority_from_pem(_read(self.tls("ca.pem")), _read(self.tls("ca.key")))


def create_folder(
    path: Path, offline: Path, *, names: Sequence[str], chance: Chance, now: datetime
) -> ServerFolder:
    """Hold the key ceremony: make all keys and certificates of a new installation.

    Args:
        path: the server's folder.
        offline: where the keys go that must not stay with the server.
        names: DNS names and addresses of the server, beside localhost.
        chance: draws the keys.
        now: start of all validity.

    Raises:
        ConflictError: one of the folders has keys already.
    """
    folder = ServerFolder(path)
    if (path / "keys").exists() or any((offline / f"{name}.pem").exists() for name in OFFLINE):
        raise ConflictError("holds keys already", value=path.name, todo="take an empty folder")
    ceremony = hold_ceremony(lambda size: bytes.fromhex(chance.token(size)), now)
    ledger = key_to_json(key_of(signer_from_pem(ceremony.online["ledger"])))
    _make_folder(path)
    _write(offline, {f"{name}.pem": pem for name, pem in ceremony.offline.items()})
    _write(path / "tls", _connections(names, chance, now))
    _write(
        path / "keys",
        {f"{name}.pem": pem for name, pem in ceremony.online.items()}
        | {f"{name}.root.json": root for name, root in ceremony.roots.items()}
        | {"ledger.pub.json": ledger},
    )
    return folder


def _connections(names: Sequence[str], chance: Chance, now: datetime) -> dict[str, bytes]:
    start = now.replace(microsecond=0) - _SKEW
    keys = [
        certificates.connection_key(bytes.fromhex(chance.token(certificates.SCALAR_BYTES)))
        for _ in range(2)
    ]
    authority = certificates.make_authority(
        "roadworthy vehicles",
        keys[0],
        serial=_serial(chance),
        validity=certificates.Validity(start, start + _AUTHORITY_LIFE),
    )
    server = certificates.issue_server(
        authority,
        keys[1].public_key(),
        names=names,
        serial=_serial(chance),
        validity=certificates.Validity(start, start + _SERVER_LIFE),
    )
    return {
        "ca.pem": certificates.to_pem(authority.certificate),
        "ca.key": certificates.key_pem(keys[0]),
        "server.pem": certificates.to_pem(server),
        "server.key": certificates.key_pem(keys[1]),
    }


def _serial(chance: Chance) -> int:
    return int(chance.token(_SERIAL_BYTES), 16) | 1


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"can't be made ({error.strerror})", value=str(path)) from error


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    _make_folder(folder)
    try:
        for name, data in files.items():
            file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
    except OSError as error:
        raise StoreError(f"can't be written ({error.strerror})", value=str(folder)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(
            "is not there", value=path.name, todo="hold the key ceremony: roadworthy keys init"
        ) from error
    except OSError as error:
        raise StoreError(f"can't be read ({error.strerror})", value=path.name) from error
