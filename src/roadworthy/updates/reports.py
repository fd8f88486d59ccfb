"""What a vehicle tells the cloud: one signed report after the other, numbered.

The sequence number only grows and survives power cuts; a report that comes again is
acknowledged and changes nothing. A report is kept in the vehicle until the cloud has
acknowledged that number, so nothing that happened is lost with a connection.
"""

from enum import StrEnum
from typing import Any

import msgspec

from roadworthy.base.errors import InputError
from roadworthy.base.ids import VehicleKey, parse_vehicle_key
from roadworthy.fleet.inventory import EcuState, ecus_to_json, parse_ecus

__all__ = [
    "REPORT_BYTES_MAX",
    "Inventory",
    "Outcome",
    "Progress",
    "Refusal",
    "Report",
    "Result",
    "Stage",
    "parse_report",
    "report_body",
]

REPORT_BYTES_MAX = 256 * 1024
_TEXT_MAX = 500
_TIME_END = 253_402_300_800
_INTEGER_END = 1 << 53


class Stage(StrEnum):
    """How far an installation has come, in order."""

    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    STAGED = "staged"
    ACTIVATED = "activated"


class Outcome(StrEnum):
    """How an installation ended.

    CONFIRMED: every ECU runs its new image after the reboot, and has committed it.
    FAILED: ended before any ECU was switched over; all run what they ran before.
    ROLLED_BACK: switched over, found ill, and all brought back to what they ran before.
    """

    CONFIRMED = "confirmed"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"


class Inventory(msgspec.Struct, frozen=True, tag="inventory"):
    """What the vehicle has and runs; sent after each start and after each change."""

    vehicle: VehicleKey
    sequence: int
    time: int
    ecus: tuple[EcuState, ...]


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """A stage was reached or a step of it was made.

    percent: of the stage, 0 to 100.
    ecu: the serial that is being worked on, or empty.
    """

    vehicle: VehicleKey
    sequence: int
    time: int
    offer: str
    stage: Stage
    percent: int = 0
    ecu: str = ""


class Result(msgspec.Struct, frozen=True, tag="result"):
    """The installation of an offer ended.

    code: empty when confirmed, else a short name of the cause such as `ecu-rejected`.
    received_bytes: artifact bytes that came over the network for this offer.
    """

    vehicle: VehicleKey
    sequence: int
    time: int
    offer: str
    outcome: Outcome
    ecus: tuple[EcuState, ...]
    code: str = ""
    detail: str = ""
    ecu: str = ""
    received_bytes: int = 0


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The vehicle did not trust what it was given and changed nothing.

    offer: the offer it belongs to, or empty when the metadata named none.
    code: the failed check, such as `bad-signature`, `rollback` or `wrong-hardware`.
    """

    vehicle: VehicleKey
    sequence: int
    time: int
    code: str
    detail: str
    offer: str = ""


Report = Inventory | Progress | Result | Refusal


def parse_report(body: dict[str, Any]) -> Report:
    """Check the body of a report whose signature was verified.

    Numbers that not every JSON reader keeps exact (2^53 and above, RFC 8259 section 6) and
    times that no calendar holds (year 10000 and later) are out of range.

    Raises:
        InputError: a field is missing, unknown in kind, or out of its range.
    """
    checked = dict(body)
    if "ecus" in checked:
        checked["ecus"] = ecus_to_json(parse_ecus(checked["ecus"]))
    try:
        report: Report = msgspec.convert(checked, Report)
    except (msgspec.ValidationError, OverflowError) as error:
        raise InputError(f"is not a report ({error})", value="report") from error
    parse_vehicle_key(report.vehicle)
    _check_ranges(report)
    return report


def report_body(report: Report) -> dict[str, Any]:
    """Return the body to sign."""
    body: dict[str, Any] = msgspec.to_builtins(report)
    return body


def _check_ranges(report: Report) -> None:
    if not 1 <= report.sequence < _INTEGER_END:
        raise InputError("must be at least 1 and below 2^53", value="report.sequence")
    if not 0 <= report.time < _TIME_END:
        raise InputError(
            "is no time from 1970 to 9999", value="report.time", todo="send Unix seconds"
        )
    if isinstance(report, Progress) and not 0 <= report.percent <= 100:  # noqa: PLR2004 - per cent
        raise InputError("must be 0 to 100", value="report.percent")
    if isinstance(report, Result) and not 0 <= report.received_bytes < _INTEGER_END:
        raise InputError("must be from 0 and below 2^53", value="report.received_bytes")
    for name in ("code", "detail", "offer", "ecu"):
        if len(getattr(report, name, "")) > _TEXT_MAX:
            raise InputError(f"is longer than {_TEXT_MAX} characters", value=f"report.{name}")
