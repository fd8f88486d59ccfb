"""The door: a one-time link opens a session, a button closes it."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect

from roadworthy.base.encoding import sha256_hex
from roadworthy.cloud.access import SESSION_LIFE, NotSignedInError, revoke_token, use_link, who
from roadworthy.cloud.api.guards import COOKIE, check_form
from roadworthy.cloud.api.inject import GivenDesk, GivenRenderer
from roadworthy.cloud.pages.frame import frame_of, html
from roadworthy.cloud.web import views
from roadworthy.cloud.web_security import is_local

__all__ = ["ROUTES", "own_path", "sign_in_path"]

Form = URLEncodedBody[dict[str, str]]
_SECRET_BYTES = 32


def sign_in_path(token: str) -> str:
    """Return the path and query of a sign-in link."""
    return f"/sign-in?token={token}"


@get("/sign-in", opt={"scope": "public"})
async def door(
    desk: GivenDesk,
    renderer: GivenRenderer,
    request: Request[Any, Any, Any],
    token: FromQuery[str] = "",
    return_to: FromQuery[str] = "/",
) -> Response[str]:
    """Show the form; a link only fills it in, so that a preview of it can't use it up."""
    view = views.SignInView(token=token, return_to=own_path(return_to))
    return html(renderer.page(view, frame_of(desk, request)))


@post("/sign-in", opt={"scope": "public"})
async def sign_in(
    desk: GivenDesk, renderer: GivenRenderer, request: Request[Any, Any, Any], data: Form
) -> Response[Any]:
    """Use the token up and open a session.

    A wrong token costs no write. Whoever is not on this machine gets the cookie for HTTPS only,
    also when a proxy in front of us ends TLS.
    """
    token, now, secret = data.get("token", "").strip(), desk.now(), desk.chance.token(_SECRET_BYTES)
    return_to = own_path(data.get("return_to", "/"))
    try:
        who(desk.tables().accounts, token, kind="link", now=now)
        session = await desk.write(
            lambda tables: use_link(tables.accounts, token, secret=secret, now=now)
        )
    except NotSignedInError as error:
        problem = f"This token {error.happened}. Each works once and for 15 minutes."
        view = views.SignInView(problem=problem, return_to=return_to)
        return html(renderer.page(view, frame_of(desk, request)), status=403)
    cookie = Cookie(
        key=COOKIE,
        value=session,
        httponly=True,
        samesite="strict",
        secure=not is_local(request.url.hostname) or request.url.scheme == "https",
        max_age=int(SESSION_LIFE.total_seconds()),
    )
    return Redirect(return_to, status_code=303, cookies=[cookie])


@post("/sign-out")
async def sign_out(desk: GivenDesk, request: Request[Any, Any, Any], data: Form) -> Redirect:
    """End the session."""
    check_form(request, data.get("csrf_token", ""))
    session = sha256_hex(request.cookies.get(COOKIE, "").encode())
    await desk.write(lambda tables: revoke_token(tables.accounts, session))
    gone = Cookie(key=COOKIE, value="", max_age=0, httponly=True, samesite="strict")
    return Redirect("/sign-in", status_code=303, cookies=[gone])


def own_path(text: str) -> str:
    """Return a path on this server, never another server's address."""
    own = text.startswith("/") and not text.startswith("//") and "\\" not in text
    return text if own and text.isprintable() else "/"


ROUTES = (door, sign_in, sign_out)
