"""What every page shares, and the pages that belong to no subject."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["EventRow", "Frame", "Paging", "ProblemView", "SavingFigure", "SignInView", "VehicleRef"]


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page carries around its view.

    operator: who is signed in; empty when nobody is.
    environment: a badge such as "Demo"; empty in production.
    attention: how many things wait for a person (the number beside Overview).
    notice: one sentence about what the last form did; shown once.
    """

    now: datetime
    operator: str = ""
    environment: str = ""
    csrf_token: str = ""
    attention: int = 0
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is shown: pages count from 1, `total` is all that match."""

    page: int
    page_count: int
    total: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened. `entry`: its index in the ledger, when it has one."""

    at: datetime
    actor: str
    text: str
    tone: str = "neutral"
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class SavingFigure:
    """Bytes with deltas and without; worth, price: of the difference, "" without a price."""

    sent_bytes: int
    full_bytes: int
    worth: str = ""
    price: str = ""

    @property
    def saved_bytes(self) -> int:
        """What deltas saved; 0 where broken downloads cost as much."""
        return max(0, self.full_bytes - self.sent_bytes)


@dataclass(frozen=True, slots=True)
class VehicleRef:
    """A vehicle to link to."""

    key: str
    vin: str


@dataclass(frozen=True, slots=True)
class SignInView:
    """The way in. token: from the link, shown as filled in; problem: why the last try failed."""

    token: str = ""
    problem: str = ""
    return_to: str = "/"


@dataclass(frozen=True, slots=True)
class ProblemView:
    """An error as a page (the fields of an RFC 9457 problem)."""

    status: int
    title: str
    happened: str
    value: str = ""
    todo: str = ""
    code: str = ""
    request_id: str = ""
