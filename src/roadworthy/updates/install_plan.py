"""The plan of an installation: which ECU gets which image, in which order, how patiently.

It is made once, from the verified offer and what the ECUs say they run, and never changes.
"""

from enum import IntEnum

import msgspec

from roadworthy.base.errors import VehicleError
from roadworthy.base.ids import EcuSerial, Sha256
from roadworthy.fleet.inventory import EcuState, Slots
from roadworthy.trust.targets import DeltaTarget, EcuTarget

__all__ = ["Conditions", "EcuPlan", "Failure", "Plan", "PlanError", "Policy", "Step", "make_plan"]


class Step(IntEnum):
    """How far one ECU has come.

    ACTIVATING is on record before the reset is sent: from here on it is not known which
    image the ECU runs until it was asked. REVERTED was told to go back; RESTORED was asked
    and runs its old image.
    """

    PLANNED = 0
    STAGED = 1
    ACTIVATING = 2
    ACTIVATED = 3
    PROBED = 4
    COMMITTED = 5
    REVERTED = 6
    RESTORED = 7


class PlanError(VehicleError):
    """The offer is genuine, but the vehicle's ECUs are in no state to take it."""

    code = "not-installable"
    title = "The vehicle can't take this offer"


class Conditions(msgspec.Struct, frozen=True):
    """What the vehicle says of its situation.

    battery_percent: state of charge of the low-voltage battery, 0 to 100.
    window_open: the local time is inside the owner's or the operator's window.
    consent: the owner agreed to this installation.
    """

    parked: bool = True
    battery_percent: int = 100
    window_open: bool = True
    consent: bool = True

    def missing(self, battery_percent_min: int) -> tuple[str, ...]:
        """Name what keeps the vehicle from switching over now; empty when nothing does."""
        unmet = {
            "parked": not self.parked,
            "battery": self.battery_percent < battery_percent_min,
            "window": not self.window_open,
            "consent": not self.consent,
        }
        return tuple(name for name, is_unmet in unmet.items() if is_unmet)


class Policy(msgspec.Struct, frozen=True):
    """How often and how long to try; part of the journal, so a restart keeps to it.

    *_attempts: tries of one step on one subject until the installation fails. A download
        that brought some bytes starts its count anew.
    artifact_attempts: full downloads whose hash was wrong, or that the cloud refused.
    restarts_max: power cuts after the first activation until all is reverted.
    pause_s, pause_max_s: pause after a failed try; doubles each time up to the maximum.
    conditions_pause_s, conditions_wait_s: time between checks and until giving up.
    """

    fetch_attempts: int = 200
    artifact_attempts: int = 2
    stage_attempts: int = 3
    activate_attempts: int = 3
    probe_attempts: int = 5
    commit_attempts: int = 3
    restarts_max: int = 5
    pause_s: float = 2.0
    pause_max_s: float = 120.0
    conditions_pause_s: float = 60.0
    conditions_wait_s: float = 7 * 86_400.0
    battery_percent_min: int = 30

    def pause(self, tries: int) -> float:
        """Return the seconds to wait after `tries` failed tries."""
        return min(self.pause_max_s, self.pause_s * 2.0 ** min(tries - 1, 30))


class EcuPlan(msgspec.Struct, frozen=True):
    """What one ECU runs (`old`) and what it is to run (`image`)."""

    serial: EcuSerial
    order: int
    old: Sha256
    image: Sha256
    length_bytes: int
    delta: DeltaTarget | None = None


class Plan(msgspec.Struct, frozen=True):
    """One offer for one vehicle.

    ecus: in the order of activation.
    director_targets: the signed metadata that each ECU checks for itself.
    """

    offer: str
    ecus: tuple[EcuPlan, ...]
    director_targets: bytes = b""


class Failure(msgspec.Struct, frozen=True):
    """Why the installation does not go on; `code` is explained in `failure_codes`."""

    code: str
    detail: str = ""
    ecu: str = ""


def make_plan(
    offer: str, targets: tuple[EcuTarget, ...], ecus: tuple[EcuState, ...], director_targets: bytes
) -> Plan:
    """Set what the offer wants against what the vehicle runs.

    ECUs that run their target already are left out, so the plan may be empty. A delta that is
    no smaller than its image is not used: only the image's length is signed by offline keys.

    Raises:
        PlanError: an ECU has no second slot, or runs an image on trial.
    """
    running = {ecu.serial: ecu for ecu in ecus}
    plans = []
    for target in sorted(targets, key=lambda target: (target.order, target.ecu_serial)):
        ecu = running.get(target.ecu_serial)
        if ecu is None:
            raise PlanError("does not answer", value=target.ecu_serial)
        if ecu.trial:
            raise PlanError("runs an image on trial", value=ecu.serial, todo="reset the vehicle")
        if ecu.sha256 == target.image.sha256:
            continue
        if ecu.slots is not Slots.AB:
            raise PlanError("has no second slot to install into", value=ecu.serial)
        plans.append(
            EcuPlan(
                serial=ecu.serial,
                order=target.order,
                old=ecu.sha256,
                image=target.image.sha256,
                length_bytes=target.image.length_bytes,
                delta=_useful_delta(target),
            )
        )
    return Plan(offer=offer, ecus=tuple(plans), director_targets=director_targets)


def _useful_delta(target: EcuTarget) -> DeltaTarget | None:
    delta = target.delta
    return delta if delta and delta.length_bytes < target.image.length_bytes else None
