"""Finds out who asks, and refuses who may not.

Programs send `Authorization: Bearer rw_…`; browsers have a session cookie. A cookie alone
never changes anything: forms carry a token that only a page of ours could know.
"""

import hmac
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import AccessError
from roadworthy.cloud.access import NotSignedInError, require, who
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.ports import Account

__all__ = ["COOKIE", "account_of", "check_form", "form_token", "identify", "token_guard"]

COOKIE = "roadworthy-session"
_SAFE = frozenset({"GET", "HEAD"})


def token_guard(desk: Desk) -> Any:  # noqa: ANN401 - litestar's guard type is internal
    """Return a guard that lets a request pass when its account has the route's `scope`."""

    async def guard(
        connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """Let the request pass or raise."""
        scope = handler.opt.get("scope", "read")
        if scope == "public":
            return
        account = identify(desk, connection)
        require(account, scope)
        connection.state.account = account

    return guard


def account_of(request: Request[Any, Any, Any]) -> Account:
    """Return who is asking, as the guard found out."""
    account: Account = request.state.account
    return account


def form_token(request: Request[Any, Any, Any]) -> str:
    """Return what a form of this session must send back."""
    return sha256_hex(b"form:" + request.cookies.get(COOKIE, "").encode())


def check_form(request: Request[Any, Any, Any], sent: str) -> None:
    """Raise AccessError unless the form came from a page of this session."""
    if not hmac.compare_digest(sent.encode(), form_token(request).encode()):
        raise AccessError("did not come from this page", value="form", todo="reload and try again")


def identify(desk: Desk, connection: ASGIConnection[Any, Any, Any, Any]) -> Account:
    """Return whose token or session came with a request; a long answer asks again and again.

    Raises:
        NotSignedInError: there is none, or it is not valid any more.
    """
    table = desk.tables().accounts
    header = connection.headers.get("authorization", "")
    if header.lower().startswith("bearer "):
        return who(table, header[7:].strip(), kind="token", now=desk.now())
    cookie = connection.cookies.get(COOKIE, "")
    path = connection.scope["path"]
    method = connection.scope.get("method", "GET")
    if not cookie or (path.startswith("/api/") and method not in _SAFE):
        raise NotSignedInError("is missing", value="token", todo="send Authorization: Bearer …")
    return who(table, cookie, kind="session", now=desk.now())
