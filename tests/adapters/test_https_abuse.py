"""Strangers who are slow, endless or many do not exhaust the listener."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from roadworthy.adapters import _http_protocol
from roadworthy.adapters._http_protocol import HEAD_BYTES_MAX, GuardedProtocol, connections_max
from roadworthy.adapters.https_server import Receive, RunningServer, Scope, Send, serve

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n"
UPLOAD = b"PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


class Echo:
    """Reads the whole request, answers with the length of its body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        length, more = 0, True
        while more:
            message = await receive()
            length += len(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"%d" % length
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    running = await serve(Echo())
    yield running
    await running.stop()


async def speak(server: RunningServer, *pieces: bytes, endless: bytes = b"") -> bytes:
    """Send pieces, then the same one until nobody listens; return the answer."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    answer = asyncio.create_task(reader.read())
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        for _ in range(20 * HEAD_BYTES_MAX // max(1, len(endless)) if endless else 0):
            writer.write(endless)
            await writer.drain()
            await asyncio.sleep(0)
    try:
        async with asyncio.timeout(20):
            return await answer
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"GET /", b"a" * 1000),
        (REQUEST + b"cookie: ", b"a" * 1000),
        (REQUEST, b"x: y\r\n" * 100),
        (REQUEST + b"\r\n" + REQUEST + b"cookie: ", b"a" * 1000),
        (UPLOAD + b"1;", b"a" * 1000),
        (UPLOAD + b"0\r\n", b"x: y\r\n" * 100),
    ],
    ids=["address", "header", "headers", "second request", "chunk extension", "trailer"],
)
async def test_a_head_without_end_is_cut_off(
    server: RunningServer, start: bytes, endless: bytes
) -> None:
    answer = await speak(server, start, endless=endless)
    assert answer == b"" or b" 431 " in answer or b" 400 " in answer


async def test_a_large_body_is_still_taken(server: RunningServer) -> None:
    piece = b"x" * 0x8000
    chunks = [b"8000\r\n" + piece + b"\r\n" for _ in range(64)]
    closing = UPLOAD.replace(b"host", b"connection: close\r\nhost")
    answer = await speak(server, closing, *chunks, b"0\r\n\r\n")
    assert answer.endswith(b"\r\n%d" % (64 * len(piece)))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\r\n",
        REQUEST,
        REQUEST + b"\r\n" + b"\r\n",
        UPLOAD,
        UPLOAD + b"1\r\nx",
    ],
    ids=["nothing", "line end", "half a head", "after a request", "no body", "half a body"],
)
async def test_who_says_nothing_more_is_cut_off(
    server: RunningServer, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http_protocol, "HEAD_WITHIN_S", 0.2)
    monkeypatch.setattr(_http_protocol, "BODY_PAUSE_S", 0.2)
    answer = await speak(server, said)
    assert answer.count(b"HTTP/1.1 200") == said.count(b"\r\n\r\n\r\n")


async def test_connections_above_the_limit_are_closed_and_the_others_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("roadworthy.adapters.https_server.connections_max", lambda: 2)
    running = await serve(Echo())
    first = [await asyncio.open_connection(running.host, running.port) for _ in range(2)]
    first[0][1].write(REQUEST + b"\r\n")
    assert b"200" in await first[0][0].readline()
    assert await speak(running, REQUEST + b"\r\n") == b""
    for _, writer in first:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    await running.stop()


def test_the_limit_leaves_files_for_the_store() -> None:
    assert 1 <= connections_max() <= 65_536 // 3
    assert GuardedProtocol.connections_max > connections_max()
