"""Takes in what vehicles report: checks it, folds it, answers it.

The answer goes back to the vehicle only after the write is durable; until then the vehicle
keeps the report. A report that can't be accepted is answered too, with the reason, and
stands in the ledger, so that neither side waits for ever and nobody can deny it was sent; many
in a short time are counted there (`cloud.quota`).
"""

from datetime import datetime
from typing import Any

import msgspec

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import AccessError, InputError, NotFoundError, RoadworthyError
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.quota import record_of_vehicle
from roadworthy.cloud.records import record
from roadworthy.compliance.ledger import parse_entry
from roadworthy.fleet.inventory import EcuState, Vehicle
from roadworthy.trust.envelope import unseal
from roadworthy.trust.errors import ForeignOfferError
from roadworthy.trust.keys import key_from_json
from roadworthy.updates.campaign import Member
from roadworthy.updates.forgiveness import recovered
from roadworthy.updates.gate import FAILED, IN_PROGRESS, MemberStage
from roadworthy.updates.release import NewerInstalledError, Release, ecu_targets
from roadworthy.updates.reports import (
    REPORT_BYTES_MAX,
    Inventory,
    Outcome,
    Progress,
    Refusal,
    Report,
    Result,
    parse_report,
)

__all__ = ["accept", "refuse"]

_FINAL = frozenset({MemberStage.CONFIRMED, MemberStage.FAILED, MemberStage.ROLLED_BACK})
_STAGE_OF_OUTCOME = {
    Outcome.CONFIRMED: MemberStage.CONFIRMED,
    Outcome.FAILED: MemberStage.FAILED,
    Outcome.ROLLED_BACK: MemberStage.ROLLED_BACK,
}
_RANK = {stage: rank for rank, stage in enumerate(IN_PROGRESS)}
_LATE_ENTRIES = 100


def accept(
    tables: Tables, vehicle_key: VehicleKey, payload: bytes, *, now: datetime
) -> dict[str, Any]:
    """Take in one report and return the acknowledgement for the vehicle.

    Args:
        tables: of the write.
        vehicle_key: who sent it, as the broker authenticated the connection.
        payload: the sealed report.
        now: when it came in.

    Raises:
        InputError, TrustError: it can't be accepted; `refuse` records and answers that.
    """
    vehicle = tables.vehicles.get(vehicle_key)
    if vehicle is None or vehicle.revoked_at:
        raise AccessError("is not a registered vehicle", value=vehicle_key)
    report = _open(vehicle, payload)
    _apply(tables, vehicle, report, now)
    return {"type": "ack", "sequence": report.sequence}


def refuse(
    tables: Tables,
    vehicle_key: VehicleKey,
    payload: bytes,
    error: RoadworthyError,
    *,
    now: datetime,
) -> dict[str, Any]:
    """Record that a report was not accepted and return the answer for the vehicle."""
    record_of_vehicle(
        tables,
        "report-refused",
        vehicle_key,
        data={
            "code": error.code,
            "detail": str(error)[:500],
            "payload_sha256": sha256_hex(payload),
        },
        now=now,
    )
    return {
        "type": "refused",
        "sequence": _claimed_sequence(payload),
        "code": error.code,
        "detail": str(error)[:500],
    }


def _open(vehicle: Vehicle, payload: bytes) -> Report:
    if len(payload) > REPORT_BYTES_MAX:
        raise InputError(f"has {len(payload)} bytes", value="report", todo="send less at once")
    body = unseal(payload, key_from_json(vehicle.report_key.encode()))
    report = parse_report(body)
    if report.vehicle != vehicle.key:
        raise ForeignOfferError("is about another vehicle", value="report.vehicle")
    return report


def _apply(tables: Tables, vehicle: Vehicle, report: Report, now: datetime) -> None:
    fresh = report.sequence > vehicle.sequence
    seen = msgspec.structs.replace(
        vehicle,
        last_seen_at=now.timestamp(),
        sequence=max(vehicle.sequence, report.sequence),
    )
    if fresh and isinstance(report, Inventory | Result):
        seen = msgspec.structs.replace(seen, ecus=report.ecus, reported_at=now.timestamp())
    tables.vehicles.put(seen)
    match report:
        case Progress():
            _progress(tables, report, now, fresh=fresh)
        case Result():
            _result(tables, vehicle, report, now)
        case Refusal() if fresh or not _has_recorded(tables, report):
            _refusal(tables, report, now)
        case Inventory() if fresh and _set_of(vehicle.ecus) != _set_of(report.ecus):
            _inventory(tables, report, now)


def _progress(tables: Tables, report: Progress, now: datetime, *, fresh: bool) -> None:
    member = _member(tables, report.vehicle, report.offer)
    stage = MemberStage(report.stage.value)
    if not fresh or member.stage not in _RANK or _RANK[stage] < _RANK[member.stage]:
        return
    reached = member.percent if stage is member.stage else 0
    tables.campaigns.put_member(
        msgspec.structs.replace(
            member,
            stage=stage,
            percent=max(reached, report.percent),
            ecu=report.ecu,
            reported_at=now.timestamp(),
        )
    )


def _result(tables: Tables, vehicle: Vehicle, report: Result, now: datetime) -> None:
    member = _member(tables, report.vehicle, report.offer)
    if member.stage in _FINAL:
        return
    stage, code, detail = _truth(tables, member, vehicle, report)
    if member.stage is MemberStage.WITHDRAWN and stage is MemberStage.FAILED:
        stage = MemberStage.WITHDRAWN
    tables.campaigns.put_member(
        msgspec.structs.replace(
            member,
            stage=stage,
            percent=100 if stage is MemberStage.CONFIRMED else member.percent,
            ecu=report.ecu,
            code=code,
            detail=detail,
            received_bytes=report.received_bytes,
            reported_at=now.timestamp(),
            ended_at=now.timestamp(),
        )
    )
    if member.stage in FAILED and stage not in FAILED:
        _recovered(tables, member)
    record(
        tables,
        "result",
        actor=f"vehicle/{report.vehicle}",
        subjects=(f"vehicle/{report.vehicle}", f"campaign/{member.campaign_id}"),
        data={
            "offer": report.offer,
            "outcome": stage.value,
            "code": code,
            "detail": detail,
            "ecu": report.ecu,
            "ecus": _set_of(report.ecus),
        },
        now=now,
    )


def _recovered(tables: Tables, member: Member) -> None:
    campaign = tables.campaigns.get(member.campaign_id)
    if campaign is not None:
        tables.campaigns.put(recovered(campaign, member.wave, failed_at=member.ended_at))


def _truth(
    tables: Tables, member: Member, vehicle: Vehicle, report: Result
) -> tuple[MemberStage, str, str]:
    """A vehicle counts as confirmed only if what it says it runs is what it was offered."""
    stage = _STAGE_OF_OUTCOME[report.outcome]
    campaign = tables.campaigns.get(member.campaign_id)
    release = tables.releases.get(campaign.release_id) if campaign else None
    if stage is not MemberStage.CONFIRMED or release is None:
        return stage, report.code, report.detail
    missing = [ecu.serial for ecu in report.ecus if not _runs(release, ecu)]
    missing += [ecu.serial for ecu in report.ecus if ecu.trial]
    gone = {ecu.serial for ecu in vehicle.ecus} - {ecu.serial for ecu in report.ecus}
    if missing or gone:
        detail = f"says confirmed, but {', '.join(sorted({*missing, *gone}))} runs something else"
        return MemberStage.FAILED, "inventory-mismatch", detail
    return stage, report.code, report.detail


def _runs(release: Release, ecu: EcuState) -> bool:
    """Say whether an ECU runs its image of the release, or the release has none for it."""
    try:
        return not ecu_targets(release, (ecu,), {})
    except NewerInstalledError:
        return False


def _has_recorded(tables: Tables, report: Refusal) -> bool:
    """Say whether a refusal with an old number was taken in, or overtaken on its way here."""
    for stored in tables.ledger.entries(subject=f"vehicle/{report.vehicle}", limit=_LATE_ENTRIES):
        entry = parse_entry(stored.data)
        if entry.type == "refusal" and entry.data.get("sequence") == report.sequence:
            return True
    return False


def _refusal(tables: Tables, report: Refusal, now: datetime) -> None:
    member = tables.campaigns.open_member(report.vehicle)
    record_of_vehicle(
        tables,
        "refusal",
        report.vehicle,
        subjects=(f"campaign/{member.campaign_id}",) if member is not None else (),
        data={
            "offer": report.offer,
            "code": report.code,
            "detail": report.detail,
            "sequence": report.sequence,
        },
        now=now,
    )


def _inventory(tables: Tables, report: Inventory, now: datetime) -> None:
    record_of_vehicle(
        tables,
        "inventory-changed",
        report.vehicle,
        data={"ecus": _set_of(report.ecus)},
        now=now,
    )


def _member(tables: Tables, vehicle: VehicleKey, offer: str) -> Member:
    member = tables.campaigns.member_of_offer(offer)
    if member is None or member.vehicle != vehicle:
        raise NotFoundError("names no offer of this vehicle", value="report.offer")
    return member


def _set_of(ecus: tuple[EcuState, ...]) -> dict[str, str]:
    return {ecu.serial: ecu.sha256 for ecu in ecus}


def _claimed_sequence(payload: bytes) -> int:
    """What number the sender gave it, unchecked, so that it can stop sending it."""
    try:
        claimed = msgspec.json.decode(payload[:REPORT_BYTES_MAX])["signed"]["sequence"]
    except (msgspec.DecodeError, TypeError, LookupError, UnicodeDecodeError, RecursionError):
        return 0
    return claimed if type(claimed) is int and 0 <= claimed < 1 << 53 else 0
