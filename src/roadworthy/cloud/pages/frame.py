"""What each page route shares: the frame, the answer, the event stream."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from roadworthy.base.errors import RoadworthyError
from roadworthy.cloud.api.guards import COOKIE, form_token, identify
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.web import views
from roadworthy.cloud.web.live import LiveStream
from roadworthy.cloud.web.render import CONTENT_SECURITY_POLICY, Renderer

__all__ = ["HTML_HEADERS", "frame_of", "html", "stream", "whole_page"]

HTML_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_STREAM_EVERY_S = 1.0


def frame_of(desk: Desk, request: Request[Any, Any, Any], notice: str = "") -> views.Frame:
    """Return what the page carries around its view."""
    account = getattr(request.state, "account", None)
    return views.Frame(
        now=desk.now(),
        operator=account.name if account else "",
        environment=desk.environment,
        csrf_token=form_token(request) if COOKIE in request.cookies else "",
        notice=notice,
    )


def html(text: str, *, status: int = 200) -> Response[str]:
    """Return HTML with the security headers of every page."""
    return Response(text, status_code=status, media_type="text/html", headers=HTML_HEADERS)


def whole_page(
    desk: Desk, renderer: Renderer, request: Request[Any, Any, Any], view: views.View
) -> Response[str]:
    """Return a whole page."""
    return html(renderer.page(view, frame_of(desk, request)))


def stream(
    desk: Desk,
    renderer: Renderer,
    request: Request[Any, Any, Any],
    make_view: Callable[[], views.View],
) -> Stream:
    """Return the live parts of a page for as long as somebody looks at it and may."""

    async def follow() -> AsyncIterator[bytes]:
        """Yield what changed, until the reader leaves."""
        live = LiveStream(renderer)
        while True:
            try:
                identify(desk, request)
                yield live.update(make_view(), frame_of(desk, request))
            except RoadworthyError:
                return
            await desk.clock.sleep(_STREAM_EVERY_S)

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Stream(follow(), media_type="text/event-stream", headers=headers)
