"""The four things a person can do to a campaign, the same for API and pages."""

from collections.abc import Callable
from datetime import datetime

from roadworthy.base.errors import ConflictError, InputError
from roadworthy.cloud.deltas import missing_deltas
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.engine import (
    abort_campaign,
    campaign_or_error,
    pause_campaign,
    resume_campaign,
    start_campaign,
)
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.releases import release_or_error
from roadworthy.updates.campaign import Campaign, CampaignState

__all__ = ["CAMPAIGN_ACTIONS", "actions_allowed", "change_campaign"]

CAMPAIGN_ACTIONS = ("start", "pause", "resume", "abort")
_REASON_MAX = 500
_ALLOWED = {
    CampaignState.DRAFT: ("start", "abort"),
    CampaignState.RUNNING: ("pause", "abort"),
    CampaignState.PAUSED: ("resume", "abort"),
    CampaignState.FINISHED: (),
    CampaignState.ABORTED: (),
}


def actions_allowed(campaign: Campaign) -> tuple[str, ...]:
    """Return what a person can do to the campaign now."""
    return _ALLOWED[campaign.state]


async def change_campaign(
    desk: Desk, campaign_id: str, action: str, *, actor: str, reason: str
) -> Campaign:
    """Do one of `CAMPAIGN_ACTIONS`; on return it is durable.

    Raises:
        InputError: no such action, or the reason is too long.
        ConflictError: the campaign's state does not allow it.
    """
    if action not in CAMPAIGN_ACTIONS:
        raise InputError("is no action", value=action, todo=f"use {', '.join(CAMPAIGN_ACTIONS)}")
    if len(reason) > _REASON_MAX:
        raise InputError(f"is longer than {_REASON_MAX} characters", value="reason")
    now = desk.now()
    work = _work(desk, campaign_id, action, actor, reason or f"{action} by {actor}", now)
    return await desk.write(work)


def _work(
    desk: Desk, campaign_id: str, action: str, actor: str, why: str, now: datetime
) -> Callable[[Tables], Campaign]:
    def start(tables: Tables) -> Campaign:
        _require_deltas(tables, campaign_id)
        return start_campaign(tables, campaign_id, actor=actor, now=now)

    def pause(tables: Tables) -> Campaign:
        return pause_campaign(tables, campaign_id, actor=actor, why=why, now=now)

    def resume(tables: Tables) -> Campaign:
        return resume_campaign(tables, campaign_id, actor=actor, why=why, now=now)

    def abort(tables: Tables) -> Campaign:
        return abort_campaign(tables, desk.authority, campaign_id, actor=actor, why=why, now=now)

    return {"start": start, "pause": pause, "resume": resume, "abort": abort}[action]


def _require_deltas(tables: Tables, campaign_id: str) -> None:
    campaign = campaign_or_error(tables, campaign_id)
    missing = missing_deltas(tables, release_or_error(tables, campaign.release_id))
    if missing:
        raise ConflictError(
            f"has {len(missing)} deltas still being made",
            value=campaign.release_id,
            todo="start again in a moment; else every vehicle would take full images",
        )
