"""One HTTP connection: shows the application its TLS peer, and puts up with no abuse.

Uvicorn bounds neither the size of a request's head nor the time it may take, nor how many
connections there are; any one of them lets a stranger exhaust the server. Here a head, a
trailer or a chunk's extension has at most `HEAD_BYTES_MAX`, must come within `HEAD_WITHIN_S`,
a body may not pause longer than `BODY_PAUSE_S`, and what is above `connections_max` is
closed at once. A response may take as long as it likes (event streams, slow downloads).
"""

import asyncio
import resource
from typing import Any, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BODY_PAUSE_S", "HEAD_BYTES_MAX", "HEAD_WITHIN_S", "GuardedProtocol", "connections_max"]

HEAD_BYTES_MAX = 64 * 1024
HEAD_WITHIN_S = 20.0
BODY_PAUSE_S = 60.0
_FILES_WANTED = 65_536
_SHARE = 3
_TOO_LARGE = b"HTTP/1.1 431 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def connections_max() -> int:
    """Return how many connections one listener may hold: a third of the files we may open.

    Takes as many files as the system lets us have, so that the store and the other listeners
    never find none left.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = wanted if soft == resource.RLIM_INFINITY else soft
    return max(1, files // _SHARE)


class GuardedProtocol(HttpToolsProtocol):
    """Made by the server for each connection; see the module.

    connections_max: of the listener.
    """

    connections_max = 1 << 20

    @override
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._silent_bytes = 0
        self._awaits_head = True
        self._awaits_body = False
        self._timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection; start the time for its first head."""
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            transport.abort()
        else:
            self._watch(HEAD_WITHIN_S)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Give the connection back."""
        self._rest()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        """Pass bytes on as long as they keep within the limits."""
        self._silent_bytes += len(data)
        super().data_received(data)
        if self._silent_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._timer is None and self._awaits_head and self._is_answered:
            self._watch(HEAD_WITHIN_S)

    @override
    def on_message_begin(self) -> None:
        """Note who is on the other side of TLS."""
        super().on_message_begin()
        tls = self.transport.get_extra_info("ssl_object")
        if tls is not None:
            peer: dict[object, object] = {
                "client_certificate": tls.getpeercert(binary_form=True),
                "version": tls.version(),
            }
            self.scope["extensions"] = {"tls": peer}

    @override
    def on_headers_complete(self) -> None:
        """The head is whole: stop its clock."""
        self._silent_bytes = 0
        self._awaits_head, self._awaits_body = False, True
        super().on_headers_complete()
        self._watch(BODY_PAUSE_S)

    @override
    def on_body(self, body: bytes) -> None:
        """A piece of the body came: start its clock anew."""
        self._silent_bytes = 0
        super().on_body(body)
        if not self.cycle.response_complete:
            self._watch(BODY_PAUSE_S)

    @override
    def on_message_complete(self) -> None:
        """The request is whole: stop its clock."""
        self._silent_bytes = 0
        self._awaits_head, self._awaits_body = True, False
        self._rest()
        super().on_message_complete()

    @property
    def _is_answered(self) -> bool:
        cycle = cast("Any", self.cycle)
        return cycle is None or bool(cycle.response_complete)

    def _watch(self, within_s: float) -> None:
        self._rest()
        self._timer = self.loop.call_later(within_s, self._on_time)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_time(self) -> None:
        self._timer = None
        if self._awaits_body and self.flow.read_paused:
            self._watch(BODY_PAUSE_S)
        elif self._awaits_body or self._is_answered:
            self.transport.abort()
