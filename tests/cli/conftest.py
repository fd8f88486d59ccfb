"""A runner without the machine's own settings, and a server that runs as a user starts it."""

import json
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from roadworthy.adapters.processes import guarded
from roadworthy.cli import root

_START_LIMIT_S = 120
_END_LIMIT_S = 60
_CLEAN = ("TOKEN", "TOKEN_FILE", "SERVER", "CA", "OUTPUT", "PROFILE")


@dataclass(frozen=True)
class Cli:
    """Calls the program in this process; options: given each time, before the command."""

    runner: CliRunner
    environment: Mapping[str, str | None]
    options: tuple[str, ...] = ()

    def __call__(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Result:
        given = {**self.environment, **(env or {})}
        result = self.runner.invoke(root, [*self.options, *map(str, arguments)], env=given)
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(
            result.exception
        )
        return result

    def ok(self, *arguments: str | Path) -> Any:  # noqa: ANN401 - JSON
        """Call with JSON output, expect success and return what was printed."""
        result = self(*arguments, "--output", "json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    environment: dict[str, str | None] = {f"ROADWORTHY_{name}": None for name in _CLEAN}
    environment["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    environment["COLUMNS"] = "200"
    return Cli(CliRunner(), environment)


@dataclass
class Server:
    """A server in a process of its own, its folder and its offline keys.

    said: what it printed after it was ready, once it is stopped.
    """

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    folder: Path
    offline: Path
    said: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        return ("--server", self.ready["operator"], "--token-file", self.ready["token_file"])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_END_LIMIT_S)
        finally:
            self.process.kill()
            self.said, _ = self.process.communicate()


@contextmanager
def program(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run the program in a process of its own, which does not outlive the block.

    It heeds Ctrl-C even where the tests run in the background, with SIGINT ignored.
    """
    command = [sys.executable, "-m", "roadworthy", *map(str, arguments)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a program prints; empty when none comes in time."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], _START_LIMIT_S)
    return process.stdout.readline() if readable else ""


def children(process_id: int) -> list[int]:
    """Return the ids of the processes that this one started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            if re.split(r"\) ", text)[-1].split()[1] == str(process_id):
                found.append(int(entry.name))
    return found


def start_server(folder: Path, offline: Path, log: Path) -> Server:
    """Start `python -m roadworthy serve` and return when it says that it is ready."""
    command = [sys.executable, "-m", "roadworthy", "serve", "--folder", str(folder)]
    command += ["--operator-port", "0", "--vehicle-port", "0", "--mqtt-port", "0"]
    command += ["--environment", "Test", "--output", "json"]
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own program
            guarded(command), stdout=subprocess.PIPE, stderr=errors, text=True
        )
    line = read_line(process)
    if not line:
        process.kill()
        process.communicate()
        pytest.fail(f"the server did not start: {log.read_text()}")
    return Server(process, json.loads(line), folder, offline)


@pytest.fixture(scope="session")
def keys_folder(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A server's folder and the offline keys, as `keys init` makes them."""
    place = tmp_path_factory.mktemp("ceremony")
    folder, offline = place / "server", place / "offline"
    cli.ok("keys", "init", folder, "--offline", offline, "--name", "cloud.example")
    return folder, offline


@pytest.fixture(scope="session")
def server(
    keys_folder: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder, offline = keys_folder
    started = start_server(folder, offline, tmp_path_factory.mktemp("log") / "log.txt")
    yield started
    started.stop()


@pytest.fixture
def user(cli: Cli, server: Server) -> Cli:
    """An operator with the token that the server left on this machine."""
    return Cli(cli.runner, cli.environment, server.options)
