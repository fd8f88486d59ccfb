"""The product as it runs at a customer's: real processes, real connections, one machine."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.e2e.processes import descendants, until
from tests.e2e.world import Fleet, Server, copy_template, make_template, wait_for_inventories

from roadworthy.cloud.client import OperatorClient


@dataclass(frozen=True)
class World:
    """A server with both releases and their deltas, and a fleet that has reported."""

    server: Server
    fleet: Fleet
    client: OperatorClient

    @property
    def authorization(self) -> str:
        """The header of somebody who may do everything."""
        return str(self.client._client.headers["authorization"])

    def html(self, path: str) -> str:
        """Return a page."""
        headers = {"authorization": self.authorization, "accept": "text/html"}
        answer = httpx.get(self.server.url + path, headers=headers, trust_env=False, timeout=30)
        return answer.raise_for_status().text


@pytest.fixture(scope="package")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    make_template(folder)
    return folder


@pytest.fixture(scope="package")
def world(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all tests that don't break it."""
    folder = tmp_path_factory.mktemp("world")
    server = copy_template(template, folder)
    with contextlib.ExitStack() as stack:
        stack.enter_context(server.running())
        client = stack.enter_context(contextlib.closing(server.client()))
        fleet = stack.enter_context(Fleet(server, folder / "fleet").running())
        wait_for_inventories(client, fleet.vehicles)
        yield World(server, fleet, client)


@pytest.fixture(scope="package", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process that a test started may outlive the tests."""
    own = int(Path("/proc/self").readlink().name)
    before = descendants(own)
    yield
    until(lambda: not descendants(own) - before, "the end of all processes")
