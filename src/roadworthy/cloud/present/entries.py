"""Ledger entries in a person's words."""

from collections.abc import Callable, Mapping
from typing import Any

from roadworthy.base.ids import VehicleKey
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.web import views
from roadworthy.compliance.ledger import Entry, leaf_hash, parse_entry

__all__ = ["event_rows", "ledger_row", "sentence"]

_BAD = frozenset(
    {
        "access-refused",
        "refusal",
        "report-refused",
        "upload-refused",
        "vehicle-silent",
        "not-offered",
        "vehicle-revoked",
    }
)
_WARN = frozenset({"campaign-paused", "campaign-aborted"})
_OK = frozenset({"release-signed", "campaign-finished", "wave-ended"})

_Data = Mapping[str, Any]


def _result(data: _Data) -> str:
    if data["outcome"] == "confirmed":
        return "Confirmed: every ECU runs the release"
    where = f" at {data['ecu']}" if data["ecu"] else ""
    return f"{str(data['outcome']).capitalize()}{where} ({data['code']}): {data['detail']}"


_SENTENCES: dict[str, Callable[[_Data], str]] = {
    "release-drafted": lambda d: f"Drafted a release of {len(d['artifacts'])} images",
    "release-signature": lambda d: f"Added a signature of key {d['keyid'][:12]}",
    "release-signed": lambda d: f"Put the release in force (image targets {d['targets_version']})",
    "campaign-created": lambda d: f"Created the campaign for release {d['release']}",
    "campaign-started": lambda d: f"Started with waves of {', '.join(map(str, d['sizes']))}",
    "wave-started": lambda d: f"Wave {d['wave'] + 1} began: {d['why']}",
    "wave-ended": lambda d: f"Wave {d['wave'] + 1} passed its gate: {d['why']}",
    "campaign-paused": lambda d: f"Paused: {d['why']}",
    "campaign-resumed": lambda d: f"Resumed: {d['why']}",
    "campaign-aborted": lambda d: f"Aborted: {d['why']}",
    "campaign-finished": lambda d: f"Finished: {d['why']}",
    "offer": lambda d: f"Offered {d['release']} for {len(d['ecus'])} ECUs",
    "not-offered": lambda d: f"Not offered: {d['detail']}",
    "result": _result,
    "refusal": lambda d: f"Vehicle refused what it was given ({d['code']}): {d['detail']}",
    "report-refused": lambda d: f"Report refused ({d['code']}): {d['detail']}",
    "upload-refused": lambda d: f"Upload refused, nothing was kept: {d['detail']}",
    "access-refused": lambda d: f"Turned away: {d['detail']}",
    "vehicle-silent": lambda _: "Took the offer and has not reported since",
    "vehicle-enrolled": lambda d: f"Enrolled a vehicle of type {d['type']}",
    "vehicle-revoked": lambda d: f"Revoked the vehicle's certificate. {d['why']}".rstrip(),
    "inventory-changed": lambda d: f"Reported {len(d['ecus'])} ECUs",
    "token-made": lambda d: f"Made the token {d['name']} ({', '.join(d['scopes'])})",
    "sign-in-link": lambda _: "Made a sign-in link",
    "token-revoked": lambda d: f"Revoked the token {d['name']}",
}


def sentence(entry: Entry) -> str:
    """Return what an entry says."""
    make = _SENTENCES.get(entry.type)
    try:
        return make(entry.data) if make else entry.type.replace("-", " ").capitalize()
    except (KeyError, TypeError):
        return entry.type.replace("-", " ").capitalize()


def event_rows(tables: Tables, subject: str, *, limit: int = 20) -> tuple[views.EventRow, ...]:
    """Return the latest entries about a subject (or all, when empty) as a timeline."""
    rows = []
    for stored in tables.ledger.entries(subject=subject, limit=limit):
        entry = parse_entry(stored.data)
        rows.append(
            views.EventRow(
                at=entry.time,
                actor=_name(tables, entry.actor),
                text=_with_subject(tables, entry, subject),
                tone=_tone(entry),
                entry=entry.index,
            )
        )
    return tuple(rows)


def ledger_row(entry: Entry, leaf: bytes) -> views.LedgerRow:
    """Return an entry as a line of the ledger page."""
    return views.LedgerRow(
        index=entry.index,
        at=entry.time,
        kind=entry.type,
        actor=entry.actor,
        subject=entry.subject,
        text=sentence(entry),
        leaf_hash=leaf_hash(leaf).hex(),
    )


def _with_subject(tables: Tables, entry: Entry, subject: str) -> str:
    said = sentence(entry)
    return said if entry.subject == subject else f"{_name(tables, entry.subject)}: {said}"


def _name(tables: Tables, subject: str) -> str:
    """Name a vehicle by its VIN, anything else by its own id."""
    kind, _, name = subject.partition("/")
    vehicle = tables.vehicles.get(VehicleKey(name)) if kind == "vehicle" else None
    return vehicle.vin if vehicle else name or subject


def _tone(entry: Entry) -> str:
    if entry.type == "result":
        return "ok" if entry.data.get("outcome") == "confirmed" else "bad"
    if entry.type in _BAD:
        return "bad"
    if entry.type in _WARN:
        return "warn"
    return "ok" if entry.type in _OK else "neutral"
