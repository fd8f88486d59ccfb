"""The shape of the program: help, versions, loading, wrong use, settings, completion."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Cli
from tests.cli.help_text import COMMANDS, commands_of

from roadworthy.cli import root
from roadworthy.cli.commands import Root


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(cli: Cli, path: tuple[str, ...]) -> None:
    result = cli(*path, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: roadworthy" if not path else "Usage: ")
    command = commands_of(path)
    assert command.help
    assert command.help.splitlines()[0].endswith(".")


def test_the_list_of_commands_says_what_the_commands_say_themselves() -> None:
    assert isinstance(root, Root)
    context = click.Context(root)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(200) == root.summary(name)


def test_the_program_loads_without_the_libraries_of_a_server() -> None:
    heavy = ["litestar", "uvicorn", "nats", "roadworthy.cloud", "roadworthy.sim", "httpx", "tuf"]
    code = (
        "import sys; from roadworthy.cli import root; from click.testing import CliRunner;"
        "assert CliRunner().invoke(root, ['--help']).exit_code == 0;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_a_client_command_loads_without_the_server() -> None:
    heavy = ["litestar", "uvicorn", "nats", "jinja2"]
    code = (
        "import sys, roadworthy.cli.campaign, roadworthy.cli.release, roadworthy.cli.vehicle,"
        "roadworthy.cli.ledger, roadworthy.cli.token;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_the_version_is_printed(cli: Cli) -> None:
    assert cli("--version").stdout.startswith("roadworthy 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("release", "create"),
        ("demo", "--vehicles", "0"),
        ("demo", "--pace", "0"),
        ("--output", "xml", "token", "list"),
        ("campaign", "vehicles", "spring", "--stage", "asleep"),
        ("vehicle", "enroll", "there", "--vin", "x", "--type", "car", "--ecu", "1:kitchen"),
        ("vehicle", "enroll", "there", "--vin", "x", "--type", "car", "--ecu", "0x10000:body"),
    ],
)
def test_wrong_use_is_status_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_without_a_token_the_status_is_3_and_says_where_one_is(cli: Cli) -> None:
    result = cli("campaign", "list")
    assert result.exit_code == 3
    assert "operator.token" in result.stderr
    assert result.stdout == ""


def test_errors_for_programs_are_json_on_stderr(cli: Cli) -> None:
    result = cli("campaign", "list", "--output", "json")
    assert '"code":"access-denied"' in result.stderr
    assert '"exit_status":3' in result.stderr


def test_a_server_that_is_not_there_is_status_6(cli: Cli) -> None:
    result = cli("--server", "http://127.0.0.1:9", "--token", "rw_00", "campaign", "list")
    assert result.exit_code == 6


def test_options_win_over_the_environment_and_that_over_the_profile(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "roadworthy").mkdir()
    (tmp_path / "roadworthy" / "config.toml").write_text(
        'profile = "works"\n[profiles.works]\nserver = "http://127.0.0.1:11"\n'
        '[profiles.other]\nserver = "http://127.0.0.1:12"\n'
    )
    env = {"XDG_CONFIG_HOME": str(tmp_path), "ROADWORTHY_TOKEN": "rw_00"}
    assert "127.0.0.1:11" in cli("token", "list", env=env).stderr
    assert "127.0.0.1:12" in cli("--profile", "other", "token", "list", env=env).stderr
    env["ROADWORTHY_SERVER"] = "http://127.0.0.1:13"
    assert "127.0.0.1:13" in cli("token", "list", env=env).stderr
    before = ("--server", "http://127.0.0.1:14", "token", "list")
    assert "127.0.0.1:14" in cli(*before, env=env).stderr
    assert "127.0.0.1:15" in cli(*before, "--server", "http://127.0.0.1:15", env=env).stderr


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("profile = 'gone'", 4),
        ("[profiles.gone]\nport = '1'\nprofile = 'x'", 0),
        ("profile = 'a'\n[profiles.a]\nport = '1'", 2),
        ("profile = 'a'\n[profiles.a]\nserver = 1", 2),
        ("profile = [", 2),
    ],
)
def test_a_mistake_in_the_configuration_is_named(
    cli: Cli, tmp_path: Path, text: str, status: int
) -> None:
    (tmp_path / "roadworthy").mkdir()
    (tmp_path / "roadworthy" / "config.toml").write_text(text)
    result = cli("completion", "bash", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert result.exit_code == status, result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(cli: Cli, shell: str) -> None:
    assert "_ROADWORTHY_COMPLETE" in cli("completion", shell).stdout


def test_tab_completes_commands_and_options_without_loading_them() -> None:
    code = "import sys; from roadworthy.cli import root; root.main(prog_name='roadworthy');"
    env = {
        "_ROADWORTHY_COMPLETE": "bash_complete",
        "COMP_WORDS": "roadworthy ca",
        "COMP_CWORD": "1",
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)  # noqa: S603
    assert done.stdout.strip() == "plain,campaign"


def test_a_server_without_tls_stays_on_this_machine(cli: Cli, tmp_path: Path) -> None:
    result = cli("serve", "--folder", tmp_path, "--host", "0.0.0.0")  # noqa: S104 - is refused
    assert result.exit_code == 2
    assert "--behind-proxy" in result.stderr


def test_a_server_needs_a_certificate_and_its_key(cli: Cli, tmp_path: Path) -> None:
    result = cli("serve", "--folder", tmp_path, "--operator-cert", "a.pem")
    assert result.exit_code == 2


def test_a_server_without_keys_names_the_ceremony(cli: Cli, tmp_path: Path) -> None:
    result = cli("serve", "--folder", tmp_path)
    assert result.exit_code == 4
    assert "keys init" in result.stderr


def test_an_agent_without_configuration_is_status_2(cli: Cli, tmp_path: Path) -> None:
    assert cli("agent", "run", "--config", tmp_path / "agent.toml").exit_code == 2
