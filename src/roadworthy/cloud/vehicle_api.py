"""What a vehicle may fetch: its metadata and the artifacts of its own offer.

The TLS layer has verified the client certificate; here its registration is checked with
every request, so that a revocation holds at once, on open connections too. No address names
a vehicle: a certificate reaches its own data only.
"""

from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.response import Response, Stream

from roadworthy.base.errors import AccessError, NotFoundError
from roadworthy.base.ids import Sha256, VehicleKey, parse_sha256
from roadworthy.cloud.admission import admit
from roadworthy.cloud.api.inject import GivenDesk
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.problems import handle_problem
from roadworthy.cloud.ranges import parse_range
from roadworthy.cloud.repositories import (
    IMAGES,
    director_file,
    grants,
    images_file,
    needs_renewal,
    renew,
)

__all__ = ["make_vehicle_app"]

_TIMESTAMP = "timestamp.json"


def make_vehicle_app(desk: Desk) -> Litestar:
    """Return the ASGI application of the vehicles' listener."""
    return Litestar(
        route_handlers=[metadata, artifact],
        dependencies={"desk": Provide(lambda: desk, sync_to_thread=False)},
        guards=[_only_registered(desk)],
        exception_handlers={Exception: handle_problem},
        openapi_config=None,
        logging_config=None,
        state=State({"chance": desk.chance}),
    )


@get("/vehicle/v1/{repository:str}/{name:str}")
async def metadata(
    desk: GivenDesk, request: Request[Any, Any, Any], repository: FromPath[str], name: FromPath[str]
) -> Response[bytes]:
    """Return a metadata file of the image repository or of the caller's director."""
    vehicle: VehicleKey = request.state.vehicle
    if name == _TIMESTAMP:
        await _keep_fresh(desk, vehicle)
    table = desk.tables().metadata
    if repository == IMAGES:
        found = images_file(table, name)
    else:
        found = director_file(table, vehicle, name) if repository == "director" else None
    if found is None:
        raise NotFoundError("no such metadata file", value=f"{repository}/{name}")
    return Response(found, media_type="application/json", headers={"cache-control": "no-cache"})


@get("/vehicle/v1/artifacts/{sha256:str}")
async def artifact(
    desk: GivenDesk, request: Request[Any, Any, Any], sha256: FromPath[str]
) -> Stream:
    """Return an artifact of the caller's offer, or the range of it that was asked for."""
    wanted = parse_sha256(sha256)
    vehicle: VehicleKey = request.state.vehicle
    if wanted not in grants(desk.tables().metadata, vehicle):
        raise AccessError("is not part of your offer", value=wanted, todo="fetch metadata first")
    size = await desk.artifacts.size(wanted)
    header = request.headers.get("range")
    if header is not None and request.headers.get("if-range") not in {None, f'"{wanted}"'}:
        header = None
    part = parse_range(header, size) if header else None
    offset, length = part or (0, size)
    headers = {
        "accept-ranges": "bytes",
        "content-length": str(length),
        "etag": f'"{wanted}"',
    }
    if part:
        headers["content-range"] = f"bytes {offset}-{offset + length - 1}/{size}"
    return Stream(
        _read(desk, wanted, offset, length),
        status_code=206 if part else 200,
        media_type="application/octet-stream",
        headers=headers,
    )


def _only_registered(desk: Desk) -> Any:  # noqa: ANN401 - litestar's guard type is internal
    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        tls = (connection.scope.get("extensions") or {}).get("tls", {})
        certificate = tls.get("client_certificate")
        if not isinstance(certificate, bytes):
            raise HTTPException(status_code=403, detail="a client certificate is needed")
        now = desk.now()
        vehicle = await admit(desk.store, certificate, now=now)
        desk.sightings.note(vehicle, now.timestamp())
        connection.state.vehicle = vehicle

    return guard


async def _keep_fresh(desk: Desk, vehicle: VehicleKey) -> None:
    now = desk.now()
    if needs_renewal(desk.tables().metadata, vehicle, now=now):
        await desk.write(lambda tables: renew(tables.metadata, desk.authority, vehicle, now=now))


async def _read(desk: Desk, sha256: Sha256, offset: int, length: int) -> AsyncIterator[bytes]:
    async for chunk in desk.artifacts.open_range(sha256, offset=offset, length=length):
        yield chunk
