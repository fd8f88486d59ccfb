"""What each page shows, as plain data: the side fills these, the renderer draws them.

A view holds facts, never markup and never addresses that follow from an id. Times are aware
UTC datetimes, durations seconds, sizes bytes, shares 0..1. States and stages are the words of
the cores as strings; `marks` lists the known ones with icon and colour, and an unknown word
is drawn as it is, in grey. Absent facts are None, never a made-up number.
"""

from roadworthy.cloud.web.views.campaigns import (
    STAGES,
    BurnSample,
    CampaignListView,
    CampaignRow,
    CampaignView,
    FailureReason,
    FunnelStage,
    VehicleTableRow,
    VehicleTableView,
    WaveRow,
)
from roadworthy.cloud.web.views.common import (
    EventRow,
    Frame,
    Paging,
    ProblemView,
    SavingFigure,
    SignInView,
    VehicleRef,
)
from roadworthy.cloud.web.views.fleet import (
    AdoptionRow,
    Attention,
    EcuRow,
    FleetCounts,
    InstallationRow,
    OverviewView,
    TrustProblem,
    VehicleListView,
    VehicleRow,
    VehicleView,
)
from roadworthy.cloud.web.views.releases import (
    ArtifactRow,
    LedgerRow,
    LedgerView,
    ReleaseListView,
    ReleaseRow,
    ReleaseView,
    RouteRow,
    SignatureRow,
)

__all__ = [
    "STAGES",
    "AdoptionRow",
    "ArtifactRow",
    "Attention",
    "BurnSample",
    "CampaignListView",
    "CampaignRow",
    "CampaignView",
    "EcuRow",
    "EventRow",
    "FailureReason",
    "FleetCounts",
    "Frame",
    "FunnelStage",
    "InstallationRow",
    "LedgerRow",
    "LedgerView",
    "OverviewView",
    "Paging",
    "ProblemView",
    "ReleaseListView",
    "ReleaseRow",
    "ReleaseView",
    "RouteRow",
    "SavingFigure",
    "SignInView",
    "SignatureRow",
    "TrustProblem",
    "VehicleListView",
    "VehicleRef",
    "VehicleRow",
    "VehicleTableRow",
    "VehicleTableView",
    "VehicleView",
    "View",
    "WaveRow",
]

View = (
    OverviewView
    | CampaignListView
    | CampaignView
    | VehicleListView
    | VehicleView
    | ReleaseListView
    | ReleaseView
    | LedgerView
    | SignInView
    | ProblemView
)
"""Everything `Renderer.page` can draw."""
