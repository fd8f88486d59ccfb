"""What the release pages and the ledger show."""

from dataclasses import dataclass
from datetime import datetime

from roadworthy.cloud.web.views.campaigns import CampaignRow
from roadworthy.cloud.web.views.common import Paging, SavingFigure
from roadworthy.cloud.web.views.fleet import AdoptionRow

__all__ = [
    "ArtifactRow",
    "LedgerRow",
    "LedgerView",
    "ReleaseListView",
    "ReleaseRow",
    "ReleaseView",
    "RouteRow",
    "SignatureRow",
]


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release in a list. state: "draft", "signed", "deployed" or "withdrawn"."""

    id: str
    name: str
    state: str
    artifacts: int
    types: tuple[str, ...]
    full_bytes: int
    delta_bytes: int | None
    signed: int
    threshold: int
    deployed: int
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReleaseListView:
    """All releases, newest first."""

    rows: tuple[ReleaseRow, ...]
    paging: Paging


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """An image in a release."""

    name: str
    hardware_id: str
    version: str
    sha256: str
    full_bytes: int
    licence: str = ""


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """A role's signature. key_id: 64 hex digits; valid: checked by this server."""

    role: str
    key_id: str
    signer: str
    valid: bool
    signed: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class RouteRow:
    """From an image that vehicles run to the release's; sent_bytes: None while not known.

    state: "ready", "missing", "full", "base-unknown" or "left-out".
    """

    hardware_id: str
    base_version: str
    base_sha256: str
    version: str
    vehicles: int
    full_bytes: int
    sent_bytes: int | None
    state: str


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release: what is in it, who vouches for it, where it is, what it takes to bring it there.

    routes: most vehicles first; routes_more: those that are not shown.
    """

    id: str
    name: str
    state: str
    notes: str
    created: datetime | None
    created_by: str
    threshold: int
    artifacts: tuple[ArtifactRow, ...]
    signatures: tuple[SignatureRow, ...]
    campaigns: tuple[CampaignRow, ...]
    deployed: tuple[AdoptionRow, ...]
    routes: tuple[RouteRow, ...] = ()
    routes_more: int = 0
    saving: SavingFigure | None = None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """An entry. proof: whether a proof bundle can be fetched for it already."""

    index: int
    at: datetime
    kind: str
    actor: str
    subject: str
    text: str
    leaf_hash: str
    proof: bool = True


@dataclass(frozen=True, slots=True)
class LedgerView:
    """The ledger's head and one page of its entries, newest first."""

    size: int
    root_hash: str
    rows: tuple[LedgerRow, ...]
    paging: Paging
    head_at: datetime | None = None
    kind: str = ""
