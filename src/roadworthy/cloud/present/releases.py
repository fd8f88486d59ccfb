"""Releases and the ledger as the pages show them."""

from datetime import datetime

from roadworthy.cloud.api.schemas import moment
from roadworthy.cloud.authority import Authority
from roadworthy.cloud.deltas import Route, RouteState, deltas_to, fleet_saving, routes
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.present.campaigns import campaign_row
from roadworthy.cloud.present.entries import ledger_row
from roadworthy.cloud.present.paging import paging
from roadworthy.cloud.present.savings import saving_figure
from roadworthy.cloud.price import Price
from roadworthy.cloud.records import tree_head
from roadworthy.cloud.releases import release_or_error, signature_keys, threshold
from roadworthy.cloud.web import views
from roadworthy.compliance.ledger import parse_entry
from roadworthy.updates.release import Artifact, Delta, Release

__all__ = ["ledger_view", "release_list", "release_view"]

ROWS = 25
_ROUTES = 50


def release_list(tables: Tables, authority: Authority, *, page: int = 1) -> views.ReleaseListView:
    """Return the list of releases, newest first."""
    everything = tables.releases.page(limit=1000)
    shown = paging(len(everything), page, ROWS)
    start = (shown.page - 1) * ROWS
    rows = tuple(_row(tables, authority, item) for item in everything[start : start + ROWS])
    return views.ReleaseListView(rows=rows, paging=shown)


def release_view(
    tables: Tables, authority: Authority, release_id: str, *, price: Price | None
) -> views.ReleaseView:
    """Return one release: its images, who signed it, where it went, what it takes to go there.

    Raises:
        NotFoundError: no such release.
    """
    release = release_or_error(tables, release_id)
    signed = moment(release.signed_at)
    campaigns = [c for c in tables.campaigns.page(limit=100) if c.release_id == release_id]
    found = routes(tables, release)
    return views.ReleaseView(
        id=release.id,
        name=f"{release.name} {release.version}",
        state=release.state.value,
        notes=release.notes,
        created=moment(release.created_at),
        created_by=release.created_by,
        threshold=threshold(authority),
        artifacts=tuple(_artifact(artifact) for artifact in release.artifacts),
        signatures=tuple(
            views.SignatureRow("image targets", keyid, "offline key", valid=True, signed=signed)
            for keyid in signature_keys(release)
        ),
        campaigns=tuple(campaign_row(tables, campaign) for campaign in campaigns),
        deployed=_deployed(tables, release),
        routes=tuple(_route(route) for route in found[:_ROUTES]),
        routes_more=len(found[_ROUTES:]),
        saving=saving_figure(fleet_saving(found, price)) if found else None,
    )


def ledger_view(
    tables: Tables,
    authority: Authority,
    *,
    page: int = 1,
    entry: int | None = None,
    now: datetime,
) -> views.LedgerView:
    """Return the ledger's head and one page of entries, newest first.

    With `entry`, the page that holds it.
    """
    size = tables.ledger.size()
    if entry is not None:
        page = (size - 1 - entry) // ROWS + 1
    shown = paging(size, page, ROWS)
    before = size - (shown.page - 1) * ROWS
    found = tables.ledger.entries(before=before, limit=ROWS)
    head = tree_head(tables.ledger, authority, now=now)
    return views.LedgerView(
        size=size,
        root_hash=head.root.hex(),
        rows=tuple(ledger_row(parse_entry(item.data), item.data) for item in found),
        paging=shown,
        head_at=now,
    )


def _row(tables: Tables, authority: Authority, release: Release) -> views.ReleaseRow:
    deltas = _best_deltas(tables, release)
    sizes = [
        deltas[a.sha256].length_bytes if a.sha256 in deltas else a.length_bytes
        for a in release.artifacts
    ]
    return views.ReleaseRow(
        id=release.id,
        name=f"{release.name} {release.version}",
        state=release.state.value,
        artifacts=len(release.artifacts),
        types=tuple(a.hardware_id for a in release.artifacts),
        full_bytes=sum(a.length_bytes for a in release.artifacts),
        delta_bytes=sum(sizes) if deltas else None,
        signed=len(signature_keys(release)),
        threshold=threshold(authority),
        deployed=sum(row.count for row in _deployed(tables, release)),
        created=moment(release.created_at),
    )


def _artifact(artifact: Artifact) -> views.ArtifactRow:
    return views.ArtifactRow(
        name=artifact.name,
        hardware_id=artifact.hardware_id,
        version=artifact.version,
        sha256=artifact.sha256,
        full_bytes=artifact.length_bytes,
    )


def _route(route: Route) -> views.RouteRow:
    is_unknown = route.state is RouteState.UNKNOWN
    return views.RouteRow(
        hardware_id=route.artifact.hardware_id,
        base_version=route.version,
        base_sha256=route.base,
        version=route.artifact.version,
        vehicles=route.vehicles,
        full_bytes=route.artifact.length_bytes,
        sent_bytes=route.sent_bytes,
        state="base-unknown" if is_unknown else route.state.value,
    )


def _best_deltas(tables: Tables, release: Release) -> dict[str, Delta]:
    best: dict[str, Delta] = {}
    for delta in deltas_to(tables, release).values():
        known = best.get(delta.target_sha256)
        if delta.length_bytes and (known is None or delta.length_bytes < known.length_bytes):
            best[delta.target_sha256] = delta
    return best


def _deployed(tables: Tables, release: Release) -> tuple[views.AdoptionRow, ...]:
    versions = tables.vehicles.versions()
    rows = []
    for artifact in release.artifacts:
        mine = [(v, n) for hardware, v, n in versions if hardware == artifact.hardware_id]
        running = sum(number for version, number in mine if version == artifact.version)
        total = sum(number for _, number in mine)
        if total:
            rows.append(views.AdoptionRow(artifact.hardware_id, artifact.version, running, total))
    return tuple(rows)
