"""Overview, vehicles, releases and ledger."""

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from roadworthy.base.ids import parse_vehicle_key
from roadworthy.cloud.api.inject import GivenDesk, GivenRenderer
from roadworthy.cloud.pages.frame import stream, whole_page
from roadworthy.cloud.present.fleet import overview, vehicle_list, vehicle_view
from roadworthy.cloud.present.releases import ledger_view, release_list, release_view
from roadworthy.cloud.records import proof_bundle

__all__ = ["ROUTES"]


@get("/")
async def home(
    desk: GivenDesk, renderer: GivenRenderer, request: Request[Any, Any, Any]
) -> Response[str]:
    """Show the overview."""
    return whole_page(desk, renderer, request, overview(desk.tables(), now=desk.now()))


@get("/events")
async def home_events(
    desk: GivenDesk, renderer: GivenRenderer, request: Request[Any, Any, Any]
) -> Stream:
    """Stream what changes on the overview."""
    return stream(desk, renderer, request, lambda: overview(desk.tables(), now=desk.now()))


@get("/vehicles")
async def vehicles(
    desk: GivenDesk,
    renderer: GivenRenderer,
    request: Request[Any, Any, Any],
    text: FromQuery[str] = "",
    page: FromQuery[int] = 1,
) -> Response[str]:
    """List the vehicles."""
    view = vehicle_list(desk.tables(), text=text, page=page, now=desk.now())
    return whole_page(desk, renderer, request, view)


@get("/vehicles/{key:str}")
async def vehicle(
    desk: GivenDesk, renderer: GivenRenderer, request: Request[Any, Any, Any], key: FromPath[str]
) -> Response[str]:
    """Show one vehicle."""
    view = vehicle_view(desk.tables(), parse_vehicle_key(key), now=desk.now())
    return whole_page(desk, renderer, request, view)


@get("/vehicles/{key:str}/events")
async def vehicle_events(
    desk: GivenDesk, renderer: GivenRenderer, request: Request[Any, Any, Any], key: FromPath[str]
) -> Stream:
    """Stream what changes on the page of one vehicle."""
    wanted = parse_vehicle_key(key)
    vehicle_view(desk.tables(), wanted, now=desk.now())
    return stream(
        desk, renderer, request, lambda: vehicle_view(desk.tables(), wanted, now=desk.now())
    )


@get("/releases")
async def releases(
    desk: GivenDesk,
    renderer: GivenRenderer,
    request: Request[Any, Any, Any],
    page: FromQuery[int] = 1,
) -> Response[str]:
    """List the releases."""
    view = release_list(desk.tables(), desk.authority, page=page)
    return whole_page(desk, renderer, request, view)


@get("/releases/{release_id:str}")
async def release(
    desk: GivenDesk,
    renderer: GivenRenderer,
    request: Request[Any, Any, Any],
    release_id: FromPath[str],
) -> Response[str]:
    """Show one release."""
    view = release_view(desk.tables(), desk.authority, release_id, price=desk.price)
    return whole_page(desk, renderer, request, view)


@get("/ledger")
async def ledger(
    desk: GivenDesk,
    renderer: GivenRenderer,
    request: Request[Any, Any, Any],
    page: FromQuery[int] = 1,
    entry: FromQuery[int | None] = None,
) -> Response[str]:
    """Show the ledger; `entry` asks for the page that holds it."""
    view = ledger_view(desk.tables(), desk.authority, page=page, entry=entry, now=desk.now())
    return whole_page(desk, renderer, request, view)


@get("/ledger/{index:int}/proof")
async def ledger_proof(desk: GivenDesk, index: FromPath[int]) -> Response[bytes]:
    """Return the bundle that proves an entry offline."""
    found = proof_bundle(desk.tables().ledger, desk.authority, index, now=desk.now())
    return Response(found, media_type="application/json")


ROUTES = (
    home,
    home_events,
    vehicles,
    vehicle,
    vehicle_events,
    releases,
    release,
    ledger,
    ledger_proof,
)
