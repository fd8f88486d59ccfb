"""What every answer to a browser carries, whatever made it."""

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

__all__ = ["add_headers", "is_local"]

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_HSTS = "max-age=31536000"


def is_local(host: str | None) -> bool:
    """Say whether a host's name means this very machine, where HTTP does no harm."""
    return host in _LOCAL


async def add_headers(message: Message, scope: Scope) -> None:
    """Add the security headers that an answer lacks (a hook for each message sent).

    Strict-Transport-Security (RFC 6797) goes with HTTPS only, and never for the names of the
    machine itself, which it would close to every other program's pages.
    """
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    if scope.get("scheme") == "https" and not is_local(_host(scope)):
        headers.setdefault("strict-transport-security", _HSTS)


def _host(scope: Scope) -> str:
    sent = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return sent.rpartition(":")[0].strip("[]") or sent
