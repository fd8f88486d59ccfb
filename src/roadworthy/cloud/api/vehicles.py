"""`/api/v1/vehicles`: enrol, look at and revoke vehicles."""

from typing import Any

from litestar import Request, Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from roadworthy.base.errors import InputError
from roadworthy.base.ids import parse_vehicle_key
from roadworthy.cloud.api.guards import account_of
from roadworthy.cloud.api.inject import GivenDesk
from roadworthy.cloud.api.paging import next_cursor, offset_of
from roadworthy.cloud.api.schemas import (
    EnrolIn,
    EnrolOut,
    Page,
    ReasonIn,
    VehicleOut,
    vehicle_out,
)
from roadworthy.cloud.enrolment import Enrolment, enrol, revoke, vehicle_or_error
from roadworthy.trust import certificates

__all__ = ["vehicles"]

_TOKEN_BYTES = 24
_TYPE_MAX = 40


@post("/", opt={"scope": "vehicles"})
async def enrol_vehicle(
    desk: GivenDesk, request: Request[Any, Any, Any], data: JSONBody[EnrolIn]
) -> EnrolOut:
    """Register a vehicle and issue its certificate."""
    if not 1 <= len(data.type) <= _TYPE_MAX:
        raise InputError(f"must have 1 to {_TYPE_MAX} characters", value="type")
    now, actor, token = desk.now(), account_of(request).name, desk.chance.token(_TOKEN_BYTES)
    asked = Enrolment(data.vin, data.type, data.csr.encode(), data.report_key)
    vehicle, certificate = await desk.write(
        lambda tables: enrol(
            tables, desk.authority, desk.issuer, asked, token=token, actor=actor, now=now
        )
    )
    return EnrolOut(
        vehicle=vehicle.key,
        certificate=certificate.decode(),
        authority=certificates.to_pem(desk.issuer.certificate).decode(),
        director_root=desk.authority.director_root.decode(),
        images_root=desk.authority.images_root.decode(),
    )


@get("/")
async def list_all(
    desk: GivenDesk,
    text: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> Page[VehicleOut]:
    """List vehicles by VIN; `text` is part of VIN, key or type."""
    offset = offset_of(after, limit)
    found = desk.tables().vehicles.page(text=text, offset=offset, limit=limit)
    return Page([vehicle_out(item) for item in found], next_cursor(offset, limit, len(found)))


@get("/{vehicle:str}")
async def show(desk: GivenDesk, vehicle: FromPath[str]) -> VehicleOut:
    """Return a vehicle and its ECUs."""
    return vehicle_out(vehicle_or_error(desk.tables(), parse_vehicle_key(vehicle)))


@post("/{vehicle:str}/revoke", opt={"scope": "vehicles"}, status_code=200)
async def revoke_vehicle(
    desk: GivenDesk,
    request: Request[Any, Any, Any],
    vehicle: FromPath[str],
    data: JSONBody[ReasonIn | None] = None,
) -> VehicleOut:
    """Take a vehicle's certificate out of use, at once and for good."""
    key, now, actor = parse_vehicle_key(vehicle), desk.now(), account_of(request).name
    why = data.reason if data else ""
    revoked = await desk.write(lambda tables: revoke(tables, key, actor=actor, why=why, now=now))
    await desk.disconnect(key)
    return vehicle_out(revoked)


vehicles = Router(
    "/vehicles", route_handlers=[enrol_vehicle, list_all, show, revoke_vehicle], tags=["Vehicles"]
)
