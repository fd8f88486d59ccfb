"""The installation: what happened so far (`fold`) and what is to be done next (`decide`).

    download → rebuild → stage every ECU → preconditions → activate and probe, order by order
    → commit all → CONFIRMED
    a failure before the first activation → FAILED; every ECU keeps what it ran
    a failure after it → revert and check every activated ECU in reverse order → ROLLED_BACK

Rules:
1. No ECU is activated before every ECU has its image staged and checked (rule of the UCM
   Master of AUTOSAR AP and of Mender Orchestrator: all of the vehicle or nothing of it).
2. The intent to activate is on record before the first byte of it is sent, so that a power cut
   can't hide an activation.
3. What an ECU runs is what it says itself after its reset, never what it was told.
4. A power cut while ECUs are on trial makes them fall back; they are activated and probed
   again, up to `restarts_max` cuts, then everything is reverted.
5. A failure in the commit pass reverts committed ECUs too: their other slot still holds the old
   image.
6. Reverting has no last try. A vehicle that can't be brought back stays not drivable and reports
   no end; the campaign counts its silence as failure.

The functions are pure. The owner appends each event to the journal before it acts on the next
effect; `replay` of any whole prefix gives the state to go on from.
"""

from collections.abc import Iterator

from roadworthy.base.ids import Sha256
from roadworthy.trust.targets import DeltaTarget
from roadworthy.updates.install_events import (
    Activate,
    Activating,
    CheckConditions,
    Commit,
    Effect,
    Ended,
    Fetch,
    Probe,
    Rebuild,
    Record,
    Revert,
    StageEcu,
    Wait,
)
from roadworthy.updates.install_plan import EcuPlan, Step
from roadworthy.updates.install_state import SWITCHED, Installation, fold, replay
from roadworthy.updates.reports import Outcome

__all__ = ["Installation", "decide", "fold", "replay"]

_ROUNDING_S = 1.0


def decide(state: Installation, now: float) -> Effect | None:
    """Return the next effect; None when the installation has ended."""
    if state.outcome is not None:
        return None
    if _is_pausing(state, now):
        return Wait(state.not_before)
    if state.failure is not None:
        return _back_out(state, now)
    return next(_forward(state, now))


def _is_pausing(state: Installation, now: float) -> bool:
    """Say whether a pause goes on; one that is too long to be ours means that the clock jumped."""
    longest_s = max(state.policy.pause_max_s, state.policy.conditions_pause_s)
    return 0.0 < state.not_before - now <= longest_s + _ROUNDING_S


def _forward(state: Installation, now: float) -> Iterator[Effect]:
    """Yield what the way to CONFIRMED still needs, the next one first."""
    yield from _prepare(state)
    for order in sorted({ecu.order for ecu in state.plan.ecus}):
        yield from _switch_over(state, order, now)
    for ecu in state.plan.ecus:
        if state.steps[ecu.serial] is not Step.COMMITTED:
            yield Commit(ecu.serial, ecu.image)
    yield Record(Ended(now, Outcome.CONFIRMED))


def _prepare(state: Installation) -> Iterator[Effect]:
    for ecu in state.plan.ecus:
        if ecu.image not in state.ready:
            yield _obtain(state, ecu)
    for ecu in state.plan.ecus:
        if state.steps[ecu.serial] is Step.PLANNED:
            yield StageEcu(ecu.serial, ecu.image)
    if state.plan.ecus and not state.is_switched and not state.conditions_met:
        yield CheckConditions(state.policy.battery_percent_min)


def _obtain(state: Installation, ecu: EcuPlan) -> Effect:
    delta = _usable_delta(state, ecu.image)
    if delta is None:
        return Fetch(ecu.image, ecu.length_bytes)
    if delta.sha256 in state.patches:
        return Rebuild(ecu.image, ecu.length_bytes, delta)
    return Fetch(delta.sha256, delta.length_bytes)


def _usable_delta(state: Installation, image: Sha256) -> DeltaTarget | None:
    if image in state.full_only:
        return None
    deltas = (ecu.delta for ecu in state.plan.ecus if ecu.image == image)
    return next((delta for delta in deltas if delta and delta.base_sha256 in state.stored), None)


def _switch_over(state: Installation, order: int, now: float) -> Iterator[Effect]:
    group = [ecu for ecu in state.plan.ecus if ecu.order == order]
    for ecu in group:
        if state.steps[ecu.serial] is Step.STAGED:
            yield Record(Activating(now, ecu.serial))
        if state.steps[ecu.serial] is Step.ACTIVATING:
            yield Activate(ecu.serial, ecu.image)
    for ecu in group:
        if state.steps[ecu.serial] is Step.ACTIVATED:
            yield Probe(ecu.serial)


def _back_out(state: Installation, now: float) -> Effect:
    """Return the next effect on the way back; ECUs that failed least come first."""
    if not state.is_switched:
        return Record(Ended(now, Outcome.FAILED))
    pending = [
        ecu
        for ecu in reversed(state.plan.ecus)
        if state.steps[ecu.serial] in {*SWITCHED, Step.REVERTED}
    ]
    if not pending:
        return Record(Ended(now, Outcome.ROLLED_BACK))
    ecu = min(pending, key=lambda ecu: state.tried("revert", ecu.serial))
    if state.steps[ecu.serial] is Step.REVERTED:
        return Probe(ecu.serial)
    return Revert(ecu.serial, ecu.old)
