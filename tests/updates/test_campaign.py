"""A campaign decides on counts, one wave after the other."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from roadworthy.base.errors import ConflictError, InputError
from roadworthy.base.ids import VehicleKey
from roadworthy.updates.campaign import (
    Aborted,
    Campaign,
    CampaignEvent,
    CampaignState,
    Finished,
    MarkSilent,
    OfferNext,
    Paused,
    Resumed,
    Started,
    Wave,
    WaveEnded,
    WaveStarted,
    check_campaign,
    decide,
    fold,
)
from roadworthy.updates.forgiveness import recovered
from roadworthy.updates.gate import FAILED, IN_PROGRESS, Gate, MemberStage, WaveCount

ONE, TWO = VehicleKey("v" + "1" * 16), VehicleKey("v" + "2" * 16)
DRAFT = Campaign(
    id="c",
    name="Winter",
    release_id="r",
    vehicle_types=(),
    waves=(Wave("canary", size=2), Wave("third", share=0.3), Wave("rest")),
    gate=Gate(failure_share_max=0.1, reached_min=3, soak_s=60.0, silent_after_s=3600.0),
    created_at=1.0,
    created_by="ann",
    offers_open_max=5,
)
RUNNING = fold(DRAFT, Started(100.0, "ann", (2, 3, 5)))
PAUSED = fold(RUNNING, Paused(110.0, "ann", "wait"))


def count(forgiven: int = 0, **stages: int) -> WaveCount:
    return WaveCount({MemberStage(name): number for name, number in stages.items()}, forgiven)


def act(
    campaign: Campaign, counted: WaveCount, *, last_ended_at: float = 0.0, now: float = 1000.0
) -> tuple[object, ...]:
    return decide(campaign, counted, last_ended_at=last_ended_at, now=now)


def test_starting_begins_the_first_wave_with_its_sizes() -> None:
    assert RUNNING.state is CampaignState.RUNNING
    assert [wave.size for wave in RUNNING.waves] == [2, 3, 5]
    assert [wave.started_at for wave in RUNNING.waves] == [100.0, 0.0, 0.0]
    assert (RUNNING.wave, RUNNING.started_at, RUNNING.changed_by) == (0, 100.0, "ann")


def test_a_draft_or_an_ended_campaign_does_nothing() -> None:
    for campaign in (
        DRAFT,
        fold(DRAFT, Aborted(5.0, "ann", "no")),
        fold(RUNNING, Aborted(5.0, "ann", "no")),
    ):
        assert act(campaign, count(waiting=2, offered=1)) == ()


def test_offers_go_out_up_to_the_limit_of_vehicles_at_work() -> None:
    assert act(RUNNING, count(waiting=9)) == (OfferNext(0, 5),)
    assert act(RUNNING, count(waiting=1)) == (OfferNext(0, 1),)
    assert act(RUNNING, count(waiting=9, offered=3))[1:] == (OfferNext(0, 2),)


def test_no_more_is_offered_when_as_many_or_more_are_at_work() -> None:
    silent = MarkSilent(since=1000.0 - 3600.0)
    assert act(RUNNING, count(waiting=9, staged=5)) == (silent,)
    assert act(RUNNING, count(waiting=9, staged=7)) == (silent,)


def test_a_paused_campaign_offers_nothing_but_still_notices_silence() -> None:
    assert act(PAUSED, count(waiting=9)) == ()
    assert act(PAUSED, count(waiting=9, offered=1)) == (MarkSilent(since=-2600.0),)
    assert act(PAUSED, count(confirmed=2), last_ended_at=1.0) == ()


def test_a_gate_that_pauses_stops_offers_and_says_why() -> None:
    (pause,) = act(RUNNING, count(failed=3, waiting=5))
    assert pause == Paused(1000.0, "gate", "3 of 3 vehicles failed, the gate allows 10%")


def test_a_wave_ends_only_after_it_rested_and_the_next_one_follows() -> None:
    done = count(confirmed=2)
    assert act(RUNNING, done, last_ended_at=950.0) == ()
    ended, started = act(RUNNING, done, last_ended_at=940.0)
    assert ended == WaveEnded(1000.0, 0, "0 of 2 vehicles failed")
    assert isinstance(started, WaveStarted)
    assert started.wave == 1
    assert "canary passed" in started.why


def test_the_last_wave_ends_the_campaign() -> None:
    campaign = RUNNING
    for wave in (0, 1):
        campaign = fold(campaign, WaveEnded(200.0, wave, "fine"))
        campaign = fold(campaign, WaveStarted(200.0, wave + 1, "next"))
    for effect in act(campaign, count(confirmed=5), last_ended_at=1.0):
        assert isinstance(effect, WaveEnded | Finished)
        campaign = fold(campaign, effect)
    assert campaign.state is CampaignState.FINISHED
    assert campaign.ended_at == 1000.0
    assert campaign.changed_by == "engine"


def test_resuming_accepts_the_failures_so_far_and_no_later_ones() -> None:
    resumed = fold(PAUSED, Resumed(120.0, "ann", "known fault", forgiven=3))
    assert resumed.state is CampaignState.RUNNING
    forgiven = resumed.waves[0].forgiven
    assert act(resumed, count(forgiven, failed=3, waiting=5)) == (OfferNext(0, 5),)
    assert isinstance(act(resumed, count(forgiven, failed=4, waiting=5))[0], Paused)


def test_a_new_failure_does_not_take_the_place_of_an_accepted_one_that_recovered() -> None:
    resumed = fold(PAUSED, Resumed(120.0, "ann", "known fault", forgiven=3))
    again = recovered(resumed, 0, failed_at=115.0)
    assert again.waves[0].forgiven == 2
    assert isinstance(act(again, count(2, failed=3, confirmed=1, waiting=5))[0], Paused)


def test_a_recovered_failure_that_nobody_accepted_leaves_the_accepted_ones() -> None:
    resumed = fold(PAUSED, Resumed(120.0, "ann", "known fault", forgiven=3))
    assert recovered(resumed, 0, failed_at=121.0) == resumed
    assert recovered(RUNNING, 0, failed_at=105.0) == RUNNING


EVENTS: list[CampaignEvent] = [
    Started(1.0, "ann", (1, 1, 1)),
    WaveEnded(1.0, 0, "why"),
    WaveStarted(1.0, 1, "why"),
    Paused(1.0, "ann", "why"),
    Resumed(1.0, "ann", "why", 0),
    Aborted(1.0, "ann", "why"),
    Finished(1.0, "why"),
]
ALLOWED: dict[CampaignState, set[type[CampaignEvent]]] = {
    CampaignState.DRAFT: {Started, Aborted},
    CampaignState.RUNNING: {WaveEnded, Paused, Aborted},
    CampaignState.PAUSED: {Resumed, Aborted},
    CampaignState.FINISHED: set(),
    CampaignState.ABORTED: set(),
}


@pytest.mark.parametrize("state", list(CampaignState))
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_that_the_state_does_not_allow_is_refused(
    state: CampaignState, event: CampaignEvent
) -> None:
    base = DRAFT if state is CampaignState.DRAFT else RUNNING
    campaign = msgspec.structs.replace(base, state=state)
    if type(event) in ALLOWED[state]:
        assert fold(campaign, event) != campaign
    else:
        with pytest.raises(ConflictError):
            fold(campaign, event)


FIRST_PASSED = fold(RUNNING, WaveEnded(1.0, 0, "why"))
SECOND = fold(FIRST_PASSED, WaveStarted(1.0, 1, "why"))


@pytest.mark.parametrize(
    ("campaign", "event"),
    [
        (DRAFT, Started(1.0, "ann", (1, 1))),
        (DRAFT, Started(1.0, "ann", (1, -1, 1))),
        (RUNNING, WaveStarted(1.0, 1, "the first wave has not passed")),
        (FIRST_PASSED, WaveStarted(1.0, 2, "skips one")),
        (FIRST_PASSED, WaveStarted(1.0, 0, "again")),
        (FIRST_PASSED, WaveEnded(1.0, 0, "again")),
        (SECOND, WaveStarted(1.0, 2, "the second wave has not passed")),
        (SECOND, WaveEnded(1.0, 0, "long past")),
        (SECOND, WaveEnded(1.0, -1, "no such wave")),
        (SECOND, Finished(1.0, "too early")),
        (PAUSED, Resumed(1.0, "ann", "why", -1)),
    ],
    ids=repr,
)
def test_an_event_out_of_turn_is_refused(campaign: Campaign, event: CampaignEvent) -> None:
    with pytest.raises(ConflictError, match="out of turn"):
        fold(campaign, event)


@pytest.mark.parametrize(
    "changes",
    [
        {"waves": ()},
        {"waves": tuple(Wave("w", size=1) for _ in range(51))},
        {"waves": (Wave("w", size=-1),)},
        {"waves": (Wave("w", share=1.5),)},
        {"waves": (Wave("w", share=float("nan")),)},
        {"waves": (Wave("empty"), Wave("rest"))},
        {"waves": (Wave("a", vehicles=(ONE,)), Wave("b", vehicles=(TWO, ONE)))},
        {"offers_open_max": 0},
        {"gate": Gate(reached_min=0)},
    ],
)
def test_a_campaign_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    check_campaign(DRAFT)
    with pytest.raises(InputError):
        check_campaign(msgspec.structs.replace(DRAFT, **changes))


def test_a_first_wave_of_named_vehicles_needs_no_size() -> None:
    check_campaign(msgspec.structs.replace(DRAFT, waves=(Wave("a", vehicles=(ONE,)), Wave("rest"))))


class Car(msgspec.Struct):
    """One vehicle of the rollout as the store would know it."""

    wave: int
    stage: MemberStage = MemberStage.WAITING
    heard: float = 0.0
    ended: float = 0.0
    accepted: bool = False


class Rollout(RuleBasedStateMachine):
    """A fleet in which anything may happen to a vehicle at any time."""

    @initialize(
        sizes=st.tuples(*[st.integers(0, 6)] * 3),
        share=st.sampled_from([0.0, 0.2, 0.5]),
        soak_s=st.sampled_from([0.0, 10.0]),
        open_max=st.integers(1, 4),
    )
    def begin(
        self, sizes: tuple[int, int, int], share: float, soak_s: float, open_max: int
    ) -> None:
        self.now = 100.0
        self.members = [Car(wave) for wave, size in enumerate(sizes) for _ in range(size)]
        gate = Gate(share, reached_min=2, soak_s=soak_s, silent_after_s=50.0)
        draft = msgspec.structs.replace(DRAFT, gate=gate, offers_open_max=open_max)
        self.campaign = fold(draft, Started(self.now, "ann", sizes))

    def count(self, wave: int) -> WaveCount:
        stages = Counter(one.stage for one in self.members if one.wave == wave)
        return WaveCount(dict(stages), self.campaign.waves[wave].forgiven)

    def end(self, member: Car, stage: MemberStage) -> None:
        member.stage, member.ended = stage, self.now

    @rule(after_s=st.sampled_from([1.0, 11.0, 60.0]))
    def time_passes(self, after_s: float) -> None:
        self.now += after_s

    @precondition(lambda self: any(one.stage in IN_PROGRESS for one in self.members))
    @rule(data=st.data(), stage=st.sampled_from([*IN_PROGRESS, *FAILED, MemberStage.CONFIRMED]))
    def a_vehicle_reports(self, data: st.DataObject, stage: MemberStage) -> None:
        member = data.draw(
            st.sampled_from([one for one in self.members if one.stage in IN_PROGRESS])
        )
        member.stage, member.heard = stage, self.now
        if stage not in IN_PROGRESS:
            self.end(member, stage)

    @precondition(lambda self: any(one.stage is MemberStage.SILENT for one in self.members))
    @rule(data=st.data(), stage=st.sampled_from([MemberStage.CONFIRMED, MemberStage.ROLLED_BACK]))
    def a_silent_vehicle_ends_after_all(self, data: st.DataObject, stage: MemberStage) -> None:
        silent = [one for one in self.members if one.stage is MemberStage.SILENT]
        member = data.draw(st.sampled_from(silent))
        if stage is MemberStage.CONFIRMED:
            self.campaign = recovered(self.campaign, member.wave, failed_at=member.ended)
        self.end(member, stage)

    @precondition(lambda self: self.campaign.state is CampaignState.RUNNING)
    @rule()
    def a_person_pauses(self) -> None:
        self.campaign = fold(self.campaign, Paused(self.now, "ann", "why"))

    @precondition(lambda self: self.campaign.state is CampaignState.PAUSED)
    @rule()
    def a_person_resumes(self) -> None:
        failed = self.count(self.campaign.wave).failed
        self.campaign = fold(self.campaign, Resumed(self.now, "ann", "why", failed))
        for member in self.members:
            if member.wave == self.campaign.wave and member.stage in FAILED:
                member.accepted = True
        self.now += 1.0

    @rule()
    def the_engine_ticks(self) -> None:
        wave = self.campaign.wave
        last = max((one.ended for one in self.members if one.wave == wave), default=0.0)
        was_paused = self.campaign.state is CampaignState.PAUSED
        for effect in decide(self.campaign, self.count(wave), last_ended_at=last, now=self.now):
            if isinstance(effect, MarkSilent):
                self.mark_silent(effect)
            elif isinstance(effect, OfferNext):
                assert not was_paused
                self.offer(effect)
            else:
                self.campaign = fold(self.campaign, effect)

    def mark_silent(self, effect: MarkSilent) -> None:
        for member in self.members:
            if member.stage in IN_PROGRESS and member.heard < effect.since:
                self.end(member, MemberStage.SILENT)

    def offer(self, effect: OfferNext) -> None:
        waiting = [
            one
            for one in self.members
            if one.wave == effect.wave and one.stage is MemberStage.WAITING
        ]
        assert 0 < effect.limit <= len(waiting)
        for member in waiting[: effect.limit]:
            member.stage, member.heard = MemberStage.OFFERED, self.now

    @invariant()
    def no_wave_starts_before_the_former_one_passed(self) -> None:
        for wave in range(len(self.campaign.waves)):
            counted = self.count(wave)
            if wave < self.campaign.wave:
                assert counted.ended
                share = self.campaign.gate.failure_share_max
                assert counted.failed - counted.forgiven <= share * counted.reached
            if wave > self.campaign.wave:
                assert counted.waiting == counted.size

    @invariant()
    def exactly_the_failures_that_nobody_accepted_count_against_the_gate(self) -> None:
        for wave in range(len(self.campaign.waves)):
            counted = self.count(wave)
            failed = [one for one in self.members if one.wave == wave and one.stage in FAILED]
            assert counted.failed - counted.forgiven == sum(not one.accepted for one in failed)

    @invariant()
    def no_more_vehicles_work_than_allowed(self) -> None:
        working = sum(one.stage in IN_PROGRESS for one in self.members)
        assert working <= self.campaign.offers_open_max

    @invariant()
    def a_finished_campaign_has_no_vehicle_left(self) -> None:
        if self.campaign.state is CampaignState.FINISHED:
            assert all(self.count(wave).ended for wave in range(len(self.campaign.waves)))
            assert all(wave.ended_at for wave in self.campaign.waves)


Rollout.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRollout = Rollout.TestCase


@given(sizes=st.tuples(*[st.integers(0, 20)] * 3), faulty=st.sets(st.integers(0, 59), max_size=3))
def test_a_patient_operator_always_reaches_the_end(
    sizes: tuple[int, int, int], faulty: set[int]
) -> None:
    campaign, now = fold(DRAFT, Started(0.5, "ann", sizes)), 1.0
    stages = [[MemberStage.WAITING] * size for size in sizes]
    number = 0
    for _ in range(200):
        if campaign.state is CampaignState.FINISHED:
            break
        now += 100.0
        counted = WaveCount(Counter(stages[campaign.wave]), campaign.waves[campaign.wave].forgiven)
        for effect in decide(campaign, counted, last_ended_at=now - 100.0, now=now):
            if isinstance(effect, OfferNext):
                wave = stages[effect.wave]
                for _ in range(effect.limit):
                    place = wave.index(MemberStage.WAITING)
                    failed = number in faulty
                    wave[place] = MemberStage.FAILED if failed else MemberStage.CONFIRMED
                    number += 1
            elif not isinstance(effect, MarkSilent):
                campaign = fold(campaign, effect)
        if campaign.state is CampaignState.PAUSED:
            campaign = fold(campaign, Resumed(now, "ann", "go on", counted.failed))
    assert campaign.state is CampaignState.FINISHED
    assert number == sum(sizes)


def test_the_engine_stands_behind_the_reason_of_a_new_wave() -> None:
    ended = fold(RUNNING, WaveEnded(at=200.0, wave=0, why="none failed"))
    following = fold(ended, WaveStarted(at=201.0, wave=1, why="canary passed"))
    assert (following.reason, following.changed_by) == ("canary passed", "engine")
    assert following.changed_at == 201.0
