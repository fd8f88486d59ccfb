"""A campaign brings a release to a selection of vehicles, wave by wave.

The engine never looks at single vehicles: it decides on the counts of the current wave, so
a campaign of a million vehicles costs as much to decide as one of ten.

    draft ──start──▶ running ──all waves passed──▶ finished
                      │  ▲
      gate or person ─▼  │─ resume
                     paused          abort from draft, running or paused ──▶ aborted

Pausing stops new offers; vehicles that have one go on, because a half-done vehicle is worse
than a done one. Aborting also withdraws the offers of vehicles that have not switched over.
"""

from enum import StrEnum
from typing import Any

import msgspec

from roadworthy.base.errors import ConflictError, InputError
from roadworthy.base.ids import VehicleKey
from roadworthy.updates.gate import Gate, MemberStage, WaveCount, judge

__all__ = [
    "LIVE",
    "Aborted",
    "Campaign",
    "CampaignEvent",
    "CampaignState",
    "Effect",
    "Finished",
    "MarkSilent",
    "Member",
    "OfferNext",
    "Paused",
    "Resumed",
    "Started",
    "Wave",
    "WaveEnded",
    "WaveStarted",
    "check_campaign",
    "decide",
    "fold",
]

_WAVES_MAX = 50


class CampaignState(StrEnum):
    """See the drawing above."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    ABORTED = "aborted"


LIVE = frozenset({CampaignState.RUNNING, CampaignState.PAUSED})


class Wave(msgspec.Struct, frozen=True):
    """A slice of a campaign.

    size: number of vehicles; used when `share` is 0.
    share: part of the whole selection, 0..1; the last wave takes all that is left.
    vehicles: named vehicles, such as test cars; they come before any other in this wave.
    started_at, ended_at: Unix seconds, 0 for not yet.
    forgiven, forgiven_at: failures that a person accepted by resuming, and when.
    verdict: the gate's last word.
    """

    name: str
    size: int = 0
    share: float = 0.0
    vehicles: tuple[VehicleKey, ...] = ()
    started_at: float = 0.0
    ended_at: float = 0.0
    forgiven: int = 0
    forgiven_at: float = 0.0
    verdict: str = ""


class Campaign(msgspec.Struct, frozen=True):
    """A campaign and where it stands.

    vehicle_types: types it selects; empty selects all.
    wave: index of the current wave.
    offers_open_max: vehicles that may be at work at once.
    reason, changed_by, changed_at: of the last change of state.
    start_mark: of the start that is adding members to the draft just now, else empty.
    """

    id: str
    name: str
    release_id: str
    vehicle_types: tuple[str, ...]
    waves: tuple[Wave, ...]
    gate: Gate
    created_at: float
    created_by: str
    offers_open_max: int = 1000
    state: CampaignState = CampaignState.DRAFT
    wave: int = 0
    started_at: float = 0.0
    ended_at: float = 0.0
    reason: str = ""
    changed_by: str = ""
    changed_at: float = 0.0
    start_mark: str = ""


class Member(msgspec.Struct, frozen=True):
    """One vehicle in a campaign.

    offer: id of its offer, or empty. percent: of the present stage, 0 to 100.
    offered_at, reported_at, ended_at: Unix seconds, 0 for not yet.
    delta_bytes, full_bytes: what its offer has to download, and without deltas.
    """

    campaign_id: str
    vehicle: VehicleKey
    wave: int
    stage: MemberStage = MemberStage.WAITING
    offer: str = ""
    percent: int = 0
    ecu: str = ""
    offered_at: float = 0.0
    reported_at: float = 0.0
    ended_at: float = 0.0
    code: str = ""
    detail: str = ""
    delta_bytes: int = 0
    full_bytes: int = 0
    received_bytes: int = 0


class Started(msgspec.Struct, frozen=True, tag="campaign-started"):
    """A person started the campaign; sizes holds the number of vehicles of each wave."""

    at: float
    by: str
    sizes: tuple[int, ...]


class WaveStarted(msgspec.Struct, frozen=True, tag="wave-started"):
    """Offers for this wave may go out."""

    at: float
    wave: int
    why: str


class WaveEnded(msgspec.Struct, frozen=True, tag="wave-ended"):
    """The gate let the wave pass."""

    at: float
    wave: int
    why: str


class Paused(msgspec.Struct, frozen=True, tag="campaign-paused"):
    """A gate or a person stopped new offers."""

    at: float
    by: str
    why: str


class Resumed(msgspec.Struct, frozen=True, tag="campaign-resumed"):
    """A person accepted the failures so far and goes on."""

    at: float
    by: str
    why: str
    forgiven: int


class Aborted(msgspec.Struct, frozen=True, tag="campaign-aborted"):
    """A person ended the campaign early."""

    at: float
    by: str
    why: str


class Finished(msgspec.Struct, frozen=True, tag="campaign-finished"):
    """The last wave passed its gate."""

    at: float
    why: str


CampaignEvent = Started | WaveStarted | WaveEnded | Paused | Resumed | Aborted | Finished


class OfferNext(msgspec.Struct, frozen=True):
    """Offer the release to up to `limit` more vehicles of this wave."""

    wave: int
    limit: int


class MarkSilent(msgspec.Struct, frozen=True):
    """Count members as failed that have said nothing since `since` (Unix seconds)."""

    since: float


Effect = OfferNext | MarkSilent | WaveStarted | WaveEnded | Paused | Finished


def check_campaign(campaign: Campaign) -> None:
    """Raise InputError unless a new campaign's waves and gate make sense."""
    if not 1 <= len(campaign.waves) <= _WAVES_MAX:
        raise InputError(f"must have 1 to {_WAVES_MAX} waves", value="waves")
    for wave in campaign.waves:
        if wave.size < 0 or not 0 <= wave.share <= 1:
            raise InputError("needs a size or a share between 0 and 1", value=f"waves.{wave.name}")
    for wave in campaign.waves[:-1]:
        if not (wave.size or wave.share or wave.vehicles):
            raise InputError(
                "would have no vehicle, so its gate could not stop the next wave",
                value=f"waves.{wave.name}",
                todo="give a size, a share or vehicles; only the last wave takes the rest",
            )
    named = [vehicle for wave in campaign.waves for vehicle in wave.vehicles]
    if len(set(named)) != len(named):
        raise InputError("name the same vehicle twice", value="waves")
    if campaign.offers_open_max < 1:
        raise InputError("must be at least 1", value="offers_open_max")
    campaign.gate.check()


def decide(
    campaign: Campaign, count: WaveCount, *, last_ended_at: float, now: float
) -> tuple[Effect, ...]:
    """Say what has to happen next; applied in order, each event folded before the next.

    Args:
        campaign: the campaign as stored.
        count: the members of its current wave.
        last_ended_at: when the wave's last vehicle ended, Unix seconds, 0 for none.
        now: Unix seconds.
    """
    if campaign.state not in LIVE:
        return ()
    effects: list[Effect] = []
    if count.in_progress:
        effects.append(MarkSilent(since=now - campaign.gate.silent_after_s))
    if campaign.state is CampaignState.PAUSED:
        return tuple(effects)
    ended_for_s = now - last_ended_at if count.ended else 0.0
    verdict = judge(campaign.gate, count, ended_for_s=ended_for_s)
    if verdict.pauses:
        effects.append(Paused(at=now, by="gate", why=verdict.why))
    elif verdict.passes:
        effects += _next_wave(campaign, verdict.why, now)
    elif (limit := min(count.waiting, campaign.offers_open_max - count.in_progress)) > 0:
        effects.append(OfferNext(wave=campaign.wave, limit=limit))
    return tuple(effects)


def fold(campaign: Campaign, event: CampaignEvent) -> Campaign:
    """Return the campaign after the event.

    Raises:
        ConflictError: the state does not allow it; names what would be allowed. Or the event
            is out of turn: a wave before the former one passed, the end before the last wave.
    """
    _check_allowed(campaign, event)
    _check_turn(campaign, event)
    match event:
        case Started():
            return _started(campaign, event)
        case WaveStarted():
            changes: dict[str, Any] = {
                "wave": event.wave,
                "waves": _with_wave(campaign, event.wave, started_at=event.at),
                "reason": event.why,
                "changed_by": "engine",
                "changed_at": event.at,
            }
        case WaveEnded():
            ended = _with_wave(campaign, event.wave, ended_at=event.at, verdict=event.why)
            changes = {"waves": ended}
        case Resumed():
            waves = _with_wave(
                campaign, campaign.wave, forgiven=event.forgiven, forgiven_at=event.at
            )
            changes = {"waves": waves, **_turn(CampaignState.RUNNING, event)}
        case Paused():
            changes = _turn(CampaignState.PAUSED, event)
        case Aborted():
            changes = {"ended_at": event.at, **_turn(CampaignState.ABORTED, event)}
        case _:
            changes = {"ended_at": event.at, **_turn(CampaignState.FINISHED, event)}
    return msgspec.structs.replace(campaign, **changes)


def _started(campaign: Campaign, event: Started) -> Campaign:
    waves = tuple(
        msgspec.structs.replace(wave, size=size, started_at=event.at if index == 0 else 0.0)
        for index, (wave, size) in enumerate(zip(campaign.waves, event.sizes, strict=True))
    )
    return msgspec.structs.replace(
        campaign,
        state=CampaignState.RUNNING,
        waves=waves,
        started_at=event.at,
        reason=f"started with {sum(event.sizes)} vehicle{'s' * (sum(event.sizes) != 1)}",
        changed_by=event.by,
        changed_at=event.at,
    )


def _turn(state: CampaignState, event: Paused | Resumed | Aborted | Finished) -> dict[str, Any]:
    return {
        "state": state,
        "reason": event.why,
        "changed_by": getattr(event, "by", "engine"),
        "changed_at": event.at,
    }


def _with_wave(campaign: Campaign, index: int, **changes: object) -> tuple[Wave, ...]:
    waves = list(campaign.waves)
    waves[index] = msgspec.structs.replace(waves[index], **changes)
    return tuple(waves)


def _next_wave(campaign: Campaign, why: str, now: float) -> list[Effect]:
    ended = WaveEnded(at=now, wave=campaign.wave, why=why)
    if campaign.wave + 1 == len(campaign.waves):
        return [ended, Finished(at=now, why="every wave passed its gate")]
    started = WaveStarted(
        at=now, wave=campaign.wave + 1, why=f"{campaign.waves[campaign.wave].name} passed: {why}"
    )
    return [ended, started]


_ALLOWED: dict[type[CampaignEvent], frozenset[CampaignState]] = {
    Started: frozenset({CampaignState.DRAFT}),
    WaveStarted: frozenset({CampaignState.RUNNING}),
    WaveEnded: frozenset({CampaignState.RUNNING}),
    Paused: frozenset({CampaignState.RUNNING}),
    Resumed: frozenset({CampaignState.PAUSED}),
    Aborted: frozenset({CampaignState.DRAFT, CampaignState.RUNNING, CampaignState.PAUSED}),
    Finished: frozenset({CampaignState.RUNNING}),
}


def _check_allowed(campaign: Campaign, event: CampaignEvent) -> None:
    allowed = _ALLOWED[type(event)]
    if campaign.state not in allowed:
        verb = str(event.__struct_config__.tag)
        raise ConflictError(
            f"is {campaign.state}, so it can't become {verb.removeprefix('campaign-')}",
            value=f"campaign {campaign.id}",
            todo="this needs the state " + " or ".join(sorted(allowed)),
        )


def _check_turn(campaign: Campaign, event: CampaignEvent) -> None:
    current = campaign.waves[campaign.wave]
    passed = bool(current.ended_at or current.verdict)
    last = campaign.wave + 1 == len(campaign.waves)
    match event:
        case Started():
            fits = len(event.sizes) == len(campaign.waves) and min(event.sizes) >= 0
        case WaveEnded():
            fits = event.wave == campaign.wave and not passed
        case WaveStarted():
            fits = event.wave == campaign.wave + 1 and passed and not last
        case Finished():
            fits = passed and last
        case Resumed():
            fits = event.forgiven >= 0
        case _:
            fits = True
    if not fits:
        raise ConflictError(
            f"stands in wave {campaign.wave} of {len(campaign.waves)}, {event!r} is out of turn",
            value=f"campaign {campaign.id}",
            todo="read the campaign again and decide anew",
        )
