"""What happened in an installation (events) and what is to be done next (effects).

Events go to the journal as they stand, one JSON text each; times are Unix seconds. Effects
are idempotent: after a power cut the same one may be asked for again.
"""

from typing import Literal

import msgspec

from roadworthy.base.errors import InputError
from roadworthy.base.ids import EcuSerial, Sha256
from roadworthy.trust.targets import DeltaTarget
from roadworthy.updates.install_plan import Plan, Policy
from roadworthy.updates.reports import Outcome

__all__ = [
    "Activate",
    "Activated",
    "Activating",
    "Begun",
    "CheckConditions",
    "Commit",
    "Committed",
    "ConditionsChecked",
    "Effect",
    "Ended",
    "Event",
    "Fetch",
    "Fetched",
    "Probe",
    "Probed",
    "Rebuild",
    "Rebuilt",
    "Record",
    "Restarted",
    "Revert",
    "Reverted",
    "StageEcu",
    "Staged",
    "StepFailed",
    "Wait",
    "Withdrawn",
    "Work",
    "decode_event",
    "encode_event",
]

Work = Literal["fetch", "rebuild", "stage", "activate", "probe", "commit", "revert"]


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """The offer was verified and taken. stored: images that are in the vehicle already."""

    at: float
    plan: Plan
    policy: Policy = Policy()
    stored: frozenset[Sha256] = frozenset()


class Fetched(msgspec.Struct, frozen=True, tag="fetched"):
    """An artifact is complete and has the right hash."""

    at: float
    artifact: Sha256
    received_bytes: int = 0


class Rebuilt(msgspec.Struct, frozen=True, tag="rebuilt"):
    """An image was made from its delta and has the right hash."""

    at: float
    image: Sha256


class Staged(msgspec.Struct, frozen=True, tag="staged"):
    """The ECU holds the image in its inactive slot and has checked it."""

    at: float
    ecu: EcuSerial


class ConditionsChecked(msgspec.Struct, frozen=True, tag="conditions"):
    """The preconditions were looked at; `missing` names those that are not met."""

    at: float
    missing: tuple[str, ...] = ()


class Activating(msgspec.Struct, frozen=True, tag="activating"):
    """The ECU is about to be switched over; recorded before anything is sent to it."""

    at: float
    ecu: EcuSerial


class Activated(msgspec.Struct, frozen=True, tag="activated"):
    """The ECU took the order to start its other slot."""

    at: float
    ecu: EcuSerial


class Probed(msgspec.Struct, frozen=True, tag="probed"):
    """The ECU said after its reset which image it runs."""

    at: float
    ecu: EcuSerial
    sha256: Sha256


class Committed(msgspec.Struct, frozen=True, tag="committed"):
    """The ECU keeps its new image over resets."""

    at: float
    ecu: EcuSerial


class Reverted(msgspec.Struct, frozen=True, tag="reverted"):
    """The ECU took the order to go back to its old image."""

    at: float
    ecu: EcuSerial


class StepFailed(msgspec.Struct, frozen=True, tag="step-failed"):
    """A try did not work.

    subject: hash of the artifact or image, or serial of the ECU.
    is_final: true when another try of the same can't help.
    received_bytes: what a broken download brought all the same.
    """

    at: float
    work: Work
    subject: str
    code: str
    detail: str = ""
    is_final: bool = False
    received_bytes: int = 0


class Withdrawn(msgspec.Struct, frozen=True, tag="withdrawn"):
    """The director offers this no more; without effect once an ECU was switched over."""

    at: float


class Restarted(msgspec.Struct, frozen=True, tag="restarted"):
    """The agent started again and read this journal: the power may have been away."""

    at: float


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Nothing is left to do."""

    at: float
    outcome: Outcome


Event = (
    Begun
    | Fetched
    | Rebuilt
    | Staged
    | ConditionsChecked
    | Activating
    | Activated
    | Probed
    | Committed
    | Reverted
    | StepFailed
    | Withdrawn
    | Restarted
    | Ended
)


class Fetch(msgspec.Struct, frozen=True):
    """Get the artifact, from where the last try left off, and check its hash."""

    artifact: Sha256
    length_bytes: int


class Rebuild(msgspec.Struct, frozen=True):
    """Make the image from the stored base and the delta, and check its hash."""

    image: Sha256
    length_bytes: int
    delta: DeltaTarget


class StageEcu(msgspec.Struct, frozen=True):
    """Write the image into the ECU's inactive slot and let the ECU check it."""

    ecu: EcuSerial
    image: Sha256


class CheckConditions(msgspec.Struct, frozen=True):
    """Look whether the vehicle may be switched over now."""

    battery_percent_min: int


class Activate(msgspec.Struct, frozen=True):
    """Switch the ECU to the other slot by a reset, unless it runs `image` already."""

    ecu: EcuSerial
    image: Sha256


class Probe(msgspec.Struct, frozen=True):
    """Ask the ECU which image it runs."""

    ecu: EcuSerial


class Commit(msgspec.Struct, frozen=True):
    """Let the ECU keep its new image."""

    ecu: EcuSerial
    image: Sha256


class Revert(msgspec.Struct, frozen=True):
    """Bring the ECU back to `old`, unless it runs that already."""

    ecu: EcuSerial
    old: Sha256


class Record(msgspec.Struct, frozen=True):
    """Append the event to the journal; there is nothing else to do for it."""

    event: Activating | Ended


class Wait(msgspec.Struct, frozen=True):
    """Do nothing until then (Unix seconds)."""

    until: float


Effect = (
    Fetch
    | Rebuild
    | StageEcu
    | CheckConditions
    | Activate
    | Probe
    | Commit
    | Revert
    | Record
    | Wait
)

_EVENTS = msgspec.json.Decoder(Event)
_ENCODER = msgspec.json.Encoder()


def encode_event(event: Event) -> bytes:
    """Return the event as one line of JSON."""
    return _ENCODER.encode(event)


def decode_event(text: bytes) -> Event:
    """Read an event back.

    Raises:
        InputError: not an event.
    """
    try:
        event: Event = _EVENTS.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"is not an event of an installation ({error})", value="journal"
        ) from error
    return event
