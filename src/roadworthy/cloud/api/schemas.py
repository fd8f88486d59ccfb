"""What the operator API takes and gives, as its OpenAPI description shows it."""

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

from roadworthy.cloud.api.route_schema import RouteOut
from roadworthy.cloud.deltas import RouteState, fleet_saving, routes
from roadworthy.cloud.ports import Account, Tables
from roadworthy.cloud.price import Price, Saving, make_saving
from roadworthy.cloud.releases import signature_keys
from roadworthy.compliance.ledger import Entry
from roadworthy.fleet.inventory import EcuState, Vehicle
from roadworthy.updates.campaign import Campaign, Member, Wave
from roadworthy.updates.gate import Gate
from roadworthy.updates.release import Artifact, Release

__all__ = [
    "AccountOut",
    "ArtifactIn",
    "CampaignIn",
    "CampaignOut",
    "EnrolIn",
    "EnrolOut",
    "EntryOut",
    "ImageOut",
    "MemberOut",
    "Page",
    "ReasonIn",
    "ReleaseIn",
    "ReleaseOut",
    "SignInOut",
    "SignatureIn",
    "TokenIn",
    "TokenOut",
    "VehicleOut",
    "WaveIn",
    "campaign_out",
    "entry_out",
    "moment",
    "release_out",
    "vehicle_out",
]

Item = TypeVar("Item")

Name = Annotated[str, Meta(min_length=1, max_length=120)]
"""What people read; an id is what programs use."""

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Text = Annotated[str, Meta(max_length=20_000)]
Reason = Annotated[str, Meta(max_length=500)]


def moment(seconds: float) -> datetime | None:
    """Return Unix seconds as an aware time; None for 0."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """Part of a list; give `next` as `after` to get the following part."""

    items: list[Item]
    next: str | None = None


class ImageOut(msgspec.Struct, frozen=True):
    """An image that the server holds."""

    sha256: str
    length_bytes: int


class ArtifactIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An uploaded image as part of a release; order: activation order, 0 first."""

    name: str
    hardware_id: str
    version: str
    release_counter: int
    sha256: str
    order: int = 0


class ReleaseIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new release. The same id and artifacts again give the same release."""

    id: str
    name: Name
    version: Annotated[str, Meta(min_length=1, max_length=32)]
    artifacts: list[ArtifactIn]
    notes: Text = ""


class SignatureIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Ed25519 signature (hex) over the release's payload."""

    keyid: str
    sig: str


class ReleaseOut(msgspec.Struct, frozen=True):
    """A release.

    signed_by: ids of the keys that have signed.
    deltas_ready: whether every delta from what the fleet runs is made.
    routes: from what vehicles run to this release, most vehicles first.
    saving: if all of these vehicles take it, as far as their routes are known.
    """

    id: str
    name: str
    version: str
    notes: str
    state: str
    artifacts: list[Artifact]
    signed_by: list[str]
    created_at: datetime | None
    created_by: str
    signed_at: datetime | None
    deltas_ready: bool
    routes: list[RouteOut]
    saving: Saving


class WaveIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wave: a number of vehicles, or a share (0..1) of all; named vehicles come first."""

    name: Name
    size: Count = 0
    share: float = 0.0
    vehicles: list[str] = []


class CampaignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new campaign. The same one again gives the campaign as it stands."""

    id: str
    name: Name
    release_id: str
    waves: list[WaveIn]
    gate: Gate = Gate()
    vehicle_types: list[str] = []
    offers_open_max: Count = 1000


class CampaignOut(msgspec.Struct, frozen=True):
    """A campaign.

    counts: vehicles by stage.
    received_bytes: what came over the network, as the results so far say.
    offered_bytes: what the offers so far take; full_bytes: without deltas.
    saving: of the vehicles that confirmed, by what they said they received.
    """

    id: str
    name: str
    release_id: str
    state: str
    reason: str
    changed_by: str
    changed_at: datetime | None
    vehicle_types: list[str]
    waves: list[Wave]
    wave: int
    gate: Gate
    counts: dict[str, int]
    received_bytes: int
    offered_bytes: int
    full_bytes: int
    saving: Saving
    started_at: datetime | None
    ended_at: datetime | None


class MemberOut(msgspec.Struct, frozen=True):
    """One vehicle in a campaign."""

    vehicle: str
    wave: int
    stage: str
    percent: int
    code: str
    detail: str
    ecu: str
    delta_bytes: int
    full_bytes: int
    received_bytes: int
    offered_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, member: Member) -> "MemberOut":
        """Return a member as the API shows it."""
        return cls(
            vehicle=member.vehicle,
            wave=member.wave + 1,
            stage=member.stage.value,
            percent=member.percent,
            code=member.code,
            detail=member.detail,
            ecu=member.ecu,
            delta_bytes=member.delta_bytes,
            full_bytes=member.full_bytes,
            received_bytes=member.received_bytes,
            offered_at=moment(member.offered_at),
            ended_at=moment(member.ended_at),
        )


class ReasonIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, in words that stand in the ledger."""

    reason: Reason = ""


class EnrolIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vehicle to register; csr: PEM; report_key: public Ed25519 key as JSON text."""

    vin: str
    type: str
    csr: str
    report_key: str


class EnrolOut(msgspec.Struct, frozen=True):
    """A registered vehicle: its key, its certificate (PEM), and what it has to trust."""

    vehicle: str
    certificate: str
    authority: str
    director_root: str
    images_root: str


class VehicleOut(msgspec.Struct, frozen=True):
    """A vehicle and what it last reported."""

    key: str
    vin: str
    type: str
    enrolled_at: datetime | None
    revoked_at: datetime | None
    last_seen_at: datetime | None
    reported_at: datetime | None
    ecus: list[EcuState]


class EntryOut(msgspec.Struct, frozen=True):
    """An entry of the ledger."""

    index: int
    time: datetime
    type: str
    actor: str
    subject: str
    data: dict[str, object]


class TokenIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token to make; days: how long it works, 1 to 730."""

    name: str
    scopes: list[str]
    days: int = 30


class TokenOut(msgspec.Struct, frozen=True):
    """A new token; it is shown only this once."""

    token: str
    name: str
    scopes: list[str]


class SignInOut(msgspec.Struct, frozen=True):
    """Path and query of a sign-in link; it works once, for 15 minutes."""

    path: str


class AccountOut(msgspec.Struct, frozen=True):
    """A token as it is known later: by the hash of it."""

    id: str
    name: str
    scopes: list[str]
    expires_at: datetime | None

    @classmethod
    def of(cls, account: Account) -> "AccountOut":
        """Return an account as the API shows it."""
        return cls(
            id=account.token_sha256,
            name=account.name,
            scopes=list(account.scopes),
            expires_at=moment(account.expires_at),
        )


def release_out(tables: Tables, release: Release, price: Price | None) -> ReleaseOut:
    """Return a release as the API shows it."""
    found = routes(tables, release)
    return ReleaseOut(
        id=release.id,
        name=release.name,
        version=release.version,
        notes=release.notes,
        state=release.state.value,
        artifacts=list(release.artifacts),
        signed_by=list(signature_keys(release)),
        created_at=moment(release.created_at),
        created_by=release.created_by,
        signed_at=moment(release.signed_at),
        deltas_ready=all(route.state is not RouteState.MISSING for route in found),
        routes=[RouteOut.of(route) for route in found],
        saving=fleet_saving(found, price),
    )


def campaign_out(tables: Tables, campaign: Campaign, price: Price | None) -> CampaignOut:
    """Return a campaign with its counts as the API shows it."""
    counts: dict[str, int] = {}
    for stages in tables.campaigns.counts(campaign.id).values():
        for stage, number in stages.items():
            counts[stage.value] = counts.get(stage.value, 0) + number
    traffic = tables.campaigns.traffic(campaign.id)
    return CampaignOut(
        id=campaign.id,
        name=campaign.name,
        release_id=campaign.release_id,
        state=campaign.state.value,
        reason=campaign.reason,
        changed_by=campaign.changed_by,
        changed_at=moment(campaign.changed_at),
        vehicle_types=list(campaign.vehicle_types),
        waves=list(campaign.waves),
        wave=campaign.wave + 1,
        gate=campaign.gate,
        counts=counts,
        received_bytes=traffic.received_bytes,
        offered_bytes=traffic.offered_bytes,
        full_bytes=traffic.full_bytes,
        saving=make_saving(traffic.confirmed_received_bytes, traffic.confirmed_full_bytes, price),
        started_at=moment(campaign.started_at),
        ended_at=moment(campaign.ended_at),
    )


def vehicle_out(vehicle: Vehicle) -> VehicleOut:
    """Return a vehicle as the API shows it."""
    return VehicleOut(
        key=vehicle.key,
        vin=vehicle.vin,
        type=vehicle.type,
        enrolled_at=moment(vehicle.enrolled_at),
        revoked_at=moment(vehicle.revoked_at),
        last_seen_at=moment(vehicle.last_seen_at),
        reported_at=moment(vehicle.reported_at),
        ecus=list(vehicle.ecus),
    )


def entry_out(entry: Entry) -> EntryOut:
    """Return a ledger entry as the API shows it."""
    return EntryOut(
        index=entry.index,
        time=entry.time,
        type=entry.type,
        actor=entry.actor,
        subject=entry.subject,
        data=dict(entry.data),
    )
