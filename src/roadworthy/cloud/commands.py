"""The four things a person can do to a campaign, the same for API and pages."""

from collections.abc import Callable
from datetime import datetime

from roadworthy.base.errors import InputError
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.engine import abort_campaign, pause_campaign, resume_campaign
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.starting import start_any_size
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
    if action == "start":
        return await start_any_size(desk, campaign_id, actor=actor)
    now = desk.now()
    work = _work(desk, campaign_id, action, actor, reason or f"{action} by {actor}", now)
    return await desk.write(work)


def _work(
    desk: Desk, campaign_id: str, action: str, actor: str, why: str, now: datetime
) -> Callable[[Tables], Campaign]:
    def pause(tables: Tables) -> Campaign:
        return pause_campaign(tables, campaign_id, actor=actor, why=why, now=now)

    def resume(tables: Tables) -> Campaign:
        return resume_campaign(tables, campaign_id, actor=actor, why=why, now=now)

    def abort(tables: Tables) -> Campaign:
        return abort_campaign(tables, desk.authority, campaign_id, actor=actor, why=why, now=now)

    return {"pause": pause, "resume": resume, "abort": abort}[action]
