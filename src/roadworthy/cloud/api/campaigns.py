"""`/api/v1/campaigns`: create, watch, start, pause, resume and abort."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request, Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import ServerSentEvent, ServerSentEventMessage

from roadworthy.base.errors import InputError
from roadworthy.base.ids import parse_vehicle_key
from roadworthy.cloud.access import NotSignedInError
from roadworthy.cloud.api.guards import account_of, identify
from roadworthy.cloud.api.inject import GivenDesk
from roadworthy.cloud.api.paging import next_cursor, offset_of
from roadworthy.cloud.api.schemas import (
    CampaignIn,
    CampaignOut,
    MemberOut,
    Page,
    ReasonIn,
    WaveIn,
    campaign_out,
)
from roadworthy.cloud.commands import change_campaign
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.engine import campaign_or_error, create_campaign
from roadworthy.cloud.names import check_id
from roadworthy.updates.campaign import Campaign, CampaignState, Wave
from roadworthy.updates.gate import MemberStage

__all__ = ["campaigns"]

_WATCH_EVERY_S = 1.0
_OVER = frozenset({CampaignState.FINISHED.value, CampaignState.ABORTED.value})


@post("/", opt={"scope": "campaigns"})
async def create(
    desk: GivenDesk, request: Request[Any, Any, Any], data: JSONBody[CampaignIn]
) -> CampaignOut:
    """Create a campaign as a draft."""
    now = desk.now()
    campaign = Campaign(
        id=check_id(data.id, "id"),
        name=data.name,
        release_id=data.release_id,
        vehicle_types=tuple(data.vehicle_types),
        waves=tuple(_wave(item) for item in data.waves),
        gate=data.gate,
        offers_open_max=data.offers_open_max,
        created_at=now.timestamp(),
        created_by=account_of(request).name,
    )
    created = await desk.write(lambda tables: create_campaign(tables, campaign, now=now))
    return campaign_out(desk.tables(), created, desk.price)


@get("/")
async def list_all(
    desk: GivenDesk, after: FromQuery[str | None] = None, limit: FromQuery[int] = 50
) -> Page[CampaignOut]:
    """List campaigns, newest first."""
    offset = offset_of(after, limit)
    tables = desk.tables()
    found = tables.campaigns.page(offset=offset, limit=limit)
    items = [campaign_out(tables, item, desk.price) for item in found]
    return Page(items, next_cursor(offset, limit, len(found)))


@get("/{campaign_id:str}")
async def show(desk: GivenDesk, campaign_id: FromPath[str]) -> CampaignOut:
    """Return a campaign with its counts."""
    tables = desk.tables()
    return campaign_out(tables, campaign_or_error(tables, campaign_id), desk.price)


@get("/{campaign_id:str}/vehicles")
async def members(
    desk: GivenDesk,
    campaign_id: FromPath[str],
    stage: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = 100,
) -> Page[MemberOut]:
    """List the campaign's vehicles, failed ones first; `stage` filters."""
    tables = desk.tables()
    campaign_or_error(tables, campaign_id)
    offset = offset_of(after, limit)
    stages = (_stage(stage),) if stage else ()
    found = tables.campaigns.members(campaign_id, stages=stages, offset=offset, limit=limit)
    return Page([MemberOut.of(item) for item in found], next_cursor(offset, limit, len(found)))


@post("/{campaign_id:str}/{action:str}", opt={"scope": "campaigns"}, status_code=200)
async def change(
    desk: GivenDesk,
    request: Request[Any, Any, Any],
    campaign_id: FromPath[str],
    action: FromPath[str],
    data: JSONBody[ReasonIn | None] = None,
) -> CampaignOut:
    """Start, pause, resume or abort; the reason stands in the ledger."""
    actor = account_of(request).name
    reason = data.reason if data else ""
    changed = await change_campaign(desk, campaign_id, action, actor=actor, reason=reason)
    return campaign_out(desk.tables(), changed, desk.price)


@get("/{campaign_id:str}/events", media_type="text/event-stream")
async def events(
    desk: GivenDesk, request: Request[Any, Any, Any], campaign_id: FromPath[str]
) -> ServerSentEvent:
    """Follow a campaign: an event `campaign` with its JSON after each change, until it ends."""
    campaign_or_error(desk.tables(), campaign_id)
    return ServerSentEvent(_follow(desk, request, campaign_id))


async def _follow(
    desk: Desk, request: Request[Any, Any, Any], campaign_id: str
) -> AsyncIterator[ServerSentEventMessage]:
    last = ""
    while _is_allowed(desk, request):
        tables = desk.tables()
        shown = campaign_out(tables, campaign_or_error(tables, campaign_id), desk.price)
        text = msgspec.json.encode(shown).decode()
        if text != last:
            last = text
            yield ServerSentEventMessage(text, event="campaign")
        if shown.state in _OVER:
            return
        await desk.clock.sleep(_WATCH_EVERY_S)


def _is_allowed(desk: Desk, request: Request[Any, Any, Any]) -> bool:
    try:
        identify(desk, request)
    except NotSignedInError:
        return False
    return True


def _wave(item: WaveIn) -> Wave:
    vehicles = tuple(parse_vehicle_key(key) for key in item.vehicles)
    return Wave(name=item.name, size=item.size, share=item.share, vehicles=vehicles)


def _stage(text: str) -> MemberStage:
    try:
        return MemberStage(text)
    except ValueError as error:
        known = ", ".join(stage.value for stage in MemberStage)
        raise InputError("is not a stage", value="stage", todo=f"give one of {known}") from error


campaigns = Router(
    "/campaigns",
    route_handlers=[create, list_all, show, members, change, events],
    tags=["Campaigns"],
)
