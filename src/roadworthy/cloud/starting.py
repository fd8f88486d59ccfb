"""Starts a campaign of any size and lets the server go on with its other work meanwhile.

A million members in one write would hold up every request for a minute. So they are added to
the draft in many writes, and the last write lets the campaign begin; until then no vehicle
hears of it. A server that dies in between leaves a draft with some of its members.

The next start removes those and plans anew, instead of adding what is missing: waves follow
from the whole selection, so one vehicle more or less since then moves others between waves.
Each start leaves its mark on the draft, and every write checks it: of two starts at the same
time the later one takes over and the earlier one gives up, so that two plans never mix.
"""

import asyncio
from functools import partial
from itertools import islice

import msgspec

from roadworthy.base.errors import ConflictError
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.deltas import missing_deltas
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.engine import (
    MEMBERS_PER_WRITE,
    begin_campaign,
    campaign_or_error,
    start_campaign,
    startable,
)
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.releases import release_or_error
from roadworthy.updates.campaign import Campaign, CampaignState, Member
from roadworthy.updates.waves import assign_waves, check_named

__all__ = ["start_any_size"]


async def start_any_size(desk: Desk, campaign_id: str, *, actor: str) -> Campaign:
    """Start a campaign; on return it is durable.

    Raises:
        NotFoundError: no such campaign.
        ConflictError: it can't be started now, or another start took over.
    """
    campaign = startable(desk.tables(), campaign_id)
    selected = await _select(desk, campaign)
    if len(selected) <= MEMBERS_PER_WRITE:
        return await desk.write(lambda tables: _start_at_once(tables, desk, campaign_id, actor))
    check_named(campaign_id, campaign.waves, selected)
    mark = desk.chance.token()
    await desk.write(lambda tables: _mark(tables, campaign_id, mark))
    wave_of = await asyncio.to_thread(assign_waves, campaign_id, campaign.waves, selected)
    while await desk.write(lambda tables: _remove_some(tables, campaign_id, mark)):
        pass
    in_order = ((key, wave_of[key]) for key, _ in selected)
    while some := dict(islice(in_order, MEMBERS_PER_WRITE)):
        await desk.write(partial(_add_some, campaign_id=campaign_id, mark=mark, wave_of=some))
    return await desk.write(lambda tables: _begin(tables, desk, campaign_id, mark, actor))


async def _select(desk: Desk, campaign: Campaign) -> list[tuple[VehicleKey, str]]:
    """Return key and type of each selected vehicle, read in pages with pauses between them."""
    selected: list[tuple[VehicleKey, str]] = []
    after, types = "", campaign.vehicle_types
    while page := desk.tables().vehicles.select(types, after=after, limit=MEMBERS_PER_WRITE):
        selected += page
        after = page[-1][0]
        await desk.clock.sleep(0)
    return selected


def _start_at_once(tables: Tables, desk: Desk, campaign_id: str, actor: str) -> Campaign:
    _require_deltas(tables, campaign_id)
    return start_campaign(tables, campaign_id, actor=actor, now=desk.now())


def _mark(tables: Tables, campaign_id: str, mark: str) -> None:
    _require_deltas(tables, campaign_id)
    campaign = startable(tables, campaign_id)
    tables.campaigns.put(msgspec.structs.replace(campaign, start_mark=mark))


def _remove_some(tables: Tables, campaign_id: str, mark: str) -> int:
    _marked(tables, campaign_id, mark)
    return tables.campaigns.remove_members(campaign_id, limit=MEMBERS_PER_WRITE)


def _add_some(
    tables: Tables, *, campaign_id: str, mark: str, wave_of: dict[VehicleKey, int]
) -> None:
    _marked(tables, campaign_id, mark)
    tables.campaigns.add_members([Member(campaign_id, key, wave) for key, wave in wave_of.items()])


def _begin(tables: Tables, desk: Desk, campaign_id: str, mark: str, actor: str) -> Campaign:
    campaign = _marked(tables, campaign_id, mark)
    return begin_campaign(tables, campaign, actor=actor, now=desk.now())


def _marked(tables: Tables, campaign_id: str, mark: str) -> Campaign:
    campaign = campaign_or_error(tables, campaign_id)
    if campaign.state is not CampaignState.DRAFT or campaign.start_mark != mark:
        raise ConflictError(
            "was started again or aborted meanwhile",
            value=f"campaign {campaign_id}",
            todo="look at the campaign; this start left it to the other",
        )
    return campaign


def _require_deltas(tables: Tables, campaign_id: str) -> None:
    campaign = campaign_or_error(tables, campaign_id)
    missing = missing_deltas(tables, release_or_error(tables, campaign.release_id))
    if missing:
        raise ConflictError(
            f"has {len(missing)} deltas still being made",
            value=campaign.release_id,
            todo="start again in a moment; else every vehicle would take full images",
        )
