"""A vehicle comes into the registry, and goes.

Its certificate says nothing but its key; the VIN stays here. The certificate request proves
that the vehicle holds the private key. A revoked vehicle is refused with the very next
request and message, on connections that stand already too.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from roadworthy.base.errors import AccessError, ConflictError, NotFoundError
from roadworthy.base.ids import VehicleKey, parse_vin
from roadworthy.cloud.authority import Authority
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.records import record
from roadworthy.cloud.repositories import withdraw_offer
from roadworthy.fleet.inventory import Vehicle
from roadworthy.trust import certificates
from roadworthy.trust.keys import key_from_json

__all__ = ["Enrolment", "authorise", "enrol", "revoke", "vehicle_or_error"]

CERTIFICATE_LIFE = timedelta(days=730)
CLOCK_SKEW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a vehicle or its maker asks for.

    csr: PEM of the certificate request (PKCS #10).
    report_key: public Ed25519 key of its reports, as trust.keys writes it.
    """

    vin: str
    type: str
    csr: bytes
    report_key: str


def enrol(  # noqa: PLR0913 - random values come from the caller
    tables: Tables,
    authority: Authority,
    issuer: certificates.Authority,
    request: Enrolment,
    *,
    token: str,
    actor: str,
    now: datetime,
) -> tuple[Vehicle, bytes]:
    """Register a vehicle; return it and its certificate (PEM).

    A vehicle that was revoked and comes again keeps its key: its ECUs remember the versions of
    the director's metadata under that name. Everything else of it begins anew.

    Args:
        tables: of the write.
        authority: signs the empty offer that the vehicle finds at its first poll.
        issuer: signs the certificate.
        request: who it is.
        token: 24 random bytes as hex; gives the vehicle key and the certificate's serial number.
        actor: who asked.
        now: the time.

    Raises:
        InputError: VIN, request or key is malformed.
        ConflictError: the VIN is registered and not revoked.
    """
    vin = parse_vin(request.vin)
    known = tables.vehicles.by_vin(vin)
    if known is not None and not known.revoked_at:
        raise ConflictError("is registered", value=vin, todo="revoke it first")
    key_from_json(request.report_key.encode())
    key = known.key if known else VehicleKey("v" + token[:16])
    serial = int(token[16:], 16) | 1
    certificate = certificates.issue_vehicle(
        issuer, request.csr, key, serial=serial, validity=_validity(now)
    )
    vehicle = Vehicle(
        key=key,
        vin=vin,
        type=request.type,
        report_key=request.report_key,
        certificate_serial=serial,
        enrolled_at=now.timestamp(),
    )
    tables.vehicles.put(vehicle)
    withdraw_offer(tables.metadata, authority, key, now=now)
    data = {"type": request.type, "certificate_serial": f"{serial:x}"}
    subjects = (f"vehicle/{key}",)
    record(tables, "vehicle-enrolled", actor=actor, subjects=subjects, data=data, now=now)
    return vehicle, certificates.to_pem(certificate)


def revoke(tables: Tables, key: VehicleKey, *, actor: str, why: str, now: datetime) -> Vehicle:
    """Take a vehicle's certificate out of use, for good."""
    vehicle = vehicle_or_error(tables, key)
    if vehicle.revoked_at:
        return vehicle
    revoked = msgspec.structs.replace(vehicle, revoked_at=now.timestamp())
    tables.vehicles.put(revoked)
    data = {"why": why, "certificate_serial": f"{vehicle.certificate_serial:x}"}
    subjects = (f"vehicle/{key}",)
    record(tables, "vehicle-revoked", actor=actor, subjects=subjects, data=data, now=now)
    return revoked


def authorise(tables: Tables, certificate: bytes) -> VehicleKey:
    """Say which vehicle a verified certificate belongs to.

    Args:
        tables: for reading.
        certificate: DER; the TLS layer has checked its chain and dates.

    Raises:
        AccessError: not registered, revoked, or an older certificate than the registered one.
    """
    key = certificates.vehicle_key_of(certificate)
    vehicle = tables.vehicles.get(key)
    if vehicle is None:
        raise AccessError("is not a registered vehicle", value=key, todo="enrol it")
    if vehicle.revoked_at:
        raise AccessError("has a revoked certificate", value=key, todo="enrol it again")
    if vehicle.certificate_serial != certificates.serial_of(certificate):
        raise AccessError("has a certificate that was replaced", value=key)
    return key


def vehicle_or_error(tables: Tables, key: VehicleKey) -> Vehicle:
    """Return a vehicle or raise NotFoundError."""
    vehicle = tables.vehicles.get(key)
    if vehicle is None:
        raise NotFoundError("no such vehicle", value=key, todo="list the vehicles")
    return vehicle


def _validity(now: datetime) -> certificates.Validity:
    start = now.replace(microsecond=0) - CLOCK_SKEW
    return certificates.Validity(start, start + CERTIFICATE_LIFE)
