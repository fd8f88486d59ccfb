"""Laws of the installation: whatever fails and whenever the power goes, all old or all new."""

from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.base.ids import EcuSerial, Sha256
from roadworthy.trust.targets import DeltaTarget
from roadworthy.updates.install import Installation, decide, fold, replay
from roadworthy.updates.install_events import (
    Activate,
    Activated,
    Begun,
    CheckConditions,
    Commit,
    Committed,
    ConditionsChecked,
    Effect,
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
    encode_event,
)
from roadworthy.updates.install_plan import EcuPlan, Plan
from roadworthy.updates.journal import encode_record, read_records
from roadworthy.updates.reports import Outcome


def sha(number: int) -> Sha256:
    return Sha256(f"{number:064x}")


WORKS: dict[type[Effect], Work] = {
    Fetch: "fetch",
    Rebuild: "rebuild",
    StageEcu: "stage",
    Activate: "activate",
    Probe: "probe",
    Commit: "commit",
    Revert: "revert",
}


def failed(effect: Effect, now: float, *, is_final: bool) -> Event:
    if type(effect) not in WORKS:
        return ConditionsChecked(now, ("parked",))
    names = [getattr(effect, name, "") for name in ("ecu", "artifact", "image")]
    subject = next(name for name in names if name)
    return StepFailed(now, WORKS[type(effect)], subject, "ecu-rejected", is_final=is_final)


class World:
    """ECUs with two slots that do what effects ask; uncommitted images fall back."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.committed = {ecu.serial: ecu.old for ecu in plan.ecus}
        self.running = dict(self.committed)
        self.slot: dict[EcuSerial, Sha256] = {}
        self.activations = 0

    def is_all_old(self) -> bool:
        return self.running == self.committed == {ecu.serial: ecu.old for ecu in self.plan.ecus}

    def is_all_new(self) -> bool:
        return self.running == self.committed == {ecu.serial: ecu.image for ecu in self.plan.ecus}

    def cut_power(self) -> None:
        self.running = dict(self.committed)

    def do(self, effect: Effect, now: float) -> Event:
        match effect:
            case Fetch(artifact, length):
                return Fetched(now, artifact, length)
            case Rebuild(image):
                return Rebuilt(now, image)
            case CheckConditions():
                return ConditionsChecked(now)
            case Record(event):
                return event
            case _:
                return self.do_to_ecu(effect, now)

    def do_to_ecu(self, effect: Effect, now: float) -> Event:
        match effect:
            case StageEcu(ecu, image):
                self.slot[ecu] = image
                return Staged(now, ecu)
            case Activate(ecu, image):
                assert len(self.slot) == len(self.plan.ecus), "activated before all are staged"
                assert self.slot[ecu] == image
                self.running[ecu] = image
                self.activations += 1
                return Activated(now, ecu)
            case Probe(ecu):
                return Probed(now, ecu, self.running[ecu])
            case Commit(ecu, image):
                assert self.running[ecu] == image
                self.committed[ecu] = image
                return Committed(now, ecu)
        assert isinstance(effect, Revert)
        self.running[effect.ecu] = self.committed[effect.ecu] = effect.old
        return Reverted(now, effect.ecu)


class Vehicle:
    """A driver of the machine with a journal that power cuts tear."""

    def __init__(self, plan: Plan) -> None:
        self.world = World(plan)
        self.journal = b""
        self.now = 0.0
        self.state: Installation | None = None
        self.note(Begun(at=0.0, plan=plan, stored=frozenset(ecu.old for ecu in plan.ecus)))

    def note(self, event: Event) -> None:
        self.journal += encode_record(encode_event(event))
        self.state = fold(self.state, event) if self.state else replay([event])

    def cut_power(self, torn: bytes) -> None:
        self.world.cut_power()
        records = read_records(self.journal + torn)
        self.journal = self.journal[: records.whole_bytes]
        self.state = replay(decode_event(text) for text in records.texts)
        self.note(Restarted(self.now))

    def play(self, effect: Effect, choice: str, torn: bytes) -> None:
        self.now += 1.0
        if choice == "withdraw":
            self.note(Withdrawn(self.now))
        elif choice == "cut-after" and not isinstance(effect, (Wait, Record)):
            self.world.do(effect, self.now)
            self.cut_power(torn)
        elif choice.startswith("cut"):
            self.cut_power(torn)
        elif isinstance(effect, Wait):
            self.now = max(self.now, effect.until)
        elif choice == "do" or isinstance(effect, Record):
            self.note(self.world.do(effect, self.now))
        else:
            self.note(failed(effect, self.now, is_final=choice == "final"))


def make_plan(ecu_count: int) -> Plan:
    ecus = tuple(
        EcuPlan(
            EcuSerial(f"ecu-{n}"),
            order=n // 2,
            old=sha(100 + n),
            image=sha(200 + n // 2),
            length_bytes=1000,
            delta=DeltaTarget(sha(100 + n), sha(300 + n), 10) if n % 2 else None,
        )
        for n in range(ecu_count)
    )
    return Plan("offer-2", ecus)


CHOICES = ("do", "do", "do", "do", "do", "do", "fail", "final", "cut", "cut-after", "withdraw")


@settings(max_examples=300, deadline=None)
@given(
    ecu_count=st.integers(1, 5),
    choices=st.lists(st.sampled_from(CHOICES), max_size=80),
    torn=st.binary(max_size=12).filter(lambda tail: b"\n" not in tail),
)
def test_whatever_fails_the_end_is_all_old_or_all_new_and_truthful(
    ecu_count: int, choices: list[str], torn: bytes
) -> None:
    vehicle = Vehicle(make_plan(ecu_count))
    plays = iter(choices)
    while vehicle.state and (effect := decide(vehicle.state, vehicle.now)) is not None:
        vehicle.play(effect, next(plays, "do"), torn)
    state, world = vehicle.state, vehicle.world
    assert state is not None
    assert state.drivable
    if state.outcome is Outcome.CONFIRMED:
        assert world.is_all_new()
    else:
        assert world.is_all_old()
        assert state.failure is not None
        assert world.activations == 0 or state.outcome is Outcome.ROLLED_BACK
    assert state == replay(decode_event(text) for text in read_records(vehicle.journal).texts)


def test_every_prefix_of_a_journal_goes_on_to_the_end() -> None:
    plan = make_plan(4)
    world = World(plan)
    events: list[Event] = [Begun(at=0.0, plan=plan)]
    state = replay(events)
    assert state is not None
    while (effect := decide(state, 1.0)) is not None:
        events.append(world.do(effect, 1.0))
        state = fold(state, events[-1])
    for length in range(1, len(events) + 1):
        again = World(plan)
        part = replay([])
        for event in events[:length]:
            part = fold(part, event) if part else replay([event])
            if isinstance(event, Staged):
                again.slot[event.ecu] = next(e.image for e in plan.ecus if e.serial == event.ecu)
            elif isinstance(event, Committed):
                again.committed[event.ecu] = again.slot[event.ecu]
        again.cut_power()
        assert part is not None
        part = fold(part, Restarted(2.0))
        while (effect := decide(part, 2.0)) is not None:
            part = fold(part, again.do(effect, 2.0))
        assert part.outcome is Outcome.CONFIRMED
        assert again.is_all_new()
