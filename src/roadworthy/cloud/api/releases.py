"""`/api/v1/releases`: draft, fetch what is to be signed, hand in signatures."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from roadworthy.base.ids import parse_hardware_id, parse_sha256
from roadworthy.cloud.api.guards import account_of
from roadworthy.cloud.api.inject import GivenDesk
from roadworthy.cloud.api.paging import next_cursor, offset_of
from roadworthy.cloud.api.schemas import (
    ArtifactIn,
    Page,
    ReleaseIn,
    ReleaseOut,
    SignatureIn,
    release_out,
)
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.names import check_id
from roadworthy.cloud.releases import (
    add_release_signature,
    candidate_payload,
    draft_release,
    release_or_error,
)
from roadworthy.trust.tuf import Signature
from roadworthy.updates.release import Artifact, Release, ReleaseState

__all__ = ["releases"]


@post("/", opt={"scope": "releases"})
async def draft(
    desk: GivenDesk, request: Request[Any, Any, Any], data: JSONBody[ReleaseIn]
) -> ReleaseOut:
    """Draft a release of images that were uploaded before."""
    now = desk.now()
    release = Release(
        id=check_id(data.id, "id"),
        name=data.name,
        version=data.version,
        notes=data.notes,
        artifacts=tuple([await _artifact(desk, item) for item in data.artifacts]),
        state=ReleaseState.DRAFT,
        created_at=now.timestamp(),
        created_by=account_of(request).name,
    )
    drafted = await desk.write(lambda tables: draft_release(tables, release, now=now))
    return release_out(desk.tables(), drafted, desk.price)


@get("/")
async def list_all(
    desk: GivenDesk, after: FromQuery[str | None] = None, limit: FromQuery[int] = 50
) -> Page[ReleaseOut]:
    """List releases, newest first."""
    offset = offset_of(after, limit)
    tables = desk.tables()
    found = tables.releases.page(offset=offset, limit=limit)
    items = [release_out(tables, item, desk.price) for item in found]
    return Page(items, next_cursor(offset, limit, len(found)))


@get("/{release_id:str}")
async def show(desk: GivenDesk, release_id: FromPath[str]) -> ReleaseOut:
    """Return a release."""
    tables = desk.tables()
    return release_out(tables, release_or_error(tables, release_id), desk.price)


@get("/{release_id:str}/payload", opt={"scope": "releases"}, media_type="application/octet-stream")
async def payload(desk: GivenDesk, release_id: FromPath[str]) -> Response[bytes]:
    """Return the bytes that the offline key holders sign."""
    now = desk.now()
    found = await desk.write(lambda tables: candidate_payload(tables, release_id, now=now))
    return Response(found, media_type="application/octet-stream")


@post("/{release_id:str}/signatures", opt={"scope": "releases"}, status_code=200)
async def add_signature(
    desk: GivenDesk,
    request: Request[Any, Any, Any],
    release_id: FromPath[str],
    data: JSONBody[SignatureIn],
) -> ReleaseOut:
    """Hand in one signature; the last one that is needed puts the release in force."""
    now, actor = desk.now(), account_of(request).name
    signature = Signature(data.keyid, data.sig)
    release = await desk.write(
        lambda tables: add_release_signature(
            tables, desk.authority, release_id, signature, actor=actor, now=now
        )
    )
    return release_out(desk.tables(), release, desk.price)


async def _artifact(desk: Desk, item: ArtifactIn) -> Artifact:
    sha256 = parse_sha256(item.sha256)
    return Artifact(
        name=item.name,
        hardware_id=parse_hardware_id(item.hardware_id),
        version=item.version,
        release_counter=item.release_counter,
        sha256=sha256,
        length_bytes=await desk.artifacts.size(sha256),
        order=item.order,
    )


releases = Router(
    "/releases", route_handlers=[draft, list_all, show, payload, add_signature], tags=["Releases"]
)
