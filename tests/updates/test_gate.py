"""A gate lets a wave pass, holds it, or pauses the campaign, and says why."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.errors import InputError
from roadworthy.updates.gate import (
    ENDED,
    FAILED,
    IN_PROGRESS,
    Gate,
    MemberStage,
    WaveCount,
    judge,
)

GATE = Gate(failure_share_max=0.1, reached_min=3)
COUNTS = st.dictionaries(st.sampled_from(list(MemberStage)), st.integers(0, 30))
GATES = st.builds(
    Gate,
    failure_share_max=st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0]),
    reached_min=st.integers(1, 10),
    soak_s=st.sampled_from([0.0, 60.0]),
)


def count(forgiven: int = 0, **stages: int) -> WaveCount:
    named = {MemberStage(name.replace("_", "-")): number for name, number in stages.items()}
    return WaveCount(named, forgiven)


def answer(counted: WaveCount, gate: Gate = GATE, ended_for_s: float = 1e9) -> str:
    return judge(gate, counted, ended_for_s=ended_for_s).answer


def test_every_stage_is_waiting_in_progress_or_ended() -> None:
    kinds = [(MemberStage.WAITING,), IN_PROGRESS, ENDED]
    assert sorted(stage for kind in kinds for stage in kind) == sorted(MemberStage)
    assert set(FAILED) <= set(ENDED)


def test_counts_add_up() -> None:
    counted = count(waiting=1, offered=2, staged=3, confirmed=4, current=5, failed=6, silent=7)
    assert counted.size == 28
    assert (counted.waiting, counted.in_progress) == (1, 5)
    assert (counted.failed, counted.reached) == (13, 17)
    assert not counted.ended


def test_a_silent_vehicle_counts_as_failed() -> None:
    assert answer(count(confirmed=8, silent=2)) == "pause"
    assert answer(count(confirmed=8, failed=2)) == "pause"
    assert answer(count(confirmed=8, rolled_back=2)) == "pause"
    assert answer(count(confirmed=10)) == "pass"


def test_an_offer_or_a_switch_over_alone_is_no_success() -> None:
    assert answer(count(activated=10)) == "hold"
    assert count(activated=10).reached == 0


def test_too_few_ends_do_not_judge_a_wave_that_still_runs() -> None:
    assert answer(count(failed=2, offered=8)) == "hold"
    assert answer(count(failed=3, offered=7)) == "pause"


def test_a_wave_smaller_than_the_minimum_is_judged_at_its_end() -> None:
    assert answer(count(failed=1, confirmed=1)) == "pause"
    assert answer(count(failed=1, current=5)) == "pause"


def test_a_share_on_the_limit_is_allowed() -> None:
    assert answer(count(failed=1, confirmed=9)) == "pass"


def test_a_finished_wave_rests_before_it_passes() -> None:
    gate = Gate(soak_s=60.0)
    assert answer(count(confirmed=5), gate, ended_for_s=59.0) == "hold"
    assert answer(count(confirmed=5), gate, ended_for_s=60.0) == "pass"


def test_failures_that_a_person_accepted_do_not_pause_again_but_are_named() -> None:
    verdict = judge(GATE, count(forgiven=3, failed=3, confirmed=1), ended_for_s=0.0)
    assert verdict.passes
    assert verdict.why == "0 of 4 vehicles failed besides 3 that a person accepted"
    assert answer(count(forgiven=3, failed=4, confirmed=1)) == "pause"


def test_more_accepted_than_failed_is_no_bonus() -> None:
    assert answer(count(forgiven=5, failed=3, confirmed=7)) == "pass"


@given(counts=COUNTS, gate=GATES, forgiven=st.integers(0, 5), ended_for_s=st.floats(0, 120))
def test_nothing_passes_that_runs_rests_or_failed_too_often(
    counts: dict[MemberStage, int], gate: Gate, forgiven: int, ended_for_s: float
) -> None:
    counted = WaveCount(counts, forgiven)
    verdict = judge(gate, counted, ended_for_s=ended_for_s)
    assert verdict.passes + verdict.pauses + (verdict.answer == "hold") == 1
    if verdict.passes:
        assert counted.ended
        assert ended_for_s >= gate.soak_s
        assert counted.failed - forgiven <= gate.failure_share_max * counted.reached
    if verdict.pauses:
        assert counted.failed > forgiven
        assert counted.ended or counted.reached >= gate.reached_min


@given(counts=COUNTS, gate=GATES, stage=st.sampled_from(FAILED))
def test_one_more_failure_never_turns_a_pause_into_a_pass(
    counts: dict[MemberStage, int], gate: Gate, stage: MemberStage
) -> None:
    before = WaveCount(counts)
    after = WaveCount({**counts, stage: counts.get(stage, 0) + 1})
    if judge(gate, before, ended_for_s=1e9).pauses:
        assert judge(gate, after, ended_for_s=1e9).pauses


@pytest.mark.parametrize(
    "changes",
    [
        {"failure_share_max": -0.1},
        {"failure_share_max": 1.1},
        {"failure_share_max": math.nan},
        {"reached_min": 0},
        {"soak_s": -1.0},
        {"soak_s": math.nan},
        {"soak_s": math.inf},
        {"silent_after_s": 0.0},
        {"silent_after_s": math.inf},
        {"silent_after_s": math.nan},
    ],
)
def test_limits_out_of_range_are_refused(changes: dict[str, float]) -> None:
    Gate().check()
    with pytest.raises(InputError):
        msgspec.structs.replace(Gate(), **changes).check()
