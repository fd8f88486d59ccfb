"""The client of the operator API against a server on this machine."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tests.cloud.conftest import NEW, Bench, sha
from tests.cloud.test_problems import FAULTS, BrokenStore

from roadworthy.adapters.https_server import AsgiApp, Receive, RunningServer, Scope, Send, serve
from roadworthy.base.errors import (
    AccessError,
    ConflictError,
    InputError,
    LinkError,
    NotFoundError,
    RoadworthyError,
    StoreError,
    TrustError,
)
from roadworthy.cloud.client import OperatorClient


@pytest.fixture
async def server(bench: Bench) -> AsyncIterator[RunningServer]:
    running = await serve(cast("AsgiApp", bench.operator_app))
    yield running
    await running.stop()


def client_of(bench: Bench, server: RunningServer) -> OperatorClient:
    token = bench.operator.headers["authorization"].removeprefix("Bearer ")
    return OperatorClient(server.url, token)


async def use(bench: Bench, server: RunningServer, work: Callable[[OperatorClient], Any]) -> Any:  # noqa: ANN401
    def run() -> Any:  # noqa: ANN401
        with client_of(bench, server) as client:
            return work(client)

    return await asyncio.to_thread(run)


def ask(url: str) -> object:
    with OperatorClient(url, "rw_x") as client:
        return client.get("/campaigns")


async def test_an_image_is_uploaded_once(bench: Bench, server: RunningServer) -> None:
    for _ in range(2):
        assert await use(bench, server, lambda client: client.upload(NEW)) == sha(NEW)
    shown = await use(bench, server, lambda client: client.get(f"/images/{sha(NEW)}"))
    assert shown["length_bytes"] == len(NEW)


async def test_lists_are_read_to_their_end(bench: Bench, server: RunningServer) -> None:
    await bench.fleet(3)
    found = await use(bench, server, lambda client: list(client.pages("/ledger")))
    assert [item["index"] for item in found] == [5, 4, 3, 2, 1, 0]
    found = await use(bench, server, lambda client: list(client.pages("/vehicles", text="RWT")))
    assert len(found) == 3


async def test_a_long_ledger_is_read_to_its_end(bench: Bench, server: RunningServer) -> None:
    now = bench.clock.now()
    from roadworthy.cloud.records import record  # noqa: PLC0415

    for _ in range(450):
        bench.store.write_now(
            lambda tables: record(tables, "x", actor="a", subjects=("s",), data={}, now=now)
        )
    found = await use(bench, server, lambda client: list(client.pages("/ledger")))
    assert [item["index"] for item in found] == list(reversed(range(450)))


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda c: c.get("/campaigns/none"), NotFoundError),
        (lambda c: c.get("/vehicles/x"), InputError),
        (lambda c: c.post("/campaigns/spring/resume"), ConflictError),
        (lambda c: c.delete("/tokens/none"), NotFoundError),
        (lambda c: c._send("PUT", f"/images/{sha(NEW)}", content=b"other"), TrustError),
        (lambda c: c._send("PATCH", "/campaigns"), RoadworthyError),
        (lambda c: next(c.events("/campaigns/none/events")), NotFoundError),
    ],
)
async def test_a_problem_comes_back_as_the_error_it_was(
    bench: Bench,
    server: RunningServer,
    call: Callable[[OperatorClient], object],
    kind: type[RoadworthyError],
) -> None:
    await bench.rollout(1)
    with pytest.raises(kind) as caught:
        await use(bench, server, call)
    assert caught.value.happened
    assert "answered" not in caught.value.happened


async def test_a_wrong_token_is_an_access_error(server: RunningServer) -> None:
    with pytest.raises(AccessError):
        await asyncio.to_thread(ask, server.url)


async def test_a_servers_fault_is_told_with_its_number(
    bench: Bench, server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    bench.slots["store"].part = BrokenStore(FAULTS["store"])
    with pytest.raises(StoreError, match=r"request [0-9a-f]{12}"):
        await use(bench, server, lambda client: client.get("/campaigns"))
    assert caplog.records


async def test_events_are_read_until_they_end(bench: Bench, server: RunningServer) -> None:
    await bench.rollout(1)
    await bench.act("abort")
    path = "/campaigns/spring/events"
    events = await use(bench, server, lambda client: list(client.events(path)))
    assert len(events) == 1
    assert '"state":"aborted"' in events[0]


async def test_nobody_at_the_address_is_a_link_error(server: RunningServer) -> None:
    await server.stop()
    for url in (server.url, "http://127.0.0.1:1", "http://no host", "nonsense://x"):
        with pytest.raises(LinkError):
            await asyncio.to_thread(ask, url)


@pytest.mark.parametrize("status", [200, 302, 404, 500])
async def test_a_stranger_at_the_address_is_a_typed_error(status: int) -> None:
    async def stranger(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        headers = [(b"content-type", b"text/html"), (b"location", b"/elsewhere")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"<h1>hello</h1>"})

    running = await serve(stranger)
    try:
        with pytest.raises(RoadworthyError):
            await asyncio.to_thread(ask, running.url)
    finally:
        await running.stop()


def test_an_authority_that_can_not_be_read_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    for name in ("none.pem", "bad.pem"):
        with pytest.raises(InputError):
            OperatorClient("https://127.0.0.1:1", "rw_x", ca=tmp_path / name)
    assert ssl.HAS_TLSv1_3
