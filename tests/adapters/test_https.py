"""The HTTPS server and client against each other, over real TLS on 127.0.0.1."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.conftest import LIMIT_S, ONE, Authority

from roadworthy.adapters.https_client import HttpsCloud, HttpsSettings
from roadworthy.adapters.https_server import AsgiApp, Receive, RunningServer, Scope, Send, serve
from roadworthy.adapters.ports import reserved_port
from roadworthy.adapters.tls import TlsServer, client_context
from roadworthy.base.errors import (
    AccessError,
    ConflictError,
    InputError,
    LinkError,
    NotFoundError,
    StoreError,
)
from roadworthy.base.ids import Sha256

SHA = Sha256("ab" * 32)
Start = Callable[..., Awaitable[RunningServer]]
Open = Callable[..., HttpsCloud]


class Cloud:
    """An ASGI application that answers as each test wants and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"answer"
        self.break_after: int | None = None
        self.disconnected = asyncio.Event()
        self.finished = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
            return
        self.asked.append(dict(scope))
        if scope["path"] == "/stream":
            await self.stream(receive, send)
        else:
            await self.answer(send)

    async def live(self, receive: Receive, send: Send) -> None:
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        self.finished.set()

    async def answer(self, send: Send) -> None:
        headers = [(k.encode(), v.encode()) for k, v in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if self.break_after is not None:
            body = self.body[: self.break_after]
            await send({"type": "http.response.body", "body": body, "more_body": True})
            return
        await send({"type": "http.response.body", "body": self.body})

    async def stream(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        self.disconnected.set()


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
async def start(authority: Authority) -> AsyncIterator[Start]:
    running: list[RunningServer] = []

    async def begin(app: AsgiApp, tls: TlsServer | None = None) -> RunningServer:
        server = await serve(app, tls=tls or authority.server())
        running.append(server)
        return server

    yield begin
    for server in running:
        await server.stop()


@pytest.fixture
async def client(authority: Authority) -> AsyncIterator[Open]:
    made: list[HttpsCloud] = []

    def make(server: RunningServer, **changes: object) -> HttpsCloud:
        options: dict[str, Any] = {"tls": authority.vehicle(ONE), "timeout_s": LIMIT_S, **changes}
        made.append(HttpsCloud(HttpsSettings(server.url, **options)))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


async def test_the_application_sees_the_verified_certificate(
    cloud: Cloud, start: Start, client: Open, authority: Authority
) -> None:
    tls = authority.vehicle(ONE)
    server = await start(cloud)
    assert await client(server, tls=tls).metadata("images", "timestamp.json") == b"answer"
    assert tls.certificate is not None
    expected = ssl.PEM_cert_to_DER_cert(tls.certificate.read_text())
    assert cloud.asked[0]["extensions"]["tls"] == {
        "client_certificate": expected,
        "version": "TLSv1.3",
    }
    assert cloud.asked[0]["path"] == "/vehicle/v1/images/timestamp.json"


async def test_a_listener_without_client_authority_asks_for_no_certificate(
    cloud: Cloud, start: Start, client: Open, authority: Authority
) -> None:
    tls = authority.server()
    server = await start(cloud, TlsServer(tls.certificate, tls.private_key))
    assert await client(server, tls=authority.anonymous()).metadata("images", "x") == b"answer"
    assert cloud.asked[0]["extensions"]["tls"]["client_certificate"] is None


async def test_plain_http_has_no_tls_extension(cloud: Cloud) -> None:
    server = await serve(cloud)
    assert server.url.startswith("http://127.0.0.1:")
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert b"answer" in await reader.read()
    writer.close()
    await writer.wait_closed()
    await server.stop()
    assert "extensions" not in cloud.asked[0]
    assert cloud.finished.is_set()


async def test_a_client_without_certificate_learns_why_it_is_refused(
    cloud: Cloud, start: Start, client: Open, authority: Authority
) -> None:
    server = await start(cloud)
    with pytest.raises(LinkError, match="may not accept our certificate"):
        await client(server, tls=authority.anonymous()).metadata("images", "x")
    assert cloud.asked == []


async def test_a_client_of_a_foreign_authority_learns_why_it_is_refused(
    cloud: Cloud, start: Start, client: Open, authority: Authority, tmp_path: Path
) -> None:
    rogue = Authority(tmp_path).vehicle(ONE)
    tls = authority.anonymous(rogue.certificate, rogue.private_key)
    server = await start(cloud)
    with pytest.raises(LinkError, match="may not accept our certificate"):
        await client(server, tls=tls).metadata("images", "x")
    assert cloud.asked == []


async def test_the_server_is_told_of_a_foreign_certificate_and_of_no_other(
    cloud: Cloud, client: Open, authority: Authority, tmp_path: Path
) -> None:
    told: list[str] = []
    server = await serve(cloud, tls=authority.server(), refused=told.append)
    assert await client(server).metadata("images", "x") == b"answer"
    assert told == []
    rogue = Authority(tmp_path).vehicle(ONE)
    tls = authority.anonymous(rogue.certificate, rogue.private_key)
    with pytest.raises(LinkError, match="may not accept our certificate"):
        await client(server, tls=tls).metadata("images", "x")
    assert set(told) == {"certificate signature failure"}
    assert len(cloud.asked) == 1
    await server.stop()


async def test_a_server_of_a_foreign_authority_is_not_trusted(
    cloud: Cloud, start: Start, client: Open, tmp_path: Path
) -> None:
    server = await start(cloud, Authority(tmp_path).server())
    with pytest.raises(LinkError, match="server's certificate is not accepted"):
        await client(server).metadata("images", "x")
    assert cloud.asked == []


async def test_tls_1_2_is_refused(cloud: Cloud, start: Start, authority: Authority) -> None:
    server = await start(cloud)
    context = client_context(authority.vehicle(ONE))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", server.port, ssl=context)


async def test_missing_metadata_is_none(cloud: Cloud, start: Start, client: Open) -> None:
    cloud.status = 404
    assert await client(await start(cloud)).metadata("director", "9.root.json") is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InputError),
        (401, AccessError),
        (403, AccessError),
        (404, NotFoundError),
        (302, LinkError),
        (429, LinkError),
        (500, LinkError),
        (503, LinkError),
    ],
)
async def test_a_problem_becomes_an_error_with_its_words(
    cloud: Cloud, start: Start, client: Open, status: int, error: type[Exception]
) -> None:
    cloud.status = status
    cloud.body = json.dumps({"detail": "is not part of your offer", "code": "x-y"}).encode()
    with pytest.raises(error, match=r"is not part of your offer \(x-y\)"):
        await download(client(await start(cloud)), 0)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<html>", b"[]", b"{" * 999, b"x" * 70_000])
async def test_a_problem_of_any_form_becomes_an_error(
    cloud: Cloud, start: Start, client: Open, body: bytes
) -> None:
    cloud.status, cloud.body = 503, body
    with pytest.raises(LinkError, match="status 503"):
        await client(await start(cloud)).metadata("images", "x")


async def test_an_oversized_answer_is_refused(cloud: Cloud, start: Start, client: Open) -> None:
    server = await start(cloud)
    cloud.body = b"x" * 2000
    with pytest.raises(InputError, match="more than 1000 bytes"):
        await client(server, metadata_bytes_max=1000).metadata("images", "x")
    with pytest.raises(InputError, match="larger than any artifact"):
        await download(client(server, artifact_bytes_max=1000), 0)


async def test_a_download_goes_on_where_the_link_broke(
    cloud: Cloud, start: Start, client: Open
) -> None:
    whole = bytes(range(256)) * 40
    link = client(await start(cloud))
    cloud.body, cloud.break_after = whole, 5000
    cloud.headers = {"content-length": str(len(whole))}
    got = bytearray()
    with pytest.raises(LinkError):
        await collect(link, 0, got)
    assert 0 < len(got) <= 5000
    offset = len(got)
    cloud.status, cloud.body, cloud.break_after = 206, whole[offset:], None
    cloud.headers = {"content-range": f"bytes {offset}-{len(whole) - 1}/{len(whole)}"}
    await collect(link, offset, got)
    assert bytes(got) == whole
    assert (b"range", f"bytes={offset}-".encode()) in cloud.asked[1]["headers"]
    assert not any(name == b"range" for name, _ in cloud.asked[0]["headers"])


@pytest.mark.parametrize(
    ("status", "content_range"),
    [(200, "bytes 10-19/20"), (206, ""), (206, "bytes 0-19/20"), (206, "bytes x-y/z")],
)
async def test_a_wrong_range_is_never_taken_for_the_rest(
    cloud: Cloud, start: Start, client: Open, status: int, content_range: str
) -> None:
    cloud.status, cloud.headers = status, {"content-range": content_range}
    with pytest.raises(InputError, match="range"):
        await download(client(await start(cloud)), 10)


async def test_no_server_is_a_link_error(cloud: Cloud, authority: Authority) -> None:
    server = await serve(cloud, tls=authority.server())
    await server.stop()
    link = HttpsCloud(HttpsSettings(server.url, authority.vehicle(ONE)))
    with pytest.raises(LinkError):
        await link.metadata("images", "x")
    await link.aclose()


async def test_an_endless_slow_answer_ends_with_a_link_error(
    cloud: Cloud, start: Start, client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_send: Send) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(cloud, "answer", never)
    server = await start(cloud)
    with pytest.raises(LinkError, match="in time"):
        await client(server, timeout_s=0.2).metadata("images", "x")
    with pytest.raises(LinkError, match="too long"):
        await client(server, metadata_timeout_s=0.2).metadata("images", "x")


async def test_stopping_ends_open_streams_and_runs_the_shutdown(
    cloud: Cloud, start: Start, authority: Authority
) -> None:
    server = await start(cloud)
    context = client_context(authority.vehicle(ONE))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    writer.write(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.readuntil(b"data: 1")
    async with asyncio.timeout(LIMIT_S):
        await server.stop()
        await cloud.disconnected.wait()
    assert cloud.finished.is_set()
    writer.transport.abort()


async def test_several_servers_run_in_one_loop(cloud: Cloud, start: Start, client: Open) -> None:
    first, second = await start(cloud), await start(Cloud())
    assert first.port != second.port
    assert await client(second).metadata("images", "x") == b"answer"
    await second.stop()
    assert await client(first).metadata("images", "x") == b"answer"


async def test_a_port_in_use_is_a_conflict(cloud: Cloud, start: Start) -> None:
    server = await start(cloud)
    with pytest.raises(ConflictError, match="in use"):
        await serve(cloud, port=server.port)


async def test_an_application_that_does_not_start_is_a_store_error() -> None:
    async def broken(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(StoreError, match="start-up failed"):
        await serve(broken)


class NeverStarted:
    """An application whose start-up has no end."""

    def __init__(self) -> None:
        self.starting = asyncio.Event()

    async def __call__(self, _scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        self.starting.set()
        await receive()


async def test_who_is_cancelled_while_the_application_starts_leaves_no_listener() -> None:
    with reserved_port() as port:
        application = NeverStarted()
        serving = asyncio.create_task(serve(application, port=port))
        await application.starting.wait()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_cancelled_when_the_listener_opens_leaves_none(
    cloud: Cloud, turns: int
) -> None:
    with reserved_port() as port:
        serving = asyncio.create_task(serve(cloud, port=port))
        for _ in range(turns):
            await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_unusable_tls_files_are_named(
    cloud: Cloud, authority: Authority, tmp_path: Path
) -> None:
    tls = authority.server()
    with pytest.raises(StoreError, match=r"missing\.crt"):
        await serve(cloud, tls=TlsServer(tmp_path / "missing.crt", tls.private_key))


EVIL = [
    b"",
    b"\x16\x03\x01\x02\x00\x01",
    b"GET\r\n\r\n",
    b"CONNECT localhost:1 HTTP/1.1\r\n\r\n",
    b"GET /%ff%00 HTTP/1.1\r\nhost: \xff\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    bytes(range(256)) * 40,
]


async def test_any_bytes_to_the_port_leave_the_server_serving(cloud: Cloud) -> None:
    server = await serve(cloud)
    for data in EVIL:
        await talk(server, data)
        answer = await talk(server, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b"answer" in answer
    await server.stop()


async def talk(server: RunningServer, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(data)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 0.1 if data in EVIL else LIMIT_S)
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        writer.transport.abort()


async def download(link: HttpsCloud, offset: int) -> None:
    await collect(link, offset, bytearray())


async def collect(link: HttpsCloud, offset: int, into: bytearray) -> None:
    async with aclosing(link.artifact(SHA, offset)) as chunks:
        async for chunk in chunks:
            into.extend(chunk)


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_that_comes_while_the_server_stops_is_closed(
    cloud: Cloud, turns: int
) -> None:
    server = await serve(cloud)
    with socket.create_connection((server.host, server.port)) as caller:
        caller.settimeout(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.stop()
        with suppress(ConnectionError):
            async with asyncio.timeout(LIMIT_S):
                assert await asyncio.get_running_loop().sock_recv(caller, 1) == b""


@pytest.mark.parametrize("turns", range(1, 4))
async def test_a_stop_that_is_cancelled_does_not_leave_callers_waiting(
    cloud: Cloud, turns: int
) -> None:
    server = await serve(cloud)
    stopping = asyncio.create_task(server.stop())
    for _ in range(turns):
        await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait((stopping,))
    assert stopping.cancelled()
    async with asyncio.timeout(LIMIT_S):
        await cloud.finished.wait()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(server.host, server.port)


async def test_who_is_cancelled_twice_while_the_application_starts_leaves_no_listener() -> None:
    with reserved_port() as port:
        application = NeverStarted()
        serving = asyncio.create_task(serve(application, port=port))
        await application.starting.wait()
        serving.cancel()
        await asyncio.sleep(0)
        serving.cancel()
        await asyncio.wait((serving,))
        with socket.create_server(("127.0.0.1", port)):
            pass
