"""What happened in an installation so far: its state, and how each event changes it.

The rules stand in `roadworthy.updates.install`. `fold` refuses events that would break them, so
neither a damaged journal nor a fault in the driver can lead to an activation too early.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec

from roadworthy.base.errors import ConflictError
from roadworthy.base.ids import EcuSerial, Sha256
from roadworthy.updates.install_events import (
    Activated,
    Activating,
    Begun,
    Committed,
    ConditionsChecked,
    Ended,
    Event,
    Fetched,
    Probed,
    Rebuilt,
    Restarted,
    Reverted,
    Staged,
    StepFailed,
    Withdrawn,
)
from roadworthy.updates.install_plan import EcuPlan, Failure, Plan, Policy, Step
from roadworthy.updates.reports import Outcome, Stage

__all__ = ["SWITCHED", "Installation", "fold", "replay"]

SWITCHED = frozenset({Step.ACTIVATING, Step.ACTIVATED, Step.PROBED, Step.COMMITTED})
"""Steps at which an ECU may run its new image."""

_ABOUT_CONTENT = frozenset({"download-hash", "artifact-missing"})


class Installation(msgspec.Struct, frozen=True):
    """The state of one installation.

    steps: how far each ECU is. ready: images that are complete in the vehicle, hash checked.
    patches: deltas that are complete. full_only: images whose delta turned out to be bad.
    tries: failed tries by work and subject. not_before: no effect until then (Unix seconds).
    conditions_met: the preconditions held at the last look; conditions_since: first look.
    restarts: power cuts since the first activation.
    notes: what went wrong and was mended, for the result's detail.
    """

    plan: Plan
    policy: Policy
    steps: dict[EcuSerial, Step]
    stored: frozenset[Sha256] = frozenset()
    ready: frozenset[Sha256] = frozenset()
    patches: frozenset[Sha256] = frozenset()
    full_only: frozenset[Sha256] = frozenset()
    tries: dict[str, int] = {}
    not_before: float = 0.0
    conditions_met: bool = False
    conditions_since: float = 0.0
    restarts: int = 0
    received_bytes: int = 0
    notes: tuple[str, ...] = ()
    failure: Failure | None = None
    outcome: Outcome | None = None

    @property
    def is_switched(self) -> bool:
        """Whether any ECU was (perhaps) switched over and the end is not reached."""
        return self.outcome is None and any(step >= Step.ACTIVATING for step in self.steps.values())

    @property
    def drivable(self) -> bool:
        """False from the first activation to the end: the ECUs may not fit each other."""
        return not self.is_switched

    @property
    def stage(self) -> Stage:
        """The stage that was reached, for progress reports."""
        if self.is_switched:
            return Stage.ACTIVATED
        if all(step >= Step.STAGED for step in self.steps.values()):
            return Stage.STAGED
        if all(ecu.image in self.ready for ecu in self.plan.ecus):
            return Stage.VERIFIED
        return Stage.DOWNLOADING

    def ecu(self, serial: str) -> EcuPlan:
        """Return the plan of one ECU.

        Raises:
            ConflictError: the plan does not name it.
        """
        for ecu in self.plan.ecus:
            if ecu.serial == serial:
                return ecu
        raise ConflictError("is not part of the installation", value=f"ECU {serial}")

    def tried(self, work: str, subject: str) -> int:
        """Return how often this work on this subject has failed."""
        return self.tries.get(f"{work}:{subject}", 0)


def fold(state: Installation, event: Event) -> Installation:
    """Return the state after the event.

    Raises:
        ConflictError: the event can't happen in this state.
    """
    return _FOLDS[type(event)](state, event)


def replay(events: Iterable[Event]) -> Installation | None:
    """Return the state after all events of a journal; None for an empty one.

    Raises:
        ConflictError: the events do not follow from each other.
    """
    state: Installation | None = None
    for event in events:
        if state is not None:
            state = fold(state, event)
        elif isinstance(event, Begun):
            state = _begun(event)
        else:
            raise ConflictError("does not start with a plan", value="journal")
    return state


def _begun(event: Begun) -> Installation:
    images = {ecu.image for ecu in event.plan.ecus}
    return Installation(
        plan=event.plan,
        policy=event.policy,
        steps={ecu.serial: Step.PLANNED for ecu in event.plan.ecus},
        stored=event.stored,
        ready=frozenset(images & event.stored),
    )


def _with(state: Installation, **changes: object) -> Installation:
    return msgspec.structs.replace(state, **changes)


def _with_step(state: Installation, serial: EcuSerial, step: Step) -> Installation:
    state.ecu(serial)
    return _with(state, steps={**state.steps, serial: step}, not_before=0.0)


def _fetched(state: Installation, event: Fetched) -> Installation:
    received = state.received_bytes + event.received_bytes
    images = {ecu.image for ecu in state.plan.ecus}
    if event.artifact in images:
        ready = state.ready | {event.artifact}
        return _with(state, ready=ready, received_bytes=received, not_before=0.0)
    patches = state.patches | {event.artifact}
    return _with(state, patches=patches, received_bytes=received, not_before=0.0)


def _rebuilt(state: Installation, event: Rebuilt) -> Installation:
    return _with(state, ready=state.ready | {event.image}, not_before=0.0)


def _staged(state: Installation, event: Staged) -> Installation:
    if state.is_switched:
        raise ConflictError("can't be staged after an activation", value=f"ECU {event.ecu}")
    return _with_step(state, event.ecu, Step.STAGED)


def _conditions(state: Installation, event: ConditionsChecked) -> Installation:
    if not event.missing:
        return _with(state, conditions_met=True, not_before=0.0)
    since = state.conditions_since or event.at
    not_before = event.at + state.policy.conditions_pause_s
    waiting = _with(state, conditions_met=False, conditions_since=since, not_before=not_before)
    if event.at - since < state.policy.conditions_wait_s:
        return waiting
    return _fail(waiting, Failure("preconditions", "not met: " + ", ".join(event.missing)))


def _activating(state: Installation, event: Activating) -> Installation:
    if Step.PLANNED in state.steps.values() or not (state.conditions_met or state.is_switched):
        raise ConflictError("can't be activated yet", value=f"ECU {event.ecu}")
    return _with_step(state, event.ecu, Step.ACTIVATING)


def _activated(state: Installation, event: Activated) -> Installation:
    return _with_step(state, event.ecu, Step.ACTIVATED)


def _probed(state: Installation, event: Probed) -> Installation:
    ecu = state.ecu(event.ecu)
    if state.steps[ecu.serial] is Step.REVERTED:
        if event.sha256 == ecu.old:
            return _with_step(state, ecu.serial, Step.RESTORED)
        told = StepFailed(event.at, "revert", ecu.serial, "probe-mismatch")
        return _step_failed(_with_step(state, ecu.serial, Step.ACTIVATING), told)
    if event.sha256 == ecu.image:
        return _with_step(state, ecu.serial, Step.PROBED)
    runs = "its old image" if event.sha256 == ecu.old else f"image {event.sha256[:12]}"
    return _fail(state, Failure("probe-mismatch", f"after the reset it runs {runs}", ecu.serial))


def _committed(state: Installation, event: Committed) -> Installation:
    if any(step < Step.PROBED for step in state.steps.values()):
        raise ConflictError("can't be committed yet", value=f"ECU {event.ecu}")
    return _with_step(state, event.ecu, Step.COMMITTED)


def _reverted(state: Installation, event: Reverted) -> Installation:
    return _with_step(state, event.ecu, Step.REVERTED)


def _step_failed(state: Installation, event: StepFailed) -> Installation:
    key = f"{event.work}:{event.subject}"
    tries = 1 if event.received_bytes else state.tries.get(key, 0) + 1
    if event.code in _ABOUT_CONTENT:
        key, tries = f"content:{event.subject}", state.tried("content", event.subject) + 1
    state = _with(
        state,
        tries={**state.tries, key: tries},
        received_bytes=state.received_bytes + event.received_bytes,
        not_before=event.at + state.policy.pause(tries),
    )
    if event.work == "revert":
        return state
    spoilt = _image_of_delta(state, event)
    if spoilt is not None:
        note = f"the delta could not be used ({event.code}), the full image was fetched"
        full_only = state.full_only | {spoilt}
        return _with(state, full_only=full_only, notes=(*state.notes, note), not_before=0.0)
    if event.is_final or tries >= _attempts(state.policy, event):
        ecu = event.subject if event.subject in state.steps else ""
        return _fail(state, Failure(event.code, event.detail, ecu))
    return state


def _attempts(policy: Policy, event: StepFailed) -> int:
    if event.code in _ABOUT_CONTENT:
        return policy.artifact_attempts
    limits = {
        "fetch": policy.fetch_attempts,
        "stage": policy.stage_attempts,
        "activate": policy.activate_attempts,
        "probe": policy.probe_attempts,
        "commit": policy.commit_attempts,
    }
    return limits.get(event.work, 1)


def _image_of_delta(state: Installation, event: StepFailed) -> Sha256 | None:
    """Return the image whose delta the failure spoils for good, if it is about a delta."""
    if event.work == "rebuild":
        return cast("Sha256", event.subject)
    if event.work != "fetch" or not (event.is_final or event.code == "download-hash"):
        return None
    deltas = ((ecu.delta, ecu.image) for ecu in state.plan.ecus)
    return next((image for delta, image in deltas if delta and delta.sha256 == event.subject), None)


def _fail(state: Installation, failure: Failure) -> Installation:
    """Turn round: nothing more goes forward; the way back starts at once."""
    return _with(state, failure=state.failure or failure, not_before=0.0)


def _withdrawn(state: Installation, _event: Withdrawn) -> Installation:
    if state.is_switched or state.outcome is not None:
        return state
    return _fail(state, Failure("withdrawn", "the offer was withdrawn or replaced"))


def _restarted(state: Installation, _event: Restarted) -> Installation:
    if not state.is_switched:
        return _with(state, conditions_met=False, not_before=0.0)
    state = _with(state, restarts=state.restarts + 1, not_before=0.0)
    is_committed = set(state.steps.values()) == {Step.COMMITTED}
    if state.failure is None and not is_committed and state.restarts > state.policy.restarts_max:
        return _fail(state, Failure("power-lost", f"{state.restarts} power cuts while switching"))
    if state.failure is not None:
        return state
    trial = (Step.ACTIVATED, Step.PROBED)
    steps = {
        serial: Step.ACTIVATING if step in trial else step for serial, step in state.steps.items()
    }
    return _with(state, steps=steps)


def _ended(state: Installation, event: Ended) -> Installation:
    steps = set(state.steps.values())
    wanted = {
        Outcome.CONFIRMED: steps <= {Step.COMMITTED} and state.failure is None,
        Outcome.FAILED: not state.is_switched and state.failure is not None,
        Outcome.ROLLED_BACK: Step.RESTORED in steps and steps.isdisjoint(SWITCHED),
    }
    if not wanted[event.outcome]:
        raise ConflictError(f"can't end as {event.outcome}", value="installation")
    return _with(state, outcome=event.outcome, not_before=0.0)


def _begun_twice(_state: Installation, _event: Begun) -> Installation:
    raise ConflictError("has begun already", value="installation")


_FOLDS: dict[type[Event], Callable[[Installation, Any], Installation]] = {
    Begun: _begun_twice,
    Fetched: _fetched,
    Rebuilt: _rebuilt,
    Staged: _staged,
    ConditionsChecked: _conditions,
    Activating: _activating,
    Activated: _activated,
    Probed: _probed,
    Committed: _committed,
    Reverted: _reverted,
    StepFailed: _step_failed,
    Withdrawn: _withdrawn,
    Restarted: _restarted,
    Ended: _ended,
}
