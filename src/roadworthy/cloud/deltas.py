"""Which deltas a release needs, and the job that makes them before any vehicle asks.

A delta is made from every image that vehicles really run on the same kind of hardware, as
their inventories say, and that would take the release: what most vehicles run comes first. A
base that was never uploaded can't be made a delta from, and of many bases only the most common
ones get one; both are told with the number of vehicles that take the whole image for it.

A campaign does not start, nor its next wave, while a delta is missing: thousands of vehicles
would take the full image. A delta is named by its two images, so it is made once, whichever
releases share them, and a server that dies on the way makes only those that are not stored.
Those that an older version of the server made in another format are made again.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from roadworthy.base.errors import NotFoundError, StoreError
from roadworthy.base.ids import Sha256
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.price import Price, Saving, make_saving
from roadworthy.delta import PATCH_FORMAT
from roadworthy.fleet.ports import Running
from roadworthy.updates.campaign import CampaignState
from roadworthy.updates.release import Artifact, Delta, Release

__all__ = [
    "Make",
    "Pair",
    "Route",
    "RouteState",
    "build_delta",
    "deltas_to",
    "fleet_saving",
    "missing_deltas",
    "releases_in_need",
    "routes",
]

_LOG = logging.getLogger("roadworthy.cloud")
_RELEASES_BACK = 20
_CAMPAIGNS_BACK = 50
_BASES_MAX = 16
_TRIES = 3

Make = Callable[[bytes, bytes], Awaitable[bytes]]


class Pair(NamedTuple):
    """A base image and a target image."""

    base: Sha256
    target: Sha256


class RouteState(StrEnum):
    """How vehicles with this base get the target.

    READY: by a delta. MISSING: by one that is still to be made. FULL: as the whole image, as no
    delta is smaller. UNKNOWN: as the whole image, as nobody uploaded the base. LEFT_OUT: as the
    whole image, as too many other bases are more common.
    """

    READY = "ready"
    MISSING = "missing"
    FULL = "full"
    UNKNOWN = "unknown"
    LEFT_OUT = "left-out"


@dataclass(frozen=True, slots=True)
class Route:
    """From an image that vehicles run to the one that a release has for them.

    version: what the vehicles call the base. vehicles: how many run it.
    sent_bytes: what one of them has to download for it; None while that is not known.
    """

    artifact: Artifact
    base: Sha256
    version: str
    vehicles: int
    state: RouteState
    sent_bytes: int | None

    @property
    def pair(self) -> Pair:
        """The two images."""
        return Pair(self.base, self.artifact.sha256)


def routes(tables: Tables, release: Release) -> list[Route]:
    """Return every way from what the fleet runs to the release, most vehicles first."""
    artifacts = {artifact.hardware_id: artifact for artifact in release.artifacts}
    running = [
        one
        for one in tables.vehicles.running(list(artifacts))
        if one.sha256 != artifacts[one.hardware_id].sha256
        and one.release_counter <= artifacts[one.hardware_id].release_counter
    ]
    deltas = deltas_to(tables, release)
    images = tables.releases.images([one.sha256 for one in running])
    taken = dict.fromkeys(artifacts, 0)
    found = []
    for one in _by_image(running):
        artifact = artifacts[one.hardware_id]
        route = _route(one, artifact, deltas, is_known=one.sha256 in images)
        if route.state is RouteState.MISSING and taken[one.hardware_id] >= _BASES_MAX:
            left_out = RouteState.LEFT_OUT
            route = replace(route, state=left_out, sent_bytes=artifact.length_bytes)
        taken[one.hardware_id] += route.state is not RouteState.UNKNOWN
        found.append(route)
    return found


def deltas_to(tables: Tables, release: Release) -> dict[tuple[Sha256, Sha256], Delta]:
    """Return the deltas to a release's images that vehicles can read, by base and target hash."""
    stored = tables.releases.deltas([artifact.sha256 for artifact in release.artifacts])
    return {place: one for place, one in stored.items() if one.format == PATCH_FORMAT}


def missing_deltas(tables: Tables, release: Release) -> list[Pair]:
    """Return the pairs of images for which no delta was tried yet, the most needed first."""
    found = routes(tables, release)
    return list(dict.fromkeys(one.pair for one in found if one.state is RouteState.MISSING))


def fleet_saving(found: Iterable[Route], price: Price | None) -> Saving:
    """Return what it takes to bring a release to all vehicles that a route is known for."""
    known = [(one.vehicles, one.sent_bytes, one) for one in found if one.sent_bytes is not None]
    return make_saving(
        sum(vehicles * sent_bytes for vehicles, sent_bytes, _ in known),
        sum(vehicles * one.artifact.length_bytes for vehicles, _, one in known),
        price,
    )


def releases_in_need(tables: Tables) -> Iterator[Release]:
    """Yield each release that a campaign is for or could soon be for: those of campaigns first."""
    over = {CampaignState.FINISHED, CampaignState.ABORTED}
    planned = [
        campaign.release_id
        for campaign in tables.campaigns.page(limit=_CAMPAIGNS_BACK)
        if campaign.state not in over
    ]
    live = [tables.campaigns.get(campaign_id) for campaign_id in tables.campaigns.live()]
    newest = [release.id for release in tables.releases.page(limit=_RELEASES_BACK)]
    wanted = [campaign.release_id for campaign in live if campaign] + planned + newest
    for release_id in dict.fromkeys(wanted):
        release = tables.releases.get(release_id)
        if release is not None:
            yield release


async def build_delta(desk: Desk, pair: Pair, make: Make) -> Delta:
    """Make one delta and store it; a patch that saves nothing is noted as such.

    So is one whose base is lost, and one that the codec failed to make several times, for
    example because its process ran out of memory: vehicles then take the whole image, which is
    better than no campaign.

    Args:
        desk: the server.
        pair: the images.
        make: the codec, from base and target; it may take minutes, the caller says where.
    """
    target = await _whole(desk, pair.target)
    patch = await _made(make, await _base(desk, pair.base), target)
    useful = patch is not None and len(patch) < len(target)
    delta = Delta(
        base_sha256=pair.base,
        target_sha256=pair.target,
        sha256=await desk.artifacts.put(_once(patch)) if patch and useful else pair.target,
        length_bytes=len(patch) if patch and useful else 0,
        format=PATCH_FORMAT,
    )
    await desk.write(lambda tables: tables.releases.put_delta(delta))
    return delta


def _by_image(running: list[Running]) -> list[Running]:
    """Merge rows of one image that go by several versions under the most common one."""
    merged: dict[tuple[str, Sha256], Running] = {}
    for one in running:
        known = merged.get((one.hardware_id, one.sha256))
        merged[one.hardware_id, one.sha256] = (
            one._replace(version=known.version, vehicles=known.vehicles + one.vehicles)
            if known
            else one
        )
    return sorted(merged.values(), key=lambda one: -one.vehicles)


def _route(
    one: Running,
    artifact: Artifact,
    deltas: Mapping[tuple[Sha256, Sha256], Delta],
    *,
    is_known: bool,
) -> Route:
    delta = deltas.get((one.sha256, artifact.sha256))
    full = artifact.length_bytes
    if delta is not None and delta.length_bytes:
        state, sent_bytes = RouteState.READY, delta.length_bytes
    elif delta is not None:
        state, sent_bytes = RouteState.FULL, full
    elif is_known:
        return Route(artifact, one.sha256, one.version, one.vehicles, RouteState.MISSING, None)
    else:
        state, sent_bytes = RouteState.UNKNOWN, full
    return Route(artifact, one.sha256, one.version, one.vehicles, state, sent_bytes)


async def _made(make: Make, base: bytes | None, target: bytes) -> bytes | None:
    if base is None:
        return None
    for turn in range(1, _TRIES + 1):
        try:
            return await make(base, target)
        except StoreError as error:
            _LOG.warning("delta failed, try %d of %d: %s", turn, _TRIES, error)
    return None


async def _base(desk: Desk, sha256: Sha256) -> bytes | None:
    try:
        return await _whole(desk, sha256)
    except NotFoundError as error:
        _LOG.warning("no delta, the base is lost: %s", error)
        return None


async def _whole(desk: Desk, sha256: Sha256) -> bytes:
    return b"".join([chunk async for chunk in desk.artifacts.open_range(sha256)])


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
