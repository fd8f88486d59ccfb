"""The overview and the vehicles as the pages show them."""

from datetime import UTC, datetime, timedelta

from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.api.schemas import moment
from roadworthy.cloud.doors import HTTPS_DOOR, MQTT_DOOR, QUIET, last_told
from roadworthy.cloud.enrolment import CERTIFICATE_LIFE, vehicle_or_error
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.present.campaigns import campaign_row
from roadworthy.cloud.present.entries import event_rows, sentence
from roadworthy.cloud.present.paging import paging
from roadworthy.cloud.web import views
from roadworthy.compliance.ledger import parse_entry
from roadworthy.fleet.inventory import EcuState, Vehicle
from roadworthy.updates.campaign import CampaignState, Member
from roadworthy.updates.failure_codes import explain
from roadworthy.updates.gate import FAILED, IN_PROGRESS, MemberStage
from roadworthy.updates.release import (
    NewerInstalledError,
    Release,
    ReleaseState,
    ecu_targets,
)

__all__ = ["overview", "vehicle_list", "vehicle_view"]

ROWS = 50
_ONLINE_S = 120
_EXPIRING = timedelta(days=30)
_ECU_STATES = {
    MemberStage.OFFERED: "behind",
    MemberStage.DOWNLOADING: "downloading",
    MemberStage.VERIFIED: "downloading",
    MemberStage.STAGED: "installing",
    MemberStage.ACTIVATED: "activating",
}
_REFUSALS = frozenset({"access-refused", "refusal", "report-refused"})


def overview(tables: Tables, *, now: datetime) -> views.OverviewView:
    """Return what needs a person, what runs and how the fleet is."""
    campaigns = tables.campaigns.page(limit=100)
    live = [c for c in campaigns if c.state in {CampaignState.RUNNING, CampaignState.PAUSED}]
    rows = tuple(campaign_row(tables, campaign) for campaign in live)
    begun = next((c for c in campaigns if c.state is not CampaignState.DRAFT), None)
    latest = campaign_row(tables, begun) if begun else None
    census = tables.vehicles.census(now.timestamp() - _ONLINE_S)
    return views.OverviewView(
        attention=(*_attention(tables, rows, latest), *_at_the_doors(tables, now)),
        running=rows,
        fleet=views.FleetCounts(
            vehicles=census.vehicles,
            online=census.online,
            current=latest.confirmed if latest else 0,
            updating=sum(row.in_progress for row in rows),
            failed=latest.failed + latest.silent if latest else 0,
            revoked=census.revoked,
            ecus=census.ecus,
            online_window_s=_ONLINE_S,
        ),
        adoption=_adoption(tables),
        events=event_rows(tables, "", limit=12),
    )


def vehicle_list(
    tables: Tables, *, text: str = "", page: int = 1, now: datetime
) -> views.VehicleListView:
    """Return one page of the vehicles whose VIN, key or type holds `text`."""
    shown = paging(tables.vehicles.count(text=text), page, ROWS)
    found = tables.vehicles.page(text=text, offset=(shown.page - 1) * ROWS, limit=ROWS)
    releases = _signed_releases(tables)
    return views.VehicleListView(
        rows=tuple(_vehicle_row(tables, vehicle, releases, now) for vehicle in found),
        counts=(),
        paging=shown,
        text=text,
    )


def vehicle_view(tables: Tables, key: VehicleKey, *, now: datetime) -> views.VehicleView:
    """Return one vehicle: its ECUs, installations and problems.

    Raises:
        NotFoundError: no such vehicle.
    """
    vehicle = vehicle_or_error(tables, key)
    releases = _signed_releases(tables)
    memberships = tables.campaigns.memberships(key)
    row = _vehicle_row(tables, vehicle, releases, now)
    return views.VehicleView(
        vin=vehicle.vin,
        key=key,
        type_name=vehicle.type,
        state=row.state,
        version=row.version,
        online=row.online,
        last_seen=row.last_seen,
        certificate=row.certificate,
        certificate_expires=_expires(vehicle),
        ecus=_ecu_rows(tables, vehicle, memberships),
        installations=tuple(
            _installation(tables, member, now) for member in memberships if member.offer
        ),
        problems=_problems(tables, key),
        events=event_rows(tables, f"vehicle/{key}"),
    )


def _attention(
    tables: Tables, rows: tuple[views.CampaignRow, ...], latest: views.CampaignRow | None
) -> tuple[views.Attention, ...]:
    found = [
        views.Attention("warn", f"{row.name} is paused", row.reason, f"/campaigns/{row.id}")
        for row in rows
        if row.state == "paused"
    ]
    found += [
        views.Attention(
            "bad",
            f"{_vehicles(row.failed + row.silent)} failed in {row.name}",
            "the wave's gate has not stopped it",
            f"/campaigns/{row.id}?stage=failed#vehicles",
        )
        for row in rows
        if row.failed + row.silent and row.state == "running"
    ]
    if latest and latest.state == "finished" and (missed := latest.failed + latest.silent):
        title = f"{_vehicles(missed)} failed in {latest.name}"
        href = f"/campaigns/{latest.id}#vehicles"
        found.append(
            views.Attention("warn", title, "The campaign has ended without them; see why", href)
        )
    drafts = [r for r in tables.releases.page(limit=20) if r.state is ReleaseState.DRAFT]
    found += [
        views.Attention(
            "warn", f"{release.name} waits for signatures", "", f"/releases/{release.id}"
        )
        for release in drafts
    ]
    return tuple(found)


def _at_the_doors(tables: Tables, now: datetime) -> tuple[views.Attention, ...]:
    told = ((door, last_told(tables, door)) for door in (HTTPS_DOOR, MQTT_DOOR))
    return tuple(
        views.Attention(
            "warn",
            f"Certificates refused at {door.partition('/')[2]}",
            str(entry.data["detail"]),
            f"/ledger?entry={entry.index}#entry-{entry.index}",
            entry.time,
        )
        for door, entry in told
        if entry is not None and now - entry.time < QUIET
    )


def _vehicles(number: int) -> str:
    return "1 vehicle" if number == 1 else f"{number} vehicles"


def _adoption(tables: Tables) -> tuple[views.AdoptionRow, ...]:
    releases = _signed_releases(tables)
    targets = {a.hardware_id: a.version for a in releases[0].artifacts} if releases else {}
    versions = tables.vehicles.versions()
    totals: dict[str, int] = {}
    for hardware_id, _, number in versions:
        totals[hardware_id] = totals.get(hardware_id, 0) + number
    return tuple(
        views.AdoptionRow(
            type_name=hardware_id,
            version=version,
            count=number,
            total=totals[hardware_id],
            target=version == targets.get(hardware_id),  # type: ignore[call-overload]
        )
        for hardware_id, version, number in versions
        if hardware_id in targets
    )


def _vehicle_row(
    tables: Tables, vehicle: Vehicle, releases: list[Release], now: datetime
) -> views.VehicleRow:
    memberships = tables.campaigns.memberships(vehicle.key)
    offered = [member for member in memberships if member.offer]
    return views.VehicleRow(
        key=vehicle.key,
        vin=vehicle.vin,
        type_name=vehicle.type,
        state=_state(vehicle, releases, offered),
        version=_version(vehicle, releases),
        ecu_count=len(vehicle.ecus),
        certificate=_certificate(vehicle, now),
        online=now.timestamp() - vehicle.last_seen_at < _ONLINE_S,
        last_seen=moment(vehicle.last_seen_at),
        problem=explain(offered[0].code) if offered and offered[0].code else "",
    )


def _state(vehicle: Vehicle, releases: list[Release], offered: list[Member]) -> str:
    if not vehicle.ecus:
        return "unknown"
    if offered and offered[0].stage in IN_PROGRESS:
        return "updating"
    if offered and offered[0].stage in FAILED:
        return "failed"
    return "current" if not releases or _runs(releases[0], vehicle.ecus) else "behind"


def _version(vehicle: Vehicle, releases: list[Release]) -> str:
    running = next((r for r in releases if vehicle.ecus and _runs(r, vehicle.ecus)), None)
    return f"{running.name} {running.version}" if running else "no known release"


def _runs(release: Release, ecus: tuple[EcuState, ...]) -> bool:
    """Whether every ECU that the release is for runs its image."""
    wanted = {artifact.hardware_id for artifact in release.artifacts}
    if wanted.isdisjoint(ecu.hardware_id for ecu in ecus):
        return False
    try:
        return not ecu_targets(release, ecus, {})
    except NewerInstalledError:
        return False


def _ecu_rows(
    tables: Tables, vehicle: Vehicle, memberships: list[Member]
) -> tuple[views.EcuRow, ...]:
    latest = memberships[0] if memberships else None
    campaign = tables.campaigns.get(latest.campaign_id) if latest else None
    release = tables.releases.get(campaign.release_id) if campaign else None
    wanted = {a.hardware_id: a for a in release.artifacts} if release else {}
    rows = []
    for ecu in vehicle.ecus:
        artifact = wanted.get(ecu.hardware_id)
        behind = artifact is not None and artifact.sha256 != ecu.sha256
        failed = behind and latest is not None and latest.ecu == ecu.serial and bool(latest.code)
        rows.append(
            views.EcuRow(
                serial=ecu.serial,
                hardware_id=ecu.hardware_id,
                domain=ecu.domain.value,
                address=ecu.address,
                slot=ecu.running if ecu.slots.value == "ab" else "",
                version=ecu.version,
                target_version=artifact.version if artifact else "",
                state=_ecu_state(latest, behind=behind, failed=failed),
                sha256=ecu.sha256,
                percent=_ecu_percent(latest, ecu) if behind else 100,
                reason=latest.detail if failed and latest else "",
                slot_size_bytes=ecu.slot_size_bytes or None,
            )
        )
    return tuple(rows)


def _ecu_state(latest: Member | None, *, behind: bool, failed: bool) -> str:
    if not behind or latest is None:
        return "current"
    return "failed" if failed else _ECU_STATES.get(latest.stage, "behind")


def _ecu_percent(latest: Member | None, ecu: EcuState) -> int:
    return latest.percent if latest and latest.ecu == ecu.serial else 0


def _installation(tables: Tables, member: Member, now: datetime) -> views.InstallationRow:
    campaign = tables.campaigns.get(member.campaign_id)
    release = tables.releases.get(campaign.release_id) if campaign else None
    return views.InstallationRow(
        campaign_id=member.campaign_id,
        campaign_name=campaign.name if campaign else member.campaign_id,
        release_id=release.id if release else "",
        release_name=f"{release.name} {release.version}" if release else "",
        attempt=1,
        result=member.stage.value,
        started=moment(member.offered_at),
        duration_s=(member.ended_at or now.timestamp()) - member.offered_at,
        delta_bytes=member.received_bytes or member.delta_bytes,
        code=member.code,
        reason=member.detail,
    )


def _problems(tables: Tables, key: VehicleKey) -> tuple[views.TrustProblem, ...]:
    rows = []
    for stored in tables.ledger.entries(subject=f"vehicle/{key}", limit=100):
        entry = parse_entry(stored.data)
        if entry.type in _REFUSALS:
            code = str(entry.data.get("code", ""))
            rows.append(views.TrustProblem(entry.time, code, sentence(entry), entry=entry.index))
    return tuple(rows)


def _certificate(vehicle: Vehicle, now: datetime) -> str:
    if vehicle.revoked_at:
        return "revoked"
    left = _expires(vehicle) - now
    if left <= timedelta(0):
        return "expired"
    return "expiring" if left < _EXPIRING else "valid"


def _expires(vehicle: Vehicle) -> datetime:
    return datetime.fromtimestamp(vehicle.enrolled_at, UTC) + CERTIFICATE_LIFE


def _signed_releases(tables: Tables) -> list[Release]:
    return [r for r in tables.releases.page(limit=20) if r.state is ReleaseState.SIGNED]
