"""Lets a vehicle in by its certificate, and records whom it turned away.

A revoked vehicle tries again and again; one entry an hour tells that as well as thousands.
"""

from datetime import datetime, timedelta

from roadworthy.base.errors import AccessError, InputError
from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.enrolment import authorise
from roadworthy.cloud.ports import Store, Tables
from roadworthy.cloud.records import record
from roadworthy.compliance.ledger import parse_entry
from roadworthy.trust.certificates import vehicle_key_of

__all__ = ["admit"]

_KIND = "access-refused"
_QUIET = timedelta(hours=1)
_ENTRIES_BACK = 10


async def admit(store: Store, certificate: bytes, *, now: datetime) -> VehicleKey:
    """Return the vehicle that a certificate belongs to.

    Args:
        store: the registry; it also gets the entry of a refusal.
        certificate: DER; the TLS layer has verified its chain and dates.
        now: the time of the entry.

    Raises:
        AccessError: not registered, revoked, or replaced by another certificate.
        InputError, TrustError: no certificate of a vehicle.
    """
    try:
        return authorise(store.read(), certificate)
    except AccessError as error:
        refused = error
    vehicle = vehicle_key_of(certificate)
    if not _told(store.read(), vehicle, now):
        await store.write(lambda tables: _tell(tables, vehicle, refused, now))
    raise refused


def _told(tables: Tables, vehicle: VehicleKey, now: datetime) -> bool:
    subject = f"vehicle/{vehicle}"
    for stored in tables.ledger.entries(subject=subject, limit=_ENTRIES_BACK):
        entry = parse_entry(stored.data)
        if entry.type == _KIND and now - entry.time < _QUIET:
            return True
    return False


def _tell(tables: Tables, vehicle: VehicleKey, refused: InputError, now: datetime) -> None:
    if _told(tables, vehicle, now):
        return
    subject = f"vehicle/{vehicle}"
    data = {"code": refused.code, "detail": str(refused)}
    record(tables, _KIND, actor=subject, subjects=(subject,), data=data, now=now)
