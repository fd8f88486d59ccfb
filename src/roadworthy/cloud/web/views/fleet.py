"""What the overview and the vehicle pages show."""

from dataclasses import dataclass
from datetime import datetime

from roadworthy.cloud.web.views.campaigns import CampaignRow
from roadworthy.cloud.web.views.common import EventRow, Paging

__all__ = [
    "AdoptionRow",
    "Attention",
    "EcuRow",
    "FleetCounts",
    "InstallationRow",
    "OverviewView",
    "TrustProblem",
    "VehicleListView",
    "VehicleRow",
    "VehicleView",
]


@dataclass(frozen=True, slots=True)
class Attention:
    """Something a person should look at. href: the page where to act."""

    tone: str
    title: str
    text: str
    href: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """Vehicles by how they are. online: heard of in the last `online_window_s` seconds."""

    vehicles: int
    online: int
    current: int
    updating: int
    failed: int
    revoked: int
    ecus: int
    online_window_s: int = 60


@dataclass(frozen=True, slots=True)
class AdoptionRow:
    """How many vehicles of a type run a release's software set."""

    type_name: str
    version: str
    count: int
    total: int
    target: bool = False


@dataclass(frozen=True, slots=True)
class OverviewView:
    """The first page: what needs a person, what runs, how the fleet is."""

    attention: tuple[Attention, ...]
    running: tuple[CampaignRow, ...]
    fleet: FleetCounts
    adoption: tuple[AdoptionRow, ...]
    events: tuple[EventRow, ...]


@dataclass(frozen=True, slots=True)
class VehicleRow:
    """A vehicle in the fleet list.

    state: "current", "updating", "behind", "failed" or "unknown".
    certificate: "valid", "expiring", "expired" or "revoked".
    """

    key: str
    vin: str
    type_name: str
    state: str
    version: str
    ecu_count: int
    certificate: str
    online: bool
    last_seen: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class VehicleListView:
    """The vehicles that match a filter. counts: by state, before the filter."""

    rows: tuple[VehicleRow, ...]
    counts: tuple[tuple[str, int], ...]
    paging: Paging
    state: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class EcuRow:
    """A control unit as it last reported itself.

    slot: the running one, "A" or "B"; "" for a unit with one slot. slot_size_bytes: the largest
    image that a slot can hold; None when the unit does not say. state: "current", "behind",
    "downloading", "installing", "activating", "failed", "rolled-back" or "unknown".
    """

    serial: str
    hardware_id: str
    domain: str
    address: int
    slot: str
    version: str
    target_version: str
    state: str
    sha256: str
    percent: int = 0
    reason: str = ""
    slot_size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class InstallationRow:
    """One attempt to install a release. result: a stage, "failed", "silent" or "rolled-back"."""

    campaign_id: str
    campaign_name: str
    release_id: str
    release_name: str
    attempt: int
    result: str
    started: datetime | None
    duration_s: float | None = None
    delta_bytes: int | None = None
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TrustProblem:
    """Something that a check refused, e.g. a tampered artifact."""

    at: datetime
    code: str
    text: str
    ecu: str = ""
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class VehicleView:
    """One vehicle: what runs in it, what should, what happened."""

    vin: str
    key: str
    type_name: str
    state: str
    version: str
    online: bool
    last_seen: datetime | None
    certificate: str
    certificate_expires: datetime | None
    ecus: tuple[EcuRow, ...]
    installations: tuple[InstallationRow, ...]
    problems: tuple[TrustProblem, ...]
    events: tuple[EventRow, ...] = ()
