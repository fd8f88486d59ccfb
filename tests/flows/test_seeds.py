"""A thousand small rollouts, each with its own faults: every invariant holds in all of them."""

from collections import Counter

import pytest

from roadworthy.sim.replay import Failure, main, search
from roadworthy.sim.world import RunReport, World
from roadworthy.updates.campaign import CampaignState
from roadworthy.updates.gate import MemberStage

_SEEDS = 1000


def test_a_thousand_rollouts_keep_every_invariant() -> None:
    found = search(range(_SEEDS))
    failures = [answer for answer in found if isinstance(answer, Failure)]
    assert not failures, "\n".join(str(failure) for failure in failures)
    reports = [answer for answer in found if isinstance(answer, RunReport)]
    stages = Counter(stage for report in reports for stage in report.stages.values())
    states = Counter(report.state for report in reports)
    assert [report.seed for report in reports] == list(range(_SEEDS))
    assert min(states[CampaignState.FINISHED], states[CampaignState.PAUSED]) > _SEEDS // 20
    assert stages[MemberStage.CONFIRMED] > _SEEDS
    for failed in (MemberStage.FAILED, MemberStage.ROLLED_BACK, MemberStage.SILENT):
        assert stages[failed] > _SEEDS // 50
    assert sum(report.power_cuts for report in reports) > _SEEDS // 20


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = World(11).run(), World(11).run()
    assert first == second
    assert first != World(12).run()


@pytest.mark.parametrize("types", [("truck-40t", "car-d", "car-b"), ("truck-40t",) * 3])
def test_a_fleet_with_trucks_rolls_out_too(types: tuple[str, ...]) -> None:
    report = World(3, types).run()
    assert len(report.stages) == len(types)


def test_a_replay_says_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["7-8"]) == 0
    told = capsys.readouterr().out
    assert "seed 7: " in told
    assert "seed 8: " in told
    assert main(["x"]) == 2
    assert "usage" in capsys.readouterr().err
