"""Which deltas a release needs, and the job that makes them before any vehicle asks.

A delta is made from every image that an earlier release put on the same kind of hardware. A
campaign does not start while one is missing: thousands of vehicles would take the full image.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from roadworthy.base.errors import StoreError
from roadworthy.base.ids import Sha256
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.ports import Tables
from roadworthy.updates.release import Delta, Release

__all__ = ["Make", "Pair", "build_delta", "missing_deltas"]

_LOG = logging.getLogger("roadworthy.cloud")
_RELEASES_BACK = 20
_TRIES = 3


class Pair(NamedTuple):
    """A base image and a target image."""

    base: Sha256
    target: Sha256


def missing_deltas(tables: Tables, release: Release) -> list[Pair]:
    """Return the pairs of images for which no delta was tried yet."""
    earlier = [
        artifact
        for other in tables.releases.page(limit=_RELEASES_BACK)
        if other.created_at < release.created_at
        for artifact in other.artifacts
    ]
    wanted = {
        Pair(base.sha256, artifact.sha256)
        for artifact in release.artifacts
        for base in earlier
        if base.hardware_id == artifact.hardware_id and base.sha256 != artifact.sha256
    }
    known = tables.releases.deltas([artifact.sha256 for artifact in release.artifacts])
    return sorted(wanted - set(known))


Make = Callable[[bytes, bytes], Awaitable[bytes]]


async def build_delta(desk: Desk, pair: Pair, make: Make) -> Delta:
    """Make one delta and store it; a patch that saves nothing is noted as such.

    So is one that the codec failed to make several times, for example because its process ran
    out of memory: vehicles then take the whole image, which is better than no campaign.

    Args:
        desk: the server.
        pair: the images.
        make: the codec, from base and target; it may take minutes, the caller says where.
    """
    base = await _whole(desk, pair.base)
    target = await _whole(desk, pair.target)
    patch = await _made(make, base, target)
    useful = patch is not None and len(patch) < len(target)
    delta = Delta(
        base_sha256=pair.base,
        target_sha256=pair.target,
        sha256=await desk.artifacts.put(_once(patch)) if patch and useful else pair.target,
        length_bytes=len(patch) if patch and useful else 0,
    )
    await desk.write(lambda tables: tables.releases.put_delta(delta))
    return delta


async def _made(make: Make, base: bytes, target: bytes) -> bytes | None:
    for turn in range(1, _TRIES + 1):
        try:
            return await make(base, target)
        except StoreError as error:
            _LOG.warning("delta failed, try %d of %d: %s", turn, _TRIES, error)
    return None


async def _whole(desk: Desk, sha256: Sha256) -> bytes:
    return b"".join([chunk async for chunk in desk.artifacts.open_range(sha256)])


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
