"""The program says what is next, which file was wrong, and keeps lists short."""

from pathlib import Path

from tests.cli.conftest import Cli, Server

from roadworthy.cli.ledger import _details, _gist

RELEASE = """id = "hinted"
name = "Hinted"
version = "1"
[[artifact]]
file = "image.bin"
name = "hinted.bin"
hardware_id = "hinted-h1"
version = "1"
release_counter = 1
order = 0
"""


def test_a_draft_says_what_is_next(user: Cli, server: Server, tmp_path: Path) -> None:
    (tmp_path / "image.bin").write_bytes(bytes(300))
    (tmp_path / "release.toml").write_text(RELEASE)
    (tmp_path / "plan.toml").write_text(
        'id = "hinted"\nname = "Hinted"\nrelease = "hinted"\n[[wave]]\nname = "all"\n'
    )
    drafted = user("release", "create", tmp_path / "release.toml")
    assert "Next: roadworthy release sign hinted --key FILE --key FILE" in drafted.stderr
    pems = [server.offline / f"targets-{number}.pem" for number in (1, 2)]
    user.ok("release", "sign", "hinted", "--key", pems[0], "--key", pems[1])
    assert "Next" not in user("release", "show", "hinted").stderr
    planned = user("campaign", "create", tmp_path / "plan.toml")
    assert "Next: roadworthy campaign start hinted" in planned.stderr


def test_a_key_file_that_holds_no_key_is_named(user: Cli, tmp_path: Path) -> None:
    file = tmp_path / "no-key.pem"
    file.write_text("nothing")
    result = user("release", "sign", "any", "--key", file)
    assert result.exit_code == 2
    assert "no-key.pem" in result.stderr.replace("\n", "")


def test_a_wrong_form_leads_to_the_example(user: Cli, tmp_path: Path) -> None:
    file = tmp_path / "release.toml"
    file.write_text("x = 1")
    for command in ("release", "campaign"):
        result = user(command, "create", file)
        assert result.exit_code == 2
        assert "--help" in result.stderr
        assert "[[" in user(command, "create", "--help").stdout


def test_a_list_of_entries_counts_what_an_entry_spells_out() -> None:
    data = {"ecus": {"a": "1", "b": "2"}, "detail": "", "images": [{"n": 1}], "sizes": [1, 0]}
    assert _gist(data) == "ecus 2, images 1, sizes [1, 0]"
    assert '"b": "2"' in _details(data)


def test_a_vehicle_without_ecus_is_told_where_they_belong(user: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "vehicle"
    user.ok("vehicle", "enroll", folder, "--vin", "RWT00000000000711", "--type", "car-b")
    result = user("agent", "run", "--config", folder / "agent.toml")
    assert result.exit_code == 2
    assert "[[ecus]]" in result.stderr
