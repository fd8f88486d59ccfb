"""The key ceremony at the command line."""

import stat
from pathlib import Path

from tests.cli.conftest import Cli


def test_a_ceremony_leaves_secrets_to_their_owner_and_offline_keys_apart(
    keys_folder: tuple[Path, Path],
) -> None:
    folder, offline = keys_folder
    made = sorted(path.name for path in offline.iterdir())
    assert made == ["root-1.pem", "root-2.pem", "targets-1.pem", "targets-2.pem"]
    secrets = [*offline.iterdir(), *(folder / "keys").iterdir(), *(folder / "tls").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    assert not {path.name for path in (folder / "keys").iterdir()} & set(made)


def test_the_list_says_who_must_sign_what(cli: Cli, keys_folder: tuple[Path, Path]) -> None:
    folder, _ = keys_folder
    listed = cli.ok("keys", "list", folder)
    targets = [
        item for item in listed if (item["repository"], item["role"]) == ("images", "targets")
    ]
    assert [item["threshold"] for item in targets] == [2, 2]
    assert not any(item["online"] for item in targets)
    table = cli("keys", "list", folder).stdout
    assert targets[0]["keyid"][:12] in table


def test_a_second_ceremony_in_the_same_folder_is_a_conflict(
    cli: Cli, keys_folder: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, _ = keys_folder
    assert cli("keys", "init", folder, "--offline", tmp_path).exit_code == 5


def test_offline_keys_may_not_lie_with_the_server(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    result = cli("keys", "init", folder, "--offline", folder / "offline")
    assert result.exit_code == 2
    assert not folder.exists()


def test_a_folder_without_keys_is_not_found(cli: Cli, tmp_path: Path) -> None:
    assert cli("keys", "list", tmp_path).exit_code == 4
