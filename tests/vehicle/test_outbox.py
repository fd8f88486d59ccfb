"""Reports are numbered, kept and sent again; nothing is lost and no number is used twice."""

from collections.abc import Awaitable

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.vehicle.world import (
    REPORT_SIGNER,
    VEHICLE,
    MemoryCloud,
    MemoryStorage,
    Tick,
)

from roadworthy.updates.reports import Inventory, Progress, Report, Stage
from roadworthy.vehicle.outbox import Outbox

RESEND_S = 30.0


class Bench:
    def __init__(self) -> None:
        self.tick = Tick()
        self.storage = MemoryStorage(self.tick)
        self.cloud = MemoryCloud(self.tick, acknowledges=False)
        self.start()

    def start(self) -> None:
        self.outbox = Outbox(self.storage, self.tick, REPORT_SIGNER, resend_s=RESEND_S)
        self.do(self.outbox.recover())

    def do(self, work: Awaitable[None], *, awaits: int | None = None) -> None:
        """Run to the end, or drop the work after so many awaits."""
        steps = work.__await__()
        for _ in steps:
            if awaits == 0:
                steps.close()
                return
            awaits = None if awaits is None else awaits - 1

    def add(self, *, ended: str = "", awaits: int | None = None) -> None:
        self.do(self.outbox.add(inventory, ended=ended), awaits=awaits)

    def flush(self) -> list[int]:
        before = len(self.cloud.inbox)
        self.do(self.outbox.flush(self.cloud))
        return [report.sequence for report in self.cloud.inbox[before:]]

    def later(self, duration_s: float) -> None:
        self.do(self.tick.sleep(duration_s))


def inventory(sequence: int, time: int) -> Report:
    return Inventory(vehicle=VEHICLE, sequence=sequence, time=time, ecus=())


def progress(sequence: int, time: int) -> Report:
    return Progress(vehicle=VEHICLE, sequence=sequence, time=time, offer="o", stage=Stage.STAGED)


def test_reports_go_out_in_order_and_again_until_acknowledged() -> None:
    bench = Bench()
    bench.add()
    bench.add()
    assert bench.flush() == [1, 2]
    assert bench.flush() == []
    bench.do(bench.outbox.acknowledge(1))
    bench.later(RESEND_S)
    assert bench.flush() == [2]
    bench.do(bench.outbox.acknowledge(2))
    assert bench.outbox.is_empty
    assert bench.outbox.next_due_s() is None


def test_after_a_failure_to_send_it_waits_until_something_comes_in() -> None:
    bench = Bench()
    bench.add()
    bench.cloud.is_up = False
    assert bench.flush() == []
    bench.cloud.is_up = True
    assert bench.flush() == []
    assert bench.outbox.next_due_s() == RESEND_S
    bench.outbox.connected()
    assert bench.flush() == [1]


def test_numbers_and_ended_offers_survive_a_restart_and_a_compaction() -> None:
    bench = Bench()
    bench.add(ended="offer-1")
    for _ in range(150):
        bench.add()
        bench.do(bench.outbox.acknowledge(bench.outbox._sequence))
    assert len(bench.storage.files["outbox"]) < 50_000
    bench.start()
    assert bench.outbox.has_ended("offer-1")
    assert bench.flush() == [1]
    bench.add()
    assert bench.flush() == [152]


def test_the_last_number_is_not_used_again_when_only_older_reports_wait() -> None:
    bench = Bench()
    bench.add()
    bench.add()
    bench.do(bench.outbox.acknowledge(2))
    bench.add(awaits=1)
    bench.start()
    bench.add(awaits=0)
    bench.start()
    bench.add()
    assert bench.flush() == [1, 3]


def test_progress_is_left_out_while_much_waits_but_nothing_else_is() -> None:
    bench = Bench()
    for _ in range(60):
        bench.do(bench.outbox.add(progress))
    bench.add()
    assert len(bench.flush()) == 51


@settings(max_examples=200, deadline=None)
@given(
    plays=st.lists(
        st.one_of(
            st.just(("add", 0)),
            st.tuples(st.just("cut"), st.integers(0, 4)),
            st.tuples(st.just("acknowledge"), st.integers(0, 3)),
            st.just(("flush", 0)),
        ),
        max_size=40,
    )
)
def test_whatever_is_cut_no_kept_report_is_lost_and_no_number_means_two_things(
    plays: list[tuple[str, int]],
) -> None:
    bench = Bench()
    kept: list[int] = []
    for play, number in plays:
        if play == "cut":
            bench.add(awaits=number)
            bench.start()
        elif play == "add":
            bench.add()
            kept.append(bench.outbox._sequence)
        elif play == "acknowledge" and kept:
            bench.do(bench.outbox.acknowledge(kept.pop(min(number, len(kept) - 1))))
        else:
            bench.later(RESEND_S)
            bench.flush()
        assert set(kept) <= set(bench.outbox._pending)
    seen: dict[int, Report] = {}
    for report in bench.cloud.inbox:
        assert seen.setdefault(report.sequence, report) == report
