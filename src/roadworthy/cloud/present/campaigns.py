"""Campaigns as the pages show them."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from roadworthy.base.errors import InputError
from roadworthy.cloud.api.schemas import moment
from roadworthy.cloud.commands import actions_allowed
from roadworthy.cloud.engine import campaign_or_error, deltas_awaited, wave_count
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.present.entries import event_rows
from roadworthy.cloud.present.paging import paging
from roadworthy.cloud.present.savings import saving_figure
from roadworthy.cloud.price import Price, make_saving
from roadworthy.cloud.web import views
from roadworthy.updates.campaign import Campaign, CampaignState, Member, Wave
from roadworthy.updates.failure_codes import explain
from roadworthy.updates.gate import ENDED, FAILED, IN_PROGRESS, MemberStage, WaveCount, judge
from roadworthy.updates.ports import Traffic

__all__ = [
    "TABLE_ROWS",
    "TableFilter",
    "campaign_list",
    "campaign_row",
    "campaign_view",
    "vehicle_table",
]

TABLE_ROWS = 25


class TableFilter(NamedTuple):
    """Which of a campaign's vehicles to show: by stage, by part of a name, which page of them."""

    stage: str = ""
    text: str = ""
    page: int = 1


EVERY_VEHICLE = TableFilter()
_POINTS = 120
_Counts = Mapping[MemberStage, int]

_SHOWN = {
    MemberStage.WAITING: "queued",
    MemberStage.STAGED: "installed",
    MemberStage.ROLLED_BACK: "rolled-back",
}
_REACHED = {
    "offered": frozenset(MemberStage) - {MemberStage.WAITING, MemberStage.CURRENT},
    "downloaded": frozenset(
        {
            MemberStage.VERIFIED,
            MemberStage.STAGED,
            MemberStage.ACTIVATED,
            MemberStage.CONFIRMED,
            MemberStage.ROLLED_BACK,
        }
    ),
    "installed": frozenset(
        {
            MemberStage.STAGED,
            MemberStage.ACTIVATED,
            MemberStage.CONFIRMED,
            MemberStage.ROLLED_BACK,
        }
    ),
    "activated": frozenset({MemberStage.ACTIVATED, MemberStage.CONFIRMED, MemberStage.ROLLED_BACK}),
    "confirmed": frozenset({MemberStage.CONFIRMED}),
}
_REACHED["verified"] = _REACHED["downloaded"]
_PART = {
    MemberStage.DOWNLOADING: (0, 35),
    MemberStage.VERIFIED: (40, 0),
    MemberStage.STAGED: (40, 50),
    MemberStage.ACTIVATED: (90, 10),
}


def campaign_list(tables: Tables, *, state: str = "", page: int = 1) -> views.CampaignListView:
    """Return the list of campaigns, newest first; `state` filters."""
    everything = tables.campaigns.page(limit=1000)
    counts = [(known.value, sum(c.state is known for c in everything)) for known in CampaignState]
    matching = [campaign for campaign in everything if state in {"", campaign.state.value}]
    shown = paging(len(matching), page, TABLE_ROWS)
    start = (shown.page - 1) * TABLE_ROWS
    rows = tuple(campaign_row(tables, item) for item in matching[start : start + TABLE_ROWS])
    return views.CampaignListView(rows=rows, counts=tuple(counts), paging=shown, state=state)


def campaign_row(tables: Tables, campaign: Campaign) -> views.CampaignRow:
    """Return a campaign as a row of a list."""
    total = _sum(tables.campaigns.counts(campaign.id))
    return views.CampaignRow(
        id=campaign.id,
        name=campaign.name,
        release_id=campaign.release_id,
        release_name=_release_name(tables, campaign),
        state=campaign.state.value,
        reason=campaign.reason,
        wave=campaign.wave + 1 if campaign.started_at else 0,
        wave_count=len(campaign.waves),
        total=sum(total.values()),
        confirmed=total.get(MemberStage.CONFIRMED, 0),
        failed=total.get(MemberStage.FAILED, 0) + total.get(MemberStage.ROLLED_BACK, 0),
        silent=total.get(MemberStage.SILENT, 0),
        in_progress=sum(total.get(stage, 0) for stage in IN_PROGRESS),
        failure_share_max=campaign.gate.failure_share_max,
        created_by=campaign.created_by,
        started=moment(campaign.started_at),
        ended=moment(campaign.ended_at),
        trend=tuple(point.confirmed for point in tables.campaigns.burn_up(campaign.id, 24)),
    )


def campaign_view(
    tables: Tables,
    campaign_id: str,
    *,
    now: datetime,
    price: Price | None = None,
    only: TableFilter = EVERY_VEHICLE,
) -> views.CampaignView:
    """Return everything about one campaign.

    Raises:
        NotFoundError: no such campaign.
    """
    campaign = campaign_or_error(tables, campaign_id)
    total = _sum(tables.campaigns.counts(campaign.id))
    traffic = tables.campaigns.traffic(campaign.id)
    return views.CampaignView(
        id=campaign.id,
        name=campaign.name,
        release_id=campaign.release_id,
        release_name=_release_name(tables, campaign),
        state=campaign.state.value,
        reason=campaign.reason,
        changed_by=campaign.changed_by,
        changed=moment(campaign.changed_at),
        created_by=campaign.created_by,
        started=moment(campaign.started_at),
        ended=moment(campaign.ended_at),
        total=sum(total.values()),
        funnel=_funnel(total),
        failed=total.get(MemberStage.FAILED, 0) + total.get(MemberStage.ROLLED_BACK, 0),
        silent=total.get(MemberStage.SILENT, 0),
        withdrawn=total.get(MemberStage.WITHDRAWN, 0),
        failure_share_max=campaign.gate.failure_share_max,
        burn=_burn(tables, campaign),
        waves=_wave_rows(tables, campaign, now),
        failures=_failures(tables, campaign),
        vehicles=vehicle_table(tables, campaign_id, now=now, only=only),
        events=event_rows(tables, f"campaign/{campaign.id}"),
        actions=actions_allowed(campaign),
        sent_bytes=traffic.received_bytes or None,
        saving=_saving(traffic, price),
    )


def vehicle_table(
    tables: Tables,
    campaign_id: str,
    *,
    now: datetime,
    only: TableFilter = EVERY_VEHICLE,
) -> views.VehicleTableView:
    """Return one page of the campaign's vehicles.

    Raises:
        InputError: no such stage.
    """
    stages = _stages_shown_as(only.stage)
    total = tables.campaigns.count_members(campaign_id, stages=stages, text=only.text)
    shown = paging(total, only.page, TABLE_ROWS)
    found = tables.campaigns.members(
        campaign_id,
        stages=stages,
        text=only.text,
        offset=(shown.page - 1) * TABLE_ROWS,
        limit=TABLE_ROWS,
    )
    counts = _sum(tables.campaigns.counts(campaign_id))
    return views.VehicleTableView(
        campaign_id=campaign_id,
        rows=tuple(_vehicle_row(tables, member, now) for member in found),
        paging=shown,
        counts=tuple((_shown(known), counts.get(known, 0)) for known in MemberStage),
        stage=only.stage,
        text=only.text,
    )


def _saving(traffic: Traffic, price: Price | None) -> views.SavingFigure | None:
    sent_bytes, full_bytes = traffic.confirmed_received_bytes, traffic.confirmed_full_bytes
    return saving_figure(make_saving(sent_bytes, full_bytes, price)) if full_bytes else None


def _sum(by_wave: Mapping[int, _Counts]) -> dict[MemberStage, int]:
    total: dict[MemberStage, int] = {}
    for counts in by_wave.values():
        for stage, number in counts.items():
            total[stage] = total.get(stage, 0) + number
    return total


def _funnel(total: _Counts) -> tuple[views.FunnelStage, ...]:
    reached = {"queued": sum(total.values())} | {
        name: sum(total.get(stage, 0) for stage in stages) for name, stages in _REACHED.items()
    }
    return tuple(views.FunnelStage(name, reached[name]) for name in views.STAGES)


def _burn(tables: Tables, campaign: Campaign) -> tuple[views.BurnSample, ...]:
    return tuple(
        views.BurnSample(
            at_s=point.at - campaign.started_at,
            confirmed=point.confirmed,
            failed=point.failed,
            in_progress=point.offered - point.confirmed - point.failed,
        )
        for point in tables.campaigns.burn_up(campaign.id, _POINTS)
    )


def _wave_rows(tables: Tables, campaign: Campaign, now: datetime) -> tuple[views.WaveRow, ...]:
    by_wave = tables.campaigns.counts(campaign.id)
    return tuple(
        _wave_row(tables, campaign, index, by_wave.get(index, {}), now)
        for index in range(len(campaign.waves))
    )


def _wave_row(
    tables: Tables, campaign: Campaign, index: int, counts: _Counts, now: datetime
) -> views.WaveRow:
    wave = campaign.waves[index]
    count = WaveCount(counts, forgiven=wave.forgiven)
    state, verdict = _wave_state(tables, campaign, index, now)
    return views.WaveRow(
        number=index + 1,
        name=wave.name,
        size=count.size or wave.size,
        state=state,
        gate=_gate_text(campaign, wave),
        verdict=verdict,
        confirmed=counts.get(MemberStage.CONFIRMED, 0) + counts.get(MemberStage.CURRENT, 0),
        failed=counts.get(MemberStage.FAILED, 0) + counts.get(MemberStage.ROLLED_BACK, 0),
        silent=counts.get(MemberStage.SILENT, 0),
        in_progress=count.in_progress,
        started=moment(wave.started_at),
        ended=moment(wave.ended_at),
    )


def _wave_state(tables: Tables, campaign: Campaign, index: int, now: datetime) -> tuple[str, str]:
    wave = campaign.waves[index]
    if wave.ended_at:
        return "passed", wave.verdict
    if not wave.started_at:
        return "waiting", ""
    if campaign.state is CampaignState.ABORTED:
        return "stopped", campaign.reason
    if campaign.state is CampaignState.PAUSED:
        return "held", campaign.reason
    count = wave_count(tables, campaign)
    ended_at = tables.campaigns.last_ended_at(campaign.id, index)
    ended_for_s = now.timestamp() - ended_at if count.ended else 0.0
    verdict = judge(campaign.gate, count, ended_for_s=ended_for_s)
    why, is_last = verdict.why, index + 1 == len(campaign.waves)
    if verdict.passes and not is_last and (awaited := deltas_awaited(tables, campaign)):
        why += f"; waits for {awaited} delta{'s' if awaited > 1 else ''} of the next wave"
    return "soaking" if count.ended else "running", why


def _gate_text(campaign: Campaign, wave: Wave) -> str:
    gate = campaign.gate
    text = f"at most {gate.failure_share_max:.0%} failed or silent"
    if gate.soak_s:
        text += f", then {gate.soak_s:.0f} s of rest"
    if wave.forgiven:
        text += f"; {wave.forgiven} failures accepted"
    return text


def _failures(tables: Tables, campaign: Campaign) -> tuple[views.FailureReason, ...]:
    rows = []
    for code, number, example in tables.campaigns.failures(campaign.id):
        vehicle = tables.vehicles.get(example)
        refs = (views.VehicleRef(vehicle.key, vehicle.vin),) if vehicle else ()
        rows.append(views.FailureReason(code, explain(code), number, refs))
    return tuple(rows)


def _vehicle_row(tables: Tables, member: Member, now: datetime) -> views.VehicleTableRow:
    vehicle = tables.vehicles.get(member.vehicle)
    start, span = _PART.get(member.stage, (0, 0))
    percent = start + span * member.percent // 100
    if member.stage in {MemberStage.CONFIRMED, MemberStage.CURRENT}:
        percent = 100
    until = member.ended_at or now.timestamp()
    return views.VehicleTableRow(
        key=member.vehicle,
        vin=vehicle.vin if vehicle else member.vehicle,
        type_name=vehicle.type if vehicle else "",
        wave=member.wave + 1,
        stage=_shown(member.stage),
        percent=percent,
        ecu=member.ecu if member.stage not in ENDED or member.stage in FAILED else "",
        attempts=1 if member.offer else 0,
        delta_bytes=member.received_bytes or member.delta_bytes if member.offer else None,
        full_bytes=member.full_bytes if member.offer else None,
        code=member.code,
        reason=member.detail or (explain(member.code) if member.code else ""),
        duration_s=until - member.offered_at if member.offered_at else None,
    )


def _shown(stage: MemberStage) -> str:
    return _SHOWN.get(stage, stage.value)


def _stages_shown_as(text: str) -> tuple[MemberStage, ...]:
    if not text:
        return ()
    found = tuple(stage for stage in MemberStage if _shown(stage) == text)
    if not found:
        raise InputError("is not a stage", value="stage", todo="choose one of the list")
    return found


def _release_name(tables: Tables, campaign: Campaign) -> str:
    release = tables.releases.get(campaign.release_id)
    return f"{release.name} {release.version}" if release else campaign.release_id
