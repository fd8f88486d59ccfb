"""The campaign engine: turns the core's decisions into offers, entries and notices.

Every function here is one write on the tables. Any worker may run it at any time and may
die at any time: a decision and its effect are in the store together or not at all.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from roadworthy.base.errors import ConflictError, NotFoundError
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.authority import Authority
from roadworthy.cloud.deltas import deltas_to, missing_deltas
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.records import record
from roadworthy.cloud.repositories import publish_offer, withdraw_offer
from roadworthy.fleet.inventory import Vehicle
from roadworthy.trust.targets import EcuTarget
from roadworthy.updates.campaign import (
    Aborted,
    Campaign,
    CampaignEvent,
    CampaignState,
    Effect,
    MarkSilent,
    Member,
    OfferNext,
    Paused,
    Resumed,
    Started,
    WaveEnded,
    WaveStarted,
    check_campaign,
    decide,
    fold,
)
from roadworthy.updates.gate import MemberStage, WaveCount
from roadworthy.updates.release import NewerInstalledError, Release, ReleaseState, ecu_targets
from roadworthy.updates.waves import assign_waves, check_named

__all__ = [
    "MEMBERS_PER_WRITE",
    "abort_campaign",
    "begin_campaign",
    "campaign_or_error",
    "create_campaign",
    "deltas_awaited",
    "is_due",
    "pause_campaign",
    "resume_campaign",
    "running_campaigns",
    "start_campaign",
    "startable",
    "tick",
    "wave_count",
]

OFFERS_PER_WRITE = 50
MEMBERS_PER_WRITE = 5_000
_PAGE = 500


def campaign_or_error(tables: Tables, campaign_id: str) -> Campaign:
    """Return a campaign or raise NotFoundError."""
    campaign = tables.campaigns.get(campaign_id)
    if campaign is None:
        raise NotFoundError("no such campaign", value=campaign_id, todo="list the campaigns")
    return campaign


def running_campaigns(tables: Tables) -> list[str]:
    """Return the ids of campaigns that the engine has to look at, oldest first."""
    return tables.campaigns.live()


def wave_count(tables: Tables, campaign: Campaign) -> WaveCount:
    """Return the counts of the campaign's current wave."""
    stages = tables.campaigns.counts(campaign.id).get(campaign.wave, {})
    return WaveCount(stages, forgiven=campaign.waves[campaign.wave].forgiven)


def create_campaign(tables: Tables, campaign: Campaign, *, now: datetime) -> Campaign:
    """Store a new campaign as a draft; the same one again is fine.

    Raises:
        NotFoundError, ConflictError: no such release, not signed, or the id is taken.
    """
    check_campaign(campaign)
    known = tables.campaigns.get(campaign.id)
    if known is not None:
        if _is_same(known, campaign):
            return known
        raise ConflictError("exists with other content", value=campaign.id, todo="take another id")
    _signed_release(tables, campaign.release_id)
    tables.campaigns.put(campaign)
    data = {
        "release": campaign.release_id,
        "waves": [wave.name for wave in campaign.waves],
        "failure_share_max_percent": round(campaign.gate.failure_share_max * 100),
    }
    _note(tables, campaign, "campaign-created", campaign.created_by, data, now)
    return campaign


def start_campaign(tables: Tables, campaign_id: str, *, actor: str, now: datetime) -> Campaign:
    """Give each selected vehicle its wave and let the first wave begin, in one write.

    Fit for some thousand vehicles; `cloud.starting` starts campaigns of any size.

    Raises:
        ConflictError: it can't be started, no vehicle matches, or a wave names others.
    """
    campaign = startable(tables, campaign_id)
    selected = tables.vehicles.select(campaign.vehicle_types)
    if not selected:
        raise ConflictError(
            "no vehicle matches",
            value=campaign_id,
            todo="check the vehicle types or enrol vehicles",
        )
    check_named(campaign.id, campaign.waves, selected)
    while tables.campaigns.remove_members(campaign_id, limit=MEMBERS_PER_WRITE):
        pass
    wave_of = assign_waves(campaign.id, campaign.waves, selected)
    tables.campaigns.add_members([Member(campaign.id, key, wave) for key, wave in wave_of.items()])
    return begin_campaign(tables, campaign, actor=actor, now=now)


def startable(tables: Tables, campaign_id: str) -> Campaign:
    """Return a campaign that is a draft of a signed release.

    Raises:
        NotFoundError, ConflictError: it is not.
    """
    campaign = campaign_or_error(tables, campaign_id)
    fold(campaign, Started(0.0, "", (0,) * len(campaign.waves)))
    _signed_release(tables, campaign.release_id)
    return campaign


def begin_campaign(tables: Tables, campaign: Campaign, *, actor: str, now: datetime) -> Campaign:
    """Let the first wave of a draft begin whose members have all been added."""
    counts = tables.campaigns.counts(campaign.id)
    sizes = tuple(
        counts.get(wave, {}).get(MemberStage.WAITING, 0) for wave in range(len(campaign.waves))
    )
    ready = msgspec.structs.replace(campaign, start_mark="")
    return _apply(tables, ready, Started(now.timestamp(), actor, sizes), actor=actor, now=now)


def pause_campaign(
    tables: Tables, campaign_id: str, *, actor: str, why: str, now: datetime
) -> Campaign:
    """Stop new offers; vehicles with an offer go on."""
    campaign = campaign_or_error(tables, campaign_id)
    return _apply(tables, campaign, Paused(now.timestamp(), actor, why), actor=actor, now=now)


def resume_campaign(
    tables: Tables, campaign_id: str, *, actor: str, why: str, now: datetime
) -> Campaign:
    """Go on and accept the failures of the current wave so far."""
    campaign = campaign_or_error(tables, campaign_id)
    failed = wave_count(tables, campaign).failed
    event = Resumed(now.timestamp(), actor, why, forgiven=failed)
    return _apply(tables, campaign, event, actor=actor, now=now)


def abort_campaign(
    tables: Tables, authority: Authority, campaign_id: str, *, actor: str, why: str, now: datetime
) -> Campaign:
    """End the campaign; withdraw every offer that has not been switched over.

    Also those of silent vehicles: one that comes back must not find a release that somebody
    stopped. They stay counted as silent.
    """
    campaign = campaign_or_error(tables, campaign_id)
    aborted = _apply(tables, campaign, Aborted(now.timestamp(), actor, why), actor=actor, now=now)
    for member in tables.campaigns.in_progress(campaign_id):
        if member.stage is not MemberStage.ACTIVATED:
            withdraw_offer(tables.metadata, authority, member.vehicle, now=now)
            _end(tables, member, MemberStage.WITHDRAWN, now)
    for member in _silent_members(tables, campaign_id):
        if tables.campaigns.memberships(member.vehicle)[0].campaign_id == campaign_id:
            withdraw_offer(tables.metadata, authority, member.vehicle, now=now)
    while waiting := tables.campaigns.members(
        campaign_id, stages=(MemberStage.WAITING,), limit=_PAGE
    ):
        for member in waiting:
            _end(tables, member, MemberStage.WITHDRAWN, now)
    return aborted


def is_due(tables: Tables, campaign_id: str, *, now: datetime) -> bool:
    """Say whether `tick` would change anything; needs no write."""
    campaign = campaign_or_error(tables, campaign_id)
    return any(_finds_work(tables, campaign, effect) for effect in _decide(tables, campaign, now))


def tick(
    tables: Tables, authority: Authority, campaign_id: str, *, now: datetime
) -> tuple[VehicleKey, ...]:
    """Do what is due in one campaign; return the vehicles to notify once it is stored."""
    campaign = campaign_or_error(tables, campaign_id)
    offered: list[VehicleKey] = []
    for effect in _decide(tables, campaign, now):
        match effect:
            case OfferNext():
                offered += _offer_next(tables, authority, campaign, effect, now)
            case MarkSilent():
                _mark_silent(tables, campaign, effect, now)
            case _:
                campaign = _apply(tables, campaign, effect, actor="engine", now=now)
    return tuple(offered)


def _finds_work(tables: Tables, campaign: Campaign, effect: Effect) -> bool:
    match effect:
        case MarkSilent():
            return bool(tables.campaigns.silent(campaign.id, effect.since))
        case OfferNext():
            return bool(tables.campaigns.waiting(campaign.id, effect.wave, 1))
        case _:
            return True


def _decide(tables: Tables, campaign: Campaign, now: datetime) -> tuple[Effect, ...]:
    last_ended_at = tables.campaigns.last_ended_at(campaign.id, campaign.wave)
    count = wave_count(tables, campaign)
    effects = decide(campaign, count, last_ended_at=last_ended_at, now=now.timestamp())
    if any(isinstance(one, WaveStarted) for one in effects) and deltas_awaited(tables, campaign):
        return tuple(one for one in effects if not isinstance(one, WaveEnded | WaveStarted))
    return effects


def deltas_awaited(tables: Tables, campaign: Campaign) -> int:
    """Return how many deltas are still to be made before the next wave may start."""
    return len(missing_deltas(tables, _signed_release(tables, campaign.release_id)))


def _offer_next(
    tables: Tables, authority: Authority, campaign: Campaign, effect: OfferNext, now: datetime
) -> list[VehicleKey]:
    release = _signed_release(tables, campaign.release_id)
    deltas = deltas_to(tables, release)
    limit = min(effect.limit, OFFERS_PER_WRITE)
    offered = []
    for member in tables.campaigns.waiting(campaign.id, effect.wave, limit):
        vehicle = tables.vehicles.get(member.vehicle)
        try:
            targets = ecu_targets(release, vehicle.ecus, deltas) if vehicle else ()
        except NewerInstalledError as error:
            _fail(tables, member, error.code, str(error), now)
            continue
        problem = _why_not(vehicle, release)
        if problem:
            _fail(tables, member, *problem, now)
        elif not targets:
            _end(tables, member, MemberStage.CURRENT, now)
        else:
            _offer(tables, authority, campaign, member, targets, now)
            offered.append(member.vehicle)
    return offered


def _offer(
    tables: Tables,
    authority: Authority,
    campaign: Campaign,
    member: Member,
    targets: tuple[EcuTarget, ...],
    now: datetime,
) -> None:
    offer = f"{campaign.id}.{member.vehicle}"
    publish_offer(tables.metadata, authority, member.vehicle, offer, targets, now=now)
    images = {target.image.sha256: target for target in targets}
    offered = msgspec.structs.replace(
        member,
        stage=MemberStage.OFFERED,
        offer=offer,
        offered_at=now.timestamp(),
        full_bytes=sum(target.image.length_bytes for target in images.values()),
        delta_bytes=sum(
            target.delta.length_bytes if target.delta else target.image.length_bytes
            for target in images.values()
        ),
    )
    tables.campaigns.put_member(offered)
    record(
        tables,
        "offer",
        actor="engine",
        subjects=(f"vehicle/{member.vehicle}", f"campaign/{campaign.id}"),
        data={
            "offer": offer,
            "release": campaign.release_id,
            "ecus": {target.ecu_serial: target.image.sha256 for target in targets},
        },
        now=now,
    )


def _why_not(vehicle: Vehicle | None, release: Release) -> tuple[str, str] | None:
    if vehicle is None or vehicle.revoked_at:
        return "revoked", "the vehicle is not registered any more"
    if not vehicle.ecus:
        return "no-inventory", "the vehicle has never reported its ECUs"
    wanted = {artifact.hardware_id for artifact in release.artifacts}
    if wanted.isdisjoint(ecu.hardware_id for ecu in vehicle.ecus):
        return "no-match", "no ECU of the vehicle is of a kind that the release is for"
    return None


def _mark_silent(tables: Tables, campaign: Campaign, effect: MarkSilent, now: datetime) -> None:
    for member in tables.campaigns.silent(campaign.id, effect.since):
        silent = msgspec.structs.replace(
            member, code="silent", detail="took the offer and has not reported since"
        )
        _end(tables, silent, MemberStage.SILENT, now)
        subjects = (f"vehicle/{member.vehicle}", f"campaign/{campaign.id}")
        data = {"offer": member.offer}
        record(tables, "vehicle-silent", actor="engine", subjects=subjects, data=data, now=now)


def _fail(tables: Tables, member: Member, code: str, detail: str, now: datetime) -> None:
    failed = msgspec.structs.replace(member, code=code, detail=detail)
    _end(tables, failed, MemberStage.FAILED, now)
    subjects = (f"vehicle/{member.vehicle}", f"campaign/{member.campaign_id}")
    data = {"code": code, "detail": detail}
    record(tables, "not-offered", actor="engine", subjects=subjects, data=data, now=now)


def _end(tables: Tables, member: Member, stage: MemberStage, now: datetime) -> None:
    tables.campaigns.put_member(
        msgspec.structs.replace(member, stage=stage, ended_at=now.timestamp())
    )


def _apply(
    tables: Tables, campaign: Campaign, event: CampaignEvent, *, actor: str, now: datetime
) -> Campaign:
    changed = fold(campaign, event)
    tables.campaigns.put(changed)
    data = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in msgspec.to_builtins(event).items()
        if isinstance(value, int | str | list | tuple) and name not in {"type", "by"}
    }
    _note(tables, campaign, str(event.__struct_config__.tag), actor, data, now)
    return changed


def _is_same(known: Campaign, asked: Campaign) -> bool:
    """Whether a campaign that is asked for is the known one, wherever that one stands now."""
    if known.state is CampaignState.DRAFT:
        return _content(known) == _content(asked)
    return _content(known, sizes=False) == _content(asked, sizes=False)


def _content(campaign: Campaign, *, sizes: bool = True) -> tuple[object, ...]:
    """What a person asked for; the start replaces the waves' sizes by numbers of vehicles."""
    waves = tuple(
        (wave.name, wave.share, wave.vehicles, wave.size if sizes else 0) for wave in campaign.waves
    )
    limits = (campaign.gate, campaign.offers_open_max)
    return (campaign.name, campaign.release_id, campaign.vehicle_types, waves, limits)


def _silent_members(tables: Tables, campaign_id: str) -> Iterator[Member]:
    silent, offset = (MemberStage.SILENT,), 0
    while page := tables.campaigns.members(campaign_id, stages=silent, offset=offset, limit=_PAGE):
        yield from page
        offset += len(page)


def _note(
    tables: Tables, campaign: Campaign, kind: str, actor: str, data: dict[str, Any], now: datetime
) -> None:
    record(tables, kind, actor=actor, subjects=(f"campaign/{campaign.id}",), data=data, now=now)


def _signed_release(tables: Tables, release_id: str) -> Release:
    release = tables.releases.get(release_id)
    if release is None:
        raise NotFoundError("no such release", value=release_id, todo="list the releases")
    if release.state is not ReleaseState.SIGNED:
        raise ConflictError("is not signed yet", value=release_id, todo="collect its signatures")
    return release
