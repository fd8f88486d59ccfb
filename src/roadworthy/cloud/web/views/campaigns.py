"""What the campaign pages show."""

from dataclasses import dataclass
from datetime import datetime

from roadworthy.cloud.web.views.common import EventRow, Paging, SavingFigure, VehicleRef

__all__ = [
    "STAGES",
    "BurnSample",
    "CampaignListView",
    "CampaignRow",
    "CampaignView",
    "FailureReason",
    "FunnelStage",
    "VehicleTableRow",
    "VehicleTableView",
    "WaveRow",
]

STAGES = ("queued", "offered", "downloaded", "verified", "installed", "activated", "confirmed")
"""The stages of an installation in order; a vehicle that reached one has reached those before."""


@dataclass(frozen=True, slots=True)
class FunnelStage:
    """How many vehicles got at least as far as `name` (one of `STAGES`)."""

    name: str
    reached: int


@dataclass(frozen=True, slots=True)
class BurnSample:
    """Counts of a campaign at `at_s` seconds after its start."""

    at_s: float
    confirmed: int
    failed: int
    in_progress: int


@dataclass(frozen=True, slots=True)
class WaveRow:
    """One wave. `gate`: its condition in words; `verdict`: what the gate says now, in words.

    state: "waiting", "running", "soaking", "passed", "held" or "stopped".
    """

    number: int
    name: str
    size: int
    state: str
    gate: str
    verdict: str
    confirmed: int = 0
    failed: int = 0
    silent: int = 0
    in_progress: int = 0
    started: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Vehicles that failed with the same code, and some of them as examples."""

    code: str
    text: str
    count: int
    examples: tuple[VehicleRef, ...] = ()


@dataclass(frozen=True, slots=True)
class VehicleTableRow:
    """One vehicle in a campaign.

    stage: one of `STAGES` (the last one reached), or "failed", "silent", "withdrawn".
    percent: progress of the whole installation, 0..100. ecu: the one being worked on, or "".
    delta_bytes: what travelled or will travel; full_bytes: what it would be without deltas.
    code, reason: why it failed, in the agent's code and in plain words; else "".
    """

    key: str
    vin: str
    type_name: str
    wave: int
    stage: str
    percent: int
    ecu: str = ""
    attempts: int = 0
    delta_bytes: int | None = None
    full_bytes: int | None = None
    code: str = ""
    reason: str = ""
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class VehicleTableView:
    """The vehicles of a campaign that match a filter; also a fragment of its own.

    stage, text: the filter; "" means all. counts: vehicles by stage before the filter.
    """

    campaign_id: str
    rows: tuple[VehicleTableRow, ...]
    paging: Paging
    counts: tuple[tuple[str, int], ...]
    stage: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign with all that an operator needs to decide about it.

    state: "draft", "running", "paused", "finished" or "aborted".
    reason, changed_by, changed: of the last change of state.
    sent_bytes: what vehicles said they received. saving: of those that confirmed.
    actions: those allowed now, of "start", "pause", "resume", "abort".
    """

    id: str
    name: str
    release_id: str
    release_name: str
    state: str
    reason: str
    changed_by: str
    changed: datetime | None
    created_by: str
    started: datetime | None
    ended: datetime | None
    total: int
    funnel: tuple[FunnelStage, ...]
    failed: int
    silent: int
    withdrawn: int
    failure_share_max: float
    burn: tuple[BurnSample, ...]
    waves: tuple[WaveRow, ...]
    failures: tuple[FailureReason, ...]
    vehicles: VehicleTableView
    events: tuple[EventRow, ...]
    actions: tuple[str, ...] = ()
    sent_bytes: int | None = None
    saving: SavingFigure | None = None

    @property
    def confirmed(self) -> int:
        """Vehicles that confirmed the new software."""
        return next((stage.reached for stage in self.funnel if stage.name == "confirmed"), 0)

    @property
    def in_progress(self) -> int:
        """Vehicles that got an offer and have not ended."""
        offered = next((stage.reached for stage in self.funnel if stage.name == "offered"), 0)
        return max(0, offered - self.confirmed - self.failed - self.silent)


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign in a list. wave: the running one, 0 before the first; trend: confirmed so far."""

    id: str
    name: str
    release_id: str
    release_name: str
    state: str
    reason: str
    wave: int
    wave_count: int
    total: int
    confirmed: int
    failed: int
    silent: int
    in_progress: int
    failure_share_max: float
    created_by: str
    started: datetime | None = None
    ended: datetime | None = None
    trend: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignListView:
    """All campaigns, or those in `state` when it is not empty."""

    rows: tuple[CampaignRow, ...]
    counts: tuple[tuple[str, int], ...]
    paging: Paging
    state: str = ""
