"""Campaign pages: the list, one campaign live, its vehicle table and its buttons."""

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, QueryParameter, URLEncodedBody
from litestar.response import Redirect, Stream

from roadworthy.cloud.api.guards import account_of, check_form
from roadworthy.cloud.api.inject import GivenDesk, GivenRenderer
from roadworthy.cloud.commands import change_campaign
from roadworthy.cloud.engine import campaign_or_error
from roadworthy.cloud.pages.frame import frame_of, html, stream, whole_page
from roadworthy.cloud.present.campaigns import (
    TableFilter,
    campaign_list,
    campaign_view,
    vehicle_table,
)

__all__ = ["ROUTES"]

Form = URLEncodedBody[dict[str, str]]


@get("/campaigns")
async def campaigns(
    desk: GivenDesk,
    renderer: GivenRenderer,
    request: Request[Any, Any, Any],
    only: Annotated[str, QueryParameter(name="state")] = "",
    page: FromQuery[int] = 1,
) -> Response[str]:
    """List the campaigns."""
    view = campaign_list(desk.tables(), state=only, page=page)
    return whole_page(desk, renderer, request, view)


@get("/campaigns/{campaign_id:str}")
async def campaign(  # noqa: PLR0913 - the query parameters of one page
    desk: GivenDesk,
    renderer: GivenRenderer,
    request: Request[Any, Any, Any],
    campaign_id: FromPath[str],
    *,
    stage: FromQuery[str] = "",
    text: FromQuery[str] = "",
    page: FromQuery[int] = 1,
) -> Response[str]:
    """Show one campaign."""
    only = TableFilter(stage, text, page)
    view = campaign_view(desk.tables(), campaign_id, now=desk.now(), price=desk.price, only=only)
    return whole_page(desk, renderer, request, view)


@get("/campaigns/{campaign_id:str}/vehicles")
async def table(  # noqa: PLR0913 - the query parameters of one fragment
    desk: GivenDesk,
    renderer: GivenRenderer,
    request: Request[Any, Any, Any],
    campaign_id: FromPath[str],
    *,
    stage: FromQuery[str] = "",
    text: FromQuery[str] = "",
    page: FromQuery[int] = 1,
) -> Response[str]:
    """Return the vehicle table alone, for its filter and its refresh."""
    campaign_or_error(desk.tables(), campaign_id)
    only = TableFilter(stage, text, page)
    view = vehicle_table(desk.tables(), campaign_id, now=desk.now(), only=only)
    return html(renderer.vehicle_table(view, frame_of(desk, request)))


@get("/campaigns/{campaign_id:str}/events")
async def events(
    desk: GivenDesk,
    renderer: GivenRenderer,
    request: Request[Any, Any, Any],
    campaign_id: FromPath[str],
) -> Stream:
    """Stream what changes on the page of one campaign."""
    campaign_view(desk.tables(), campaign_id, now=desk.now())
    return stream(
        desk,
        renderer,
        request,
        lambda: campaign_view(desk.tables(), campaign_id, now=desk.now(), price=desk.price),
    )


@post("/campaigns/{campaign_id:str}/{action:str}", opt={"scope": "campaigns"})
async def change(
    desk: GivenDesk,
    request: Request[Any, Any, Any],
    campaign_id: FromPath[str],
    action: FromPath[str],
    data: Form,
) -> Redirect:
    """Start, pause, resume or abort, then show the campaign again."""
    check_form(request, data.get("csrf_token", ""))
    actor, reason = account_of(request).name, data.get("reason", "")
    await change_campaign(desk, campaign_id, action, actor=actor, reason=reason)
    return Redirect(f"/campaigns/{campaign_id}", status_code=303)


ROUTES = (campaigns, campaign, table, events, change)
