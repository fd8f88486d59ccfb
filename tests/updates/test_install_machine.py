"""The installation as a pure machine: what it asks for, and what it makes of the answers."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.errors import ConflictError, InputError
from roadworthy.base.ids import EcuSerial, Sha256
from roadworthy.trust.targets import DeltaTarget
from roadworthy.updates.install import Installation, decide, fold, replay
from roadworthy.updates.install_events import (
    Activate,
    Activated,
    Activating,
    Begun,
    CheckConditions,
    Commit,
    Committed,
    ConditionsChecked,
    Effect,
    Ended,
    Event,
    Fetch,
    Fetched,
    Probe,
    Probed,
    Rebuild,
    Rebuilt,
    Record,
    Restarted,
    Revert,
    Reverted,
    Staged,
    StageEcu,
    StepFailed,
    Wait,
    Withdrawn,
    Work,
    decode_event,
)
from roadworthy.updates.install_plan import EcuPlan, Plan, Policy, Step
from roadworthy.updates.journal import encode_record, read_records
from roadworthy.updates.reports import Outcome, Stage


def sha(number: int) -> Sha256:
    return Sha256(f"{number:064x}")


OLD, BRAKE, CLUSTER, PATCH, BASE = sha(1), sha(2), sha(3), sha(4), sha(5)
PLAN = Plan(
    offer="offer-1",
    ecus=(
        EcuPlan(EcuSerial("brake"), 0, OLD, BRAKE, 100, DeltaTarget(OLD, PATCH, 10)),
        EcuPlan(EcuSerial("cluster"), 1, BASE, CLUSTER, 200),
    ),
    director_targets=b"{}",
)
BEGUN = Begun(at=0.0, plan=PLAN, stored=frozenset({OLD}))


def answer(state: Installation, effect: Effect) -> Event:  # noqa: C901, PLR0911 - one per effect
    """Return what follows when everything goes well."""
    now = 1.0
    match effect:
        case Fetch(artifact, length):
            return Fetched(now, artifact, length)
        case Rebuild(image):
            return Rebuilt(now, image)
        case StageEcu(ecu):
            return Staged(now, ecu)
        case CheckConditions():
            return ConditionsChecked(now)
        case Activate(ecu):
            return Activated(now, ecu)
        case Probe(ecu):
            is_back = state.steps[ecu] is Step.REVERTED
            return Probed(now, ecu, state.ecu(ecu).old if is_back else state.ecu(ecu).image)
        case Commit(ecu):
            return Committed(now, ecu)
        case Revert(ecu):
            return Reverted(now, ecu)
        case Record(event):
            return event
    raise AssertionError(effect)


def effects_until_end(state: Installation) -> list[Effect]:
    found: list[Effect] = []
    now = 1.0
    while (effect := decide(state, now)) is not None:
        found.append(effect)
        state = fold(state, answer(state, effect))
    return found


def begin() -> Installation:
    state = replay([BEGUN])
    assert state is not None
    return state


def run(state: Installation, until: type[Effect], ecu: str = "") -> Installation:
    """Go on without a fault up to the first effect of that kind (for that ECU)."""
    while True:
        effect = decide(state, 1.0)
        assert effect is not None
        if isinstance(effect, until) and (not ecu or getattr(effect, "ecu", "") == ecu):
            return state
        state = fold(state, answer(state, effect))


def finish(state: Installation, now: float = 1.0) -> Installation:
    while (effect := decide(state, now)) is not None:
        if isinstance(effect, Wait):
            now = effect.until
        else:
            state = fold(state, answer(state, effect))
    return state


def test_an_installation_without_faults_goes_through_every_step_in_order() -> None:
    kinds = [
        type(effect.event) if isinstance(effect, Record) else type(effect)
        for effect in effects_until_end(begin())
    ]
    switch = [Activating, Activate, Probe]
    assert kinds == [
        *(Fetch, Rebuild, Fetch),
        *(StageEcu, StageEcu, CheckConditions),
        *(switch + switch),
        *(Commit, Commit, Ended),
    ]


def test_the_delta_is_fetched_when_its_base_is_stored_and_the_full_image_otherwise() -> None:
    assert decide(begin(), 0.0) == Fetch(PATCH, 10)
    without_base = replay([Begun(at=0.0, plan=PLAN)])
    assert without_base is not None
    assert decide(without_base, 0.0) == Fetch(BRAKE, 100)


def test_an_image_that_is_stored_already_is_not_fetched() -> None:
    stored = frozenset({BRAKE, CLUSTER})
    state = replay([Begun(at=0.0, plan=PLAN, stored=stored)])
    assert state is not None
    assert decide(state, 0.0) == StageEcu(EcuSerial("brake"), BRAKE)
    assert state.stage is Stage.VERIFIED


@pytest.mark.parametrize("work", ["fetch", "rebuild"])
def test_a_bad_delta_falls_back_once_to_the_full_image(work: Work) -> None:
    state = run(begin(), Fetch if work == "fetch" else Rebuild)
    subject = PATCH if work == "fetch" else BRAKE
    state = fold(state, StepFailed(1.0, work, subject, "bad-delta", is_final=True))
    assert decide(state, 1.0) == Fetch(BRAKE, 100)
    ended = finish(state)
    assert ended.outcome is Outcome.CONFIRMED
    assert "bad-delta" in ended.notes[0]


def test_a_full_image_with_a_wrong_hash_is_fetched_once_more_and_then_fails() -> None:
    state = replay([Begun(at=0.0, plan=PLAN)])
    assert state is not None
    event = StepFailed(1.0, "fetch", BRAKE, "download-hash")
    state = fold(state, event)
    assert isinstance(decide(state, 1.0), Wait)
    state = fold(state, event)
    assert finish(state).outcome is Outcome.FAILED


def test_a_download_that_brings_bytes_may_break_any_number_of_times() -> None:
    state = begin()
    for _ in range(100):
        state = fold(state, StepFailed(1.0, "fetch", PATCH, "link", received_bytes=1))
    assert state.failure is None
    assert state.received_bytes == 100
    for _ in range(state.policy.fetch_attempts):
        state = fold(state, StepFailed(1.0, "fetch", PATCH, "link"))
    assert state.failure is not None
    assert state.failure.code == "link"


def test_tries_wait_longer_each_time_up_to_a_maximum() -> None:
    policy = Policy(pause_s=2.0, pause_max_s=10.0)
    assert [policy.pause(tries) for tries in (1, 2, 3, 4, 5000)] == [2.0, 4.0, 8.0, 10.0, 10.0]


def test_an_ecu_that_refuses_the_image_leaves_all_ecus_as_they_were() -> None:
    state = run(begin(), StageEcu, "cluster")
    state = fold(state, StepFailed(1.0, "stage", "cluster", "ecu-rejected", "no", is_final=True))
    ended = finish(state)
    assert ended.outcome is Outcome.FAILED
    assert ended.failure is not None
    assert ended.failure.ecu == "cluster"


def test_the_intent_to_activate_is_on_record_before_the_effect() -> None:
    state = run(begin(), Record)
    assert decide(state, 1.0) == Record(Activating(1.0, EcuSerial("brake")))
    state = fold(state, Activating(1.0, EcuSerial("brake")))
    assert decide(state, 1.0) == Activate(EcuSerial("brake"), BRAKE)


def test_the_vehicle_is_not_drivable_from_the_first_activation_to_the_end() -> None:
    state = run(begin(), Record)
    assert state.drivable
    state = run(state, Activate)
    assert not state.drivable
    state = run(state, Commit)
    assert not state.drivable
    assert finish(state).drivable


def test_a_wrong_image_after_the_reset_reverts_the_activated_in_reverse_order() -> None:
    state = run(begin(), Probe, "cluster")
    state = fold(state, Probed(1.0, EcuSerial("cluster"), BASE))
    reverts = [effect.ecu for effect in effects_until_end(state) if isinstance(effect, Revert)]
    assert reverts == ["cluster", "brake"]
    ended = finish(state)
    assert ended.outcome is Outcome.ROLLED_BACK
    assert ended.failure is not None
    assert ended.failure.code == "probe-mismatch"


def test_a_failure_in_the_commit_pass_reverts_committed_ecus_too() -> None:
    state = run(begin(), Commit, "cluster")
    state = fold(state, StepFailed(1.0, "commit", "cluster", "ecu-rejected", is_final=True))
    assert finish(state).outcome is Outcome.ROLLED_BACK


def test_reverting_does_not_give_up_and_does_not_claim_an_end() -> None:
    state = run(begin(), Probe, "cluster")
    state = fold(state, Probed(1.0, EcuSerial("cluster"), BASE))
    now = 1.0
    for _ in range(200):
        effect = decide(state, now)
        assert effect is not None
        if isinstance(effect, Wait):
            now = effect.until
        elif isinstance(effect, Revert) and effect.ecu == "cluster":
            state = fold(state, StepFailed(now, "revert", "cluster", "ecu-timeout"))
        else:
            state = fold(state, answer(state, effect))
    assert state.outcome is None
    assert not state.drivable
    assert state.steps[EcuSerial("brake")] is Step.RESTORED
    assert finish(state, now).outcome is Outcome.ROLLED_BACK


def test_unmet_preconditions_are_waited_for_and_then_fail() -> None:
    state = run(begin(), CheckConditions)
    state = fold(state, ConditionsChecked(10.0, ("parked", "battery")))
    assert decide(state, 10.0) == Wait(10.0 + state.policy.conditions_pause_s)
    late = 10.0 + state.policy.conditions_wait_s
    state = fold(state, ConditionsChecked(late, ("parked",)))
    ended = finish(state, late)
    assert ended.outcome is Outcome.FAILED
    assert ended.failure is not None
    assert ended.failure.code == "preconditions"


def test_a_clock_that_jumps_back_does_not_prolong_a_pause() -> None:
    state = run(begin(), CheckConditions)
    state = fold(state, ConditionsChecked(1e9, ("parked",)))
    assert isinstance(decide(state, 1e9 + 1), Wait)
    assert isinstance(decide(state, 1e6), CheckConditions)


def test_a_withdrawn_offer_ends_before_activation_and_is_ignored_after_it() -> None:
    state = run(begin(), Record)
    ended = finish(fold(state, Withdrawn(1.0)))
    assert ended.failure is not None
    assert (ended.outcome, ended.failure.code) == (Outcome.FAILED, "withdrawn")
    switched = fold(run(state, Activate), Withdrawn(1.0))
    assert finish(switched).outcome is Outcome.CONFIRMED


def test_after_a_power_cut_on_trial_the_ecus_are_activated_and_probed_again() -> None:
    state = run(begin(), Commit, "cluster")
    state = fold(state, Restarted(2.0))
    assert decide(state, 2.0) == Activate(EcuSerial("cluster"), CLUSTER)
    assert finish(state).outcome is Outcome.CONFIRMED


def test_too_many_power_cuts_while_switching_roll_back() -> None:
    state = run(begin(), Probe, "cluster")
    for _ in range(state.policy.restarts_max + 1):
        state = fold(state, Restarted(2.0))
    ended = finish(state)
    assert ended.outcome is Outcome.ROLLED_BACK


def test_preconditions_are_looked_at_again_after_a_power_cut() -> None:
    state = run(begin(), Record)
    state = fold(state, Restarted(2.0))
    assert isinstance(decide(state, 2.0), CheckConditions)


def test_events_that_would_break_the_rules_are_refused() -> None:
    state = begin()
    brake = EcuSerial("brake")
    for event in (
        Activating(1.0, brake),
        Committed(1.0, brake),
        Staged(1.0, EcuSerial("radio")),
        Ended(1.0, Outcome.CONFIRMED),
        Ended(1.0, Outcome.FAILED),
        Ended(1.0, Outcome.ROLLED_BACK),
        BEGUN,
    ):
        with pytest.raises(ConflictError):
            fold(state, event)
    with pytest.raises(ConflictError):
        replay([Staged(1.0, brake)])


@given(data=st.binary(max_size=200))
def test_any_bytes_are_an_event_or_a_typed_error(data: bytes) -> None:
    with contextlib.suppress(InputError):
        decode_event(data)


@given(texts=st.lists(st.binary().filter(lambda text: b"\n" not in text)), tail=st.binary())
def test_a_journal_reads_back_what_was_appended_whatever_follows(
    texts: list[bytes], tail: bytes
) -> None:
    whole = b"".join(encode_record(text) for text in texts)
    records = read_records(whole + tail)
    assert list(records.texts[: len(texts)]) == texts
    assert records.whole_bytes >= len(whole)
