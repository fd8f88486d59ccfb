"""Serves ASGI applications over HTTP or TLS 1.3, several in one event loop (uvicorn).

The application ends TLS itself and sees who is at the other end: for each request
`scope["extensions"]["tls"]` holds `client_certificate` (DER bytes, verified against the
client authority, or None) and `version` (such as `TLSv1.3`). Revocation is the application's
decision with each request, so that it holds at once on open connections too.

Uvicorn's own signal handling is switched off: the program decides when to stop. `stop` lets
requests finish for a short time; then open streams (SSE) are told that the client is gone,
and what still runs is cancelled.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn
from typing_extensions import override

from roadworthy.adapters._accepting import stop_accepting
from roadworthy.adapters._http_protocol import GuardedProtocol, connections_max
from roadworthy.adapters.ports import reserve_port
from roadworthy.adapters.tls import Refused, TlsServer, server_context
from roadworthy.base.errors import StoreError

__all__ = ["AsgiApp", "Receive", "RunningServer", "Scope", "Send", "serve"]

_LOG = logging.getLogger(__name__)
_GRACE_S = 1.0
_CANCEL_AFTER_S = 2
_BACKLOG = 2048

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class RunningServer:
    """A listener that serves; made by `serve`."""

    def __init__(self, server: "_Server", listener: socket.socket, *, is_tls: bool) -> None:
        self._server = server
        self._listener = listener
        self._task: asyncio.Task[None] | None = None
        self.host: str = listener.getsockname()[0]
        self.port: int = listener.getsockname()[1]
        self._scheme = "https" if is_tls else "http"

    @property
    def url(self) -> str:
        """Address without a path, such as `https://127.0.0.1:8443`."""
        return f"{self._scheme}://{self.host}:{self.port}"

    async def start(self) -> None:
        """Run the application's start-up and accept connections.

        Raises:
            StoreError: the application's start-up failed; its log says why.
        """
        self._task = task = asyncio.create_task(self._run())
        try:
            await self._until_started(task)
        except BaseException:
            await self._give_up(task)
            raise

    async def stop(self) -> None:
        """Stop accepting, let requests finish, end streams; at most about 3 s.

        Who is cancelled meanwhile does not wait for it; it goes on by itself.
        """
        task = self._task
        if task is None:
            return
        if not self._server.should_exit:
            try:
                await stop_accepting(self._listener.fileno())
            finally:
                self._server.should_exit = True
            try:
                await asyncio.wait((task,), timeout=_GRACE_S)
            finally:
                self._server.hang_up()
        await asyncio.shield(task)

    async def _until_started(self, task: "asyncio.Task[None]") -> None:
        while not self._server.started:
            await asyncio.wait((task,), timeout=0.01)
            if task.done():
                raise StoreError(
                    "the application's start-up failed", value="server", todo="see the log"
                ) from task.exception()

    async def _give_up(self, task: "asyncio.Task[None]") -> None:
        if self._server.started:
            await self.stop()
            return
        task.cancel()
        try:
            await stop_accepting(self._listener.fileno())
            await asyncio.wait((task,))
        finally:
            self._listener.close()

    async def _run(self) -> None:
        try:
            await self._server.serve(sockets=[self._listener])
        except SystemExit as error:
            raise StoreError("the application did not start", value="server") from error


async def serve(
    app: AsgiApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: TlsServer | None = None,
    refused: Refused | None = None,
) -> RunningServer:
    """Serve `app` and return when it accepts connections.

    Args:
        app: any ASGI application; its lifespan events are sent.
        host: address to listen on.
        port: 0 picks a free one.
        tls: without it plain HTTP; with `client_ca` a client certificate is required.
        refused: told of each client certificate that TLS does not accept, and why.

    Raises:
        ConflictError: the port is in use.
        StoreError: a TLS file is unusable, or the application's start-up failed.
    """
    context = server_context(tls, refused) if tls is not None else None
    listener = _listen(host, port)
    config = uvicorn.Config(
        _Calm(app),
        http=_protocol(),
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_CANCEL_AFTER_S,
        ssl_context_factory=(lambda _config, _default: context) if context is not None else None,
    )
    server = RunningServer(_Server(config), listener, is_tls=tls is not None)
    await server.start()
    return server


def _protocol() -> type[GuardedProtocol]:
    """Return the class of this listener's connections; uvicorn makes them without arguments."""
    room = connections_max()
    return type("Protocol", (GuardedProtocol,), {"connections_max": room})


class _Server(uvicorn.Server):
    """Leaves signals alone, and can end connections that do not end by themselves."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def hang_up(self) -> None:
        """Close what is still open; the application's `receive` says `http.disconnect`."""
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


class _Calm:
    """Ends a cancelled request quietly; uvicorn would log the cancellation as a failure."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] == "lifespan":
                raise
            _LOG.info("A request was ended because the server stops: %s", scope.get("path"))


def _listen(host: str, port: int) -> socket.socket:
    listener = reserve_port(host, port)
    listener.setblocking(False)  # noqa: FBT003 - the socket's own signature
    return listener
