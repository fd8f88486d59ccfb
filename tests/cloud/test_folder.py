"""The server's folder: one ceremony, keys that nobody else can read."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from tests.cloud.conftest import START

from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import ConflictError, NotFoundError, StoreError
from roadworthy.cloud.authority import OFFLINE, ONLINE
from roadworthy.cloud.folder import ServerFolder, create_folder
from roadworthy.trust.keys import key_from_json, key_of


def make(path: Path, offline: Path) -> ServerFolder:
    return create_folder(path, offline, names=["cloud.test"], chance=SeededChance(1), now=START)


def test_a_ceremony_makes_all_keys_and_divides_them(tmp_path: Path) -> None:
    folder = make(tmp_path / "server", tmp_path / "offline")
    authority = folder.load_authority()
    assert folder.load_issuer().certificate.version is x509.Version.v3
    offline = {path.stem for path in (tmp_path / "offline").iterdir()}
    assert offline == set(OFFLINE)
    online = {path.stem for path in (tmp_path / "server" / "keys").glob("*.pem")}
    assert online == set(ONLINE), "the server has none of the offline keys"
    public = key_from_json((tmp_path / "server" / "keys" / "ledger.pub.json").read_bytes())
    assert public == key_of(authority.ledger)


def test_nobody_else_reads_what_a_ceremony_wrote(tmp_path: Path) -> None:
    make(tmp_path / "new" / "server", tmp_path / "offline")
    for path in (tmp_path / "new" / "server", tmp_path / "offline"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
        for inner in path.rglob("*"):
            expected = 0o700 if inner.is_dir() else 0o600
            assert stat.S_IMODE(inner.stat().st_mode) == expected, inner


@pytest.mark.parametrize("kept", ["server", "offline"])
def test_a_ceremony_never_overwrites_keys(tmp_path: Path, kept: str) -> None:
    make(tmp_path / "server", tmp_path / "offline")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.pem")}
    server = tmp_path / ("server" if kept == "server" else "other")
    offline = tmp_path / ("offline" if kept == "offline" else "other-offline")
    with pytest.raises(ConflictError):
        make(server, offline)
    assert {path: path.read_bytes() for path in before} == before
    assert set(tmp_path.rglob("*.pem")) == set(before), "and leaves nothing half"


def test_a_folder_without_keys_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="keys init"):
        ServerFolder(tmp_path).load_authority()
    with pytest.raises(NotFoundError):
        ServerFolder(tmp_path).load_issuer()


def test_a_place_that_can_not_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        make(tmp_path / "file" / "server", tmp_path / "offline")
