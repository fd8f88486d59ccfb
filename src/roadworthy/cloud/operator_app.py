"""The operators' listener: API, pages, static files and health, as one ASGI application."""

from typing import Any
from urllib.parse import quote

from litestar import Litestar, Request, Response, Router, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.response import Redirect
from litestar.static_files import create_static_files_router

from roadworthy.base.errors import NotFoundError
from roadworthy.cloud.access import NotSignedInError
from roadworthy.cloud.api.campaigns import campaigns
from roadworthy.cloud.api.description import add_problems
from roadworthy.cloud.api.guards import token_guard
from roadworthy.cloud.api.images import images
from roadworthy.cloud.api.inject import GivenDesk
from roadworthy.cloud.api.ledger import ledger
from roadworthy.cloud.api.releases import releases
from roadworthy.cloud.api.tokens import tokens
from roadworthy.cloud.api.vehicles import vehicles
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.pages import campaigns as campaign_pages
from roadworthy.cloud.pages import fleet as fleet_pages
from roadworthy.cloud.pages import sign_in as sign_in_pages
from roadworthy.cloud.pages.frame import frame_of, html
from roadworthy.cloud.problems import answer_to, as_error, handle_problem
from roadworthy.cloud.web import views
from roadworthy.cloud.web.render import Renderer
from roadworthy.cloud.web.static_files import OWN_FILES, STATIC, VENDOR_FILES
from roadworthy.cloud.web_security import add_headers

__all__ = ["API_VERSION", "make_operator_app"]

API_VERSION = "1.0.0"
_FORM_BYTES_MAX = 64 * 1024
_FILES = frozenset({*OWN_FILES.values(), *VENDOR_FILES.values()})


def make_operator_app(desk: Desk) -> Litestar:
    """Return the ASGI application of the operators' listener."""
    renderer = Renderer()
    api = Router(
        "/api/v1",
        route_handlers=[campaigns, images, ledger, releases, tokens, vehicles],
        exception_handlers={Exception: handle_problem},
    )
    static = create_static_files_router(
        path="/static",
        directories=[STATIC],
        guards=[_only_own_files],
        opt={"scope": "public"},
        include_in_schema=False,
    )
    pages = Router(
        "/",
        route_handlers=[*campaign_pages.ROUTES, *fleet_pages.ROUTES, *sign_in_pages.ROUTES],
        include_in_schema=False,
        request_max_body_size=_FORM_BYTES_MAX,
    )
    app = Litestar(
        route_handlers=[api, pages, static, healthz, readyz],
        dependencies={
            "desk": Provide(lambda: desk, sync_to_thread=False),
            "renderer": Provide(lambda: renderer, sync_to_thread=False),
        },
        guards=[token_guard(desk)],
        before_send=[add_headers],
        exception_handlers={Exception: _page_problem(desk, renderer)},
        openapi_config=_openapi(),
        logging_config=None,
        state=State({"chance": desk.chance}),
        signature_types=[Desk, Renderer],
    )
    add_problems(app)
    return app


@get("/healthz", opt={"scope": "public"}, include_in_schema=False, media_type="text/plain")
async def healthz() -> str:
    """Say that the process is alive."""
    return "ok"


@get("/readyz", opt={"scope": "public"}, include_in_schema=False)
async def readyz(desk: GivenDesk) -> dict[str, str]:
    """Say that the store answers."""
    desk.tables().ledger.size()
    return {"store": "ok"}


def _only_own_files(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let no name reach the disk that is not one of ours."""
    if str(connection.path_params["file_path"]).lstrip("/") not in _FILES:
        raise NotFoundError("there is nothing at this address", value="path")


def _page_problem(desk: Desk, renderer: Renderer) -> Any:  # noqa: ANN401 - litestar's handler type
    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        if "text/html" not in request.headers.get("accept", "text/html"):
            return handle_problem(request, error)
        found = as_error(error)
        by_script = "hx-request" in request.headers  # a redirect would land inside the page
        if isinstance(found, NotSignedInError) and request.method == "GET" and not by_script:
            wanted = request.url.path + (f"?{query}" if (query := request.url.query) else "")
            return Redirect(f"/sign-in?return_to={quote(wanted)}", status_code=303)
        answer = answer_to(request, error)
        view = views.ProblemView(
            status=answer.status,
            title=answer.error.title,
            happened=answer.error.happened,
            value=answer.error.value,
            todo=answer.error.todo,
            code=answer.error.code,
            request_id=answer.request_id,
        )
        return html(renderer.page(view, frame_of(desk, request)), status=view.status)

    return handle


def _openapi() -> OpenAPIConfig:
    bearer = SecurityScheme(type="http", scheme="bearer", description="a token `rw_…`")
    return OpenAPIConfig(
        title="Roadworthy operator API",
        version=API_VERSION,
        description="Errors are RFC 9457 problems. Lists give `next`; send it back as `after`.",
        path="/api/v1/openapi",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        security=[{"token": []}],
        components=Components(security_schemes={"token": bearer}),
        use_handler_docstrings=True,
    )
