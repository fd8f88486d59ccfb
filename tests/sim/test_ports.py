from collections.abc import Coroutine
from typing import Any

import pytest

from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import LinkError
from roadworthy.base.ids import Sha256, VehicleKey
from roadworthy.sim.faults import LinkQuality
from roadworthy.sim.ports import Link, SimCloud, SimMessages, SimStorage
from roadworthy.sim.power import Supply
from roadworthy.sim.scheduler import Scheduler
from roadworthy.sim.vehicle_types import vehicle_key

_KEY = vehicle_key("ports", 0)
_ARTIFACT = bytes(range(256)) * 10
_NAME = Sha256("0" * 64)


class Cloud:
    def __init__(self) -> None:
        self.reports: list[bytes] = []

    def metadata(self, vehicle: VehicleKey, repository: str, name: str) -> bytes | None:
        return f"{vehicle}/{repository}/{name}".encode() if name == "timestamp.json" else None

    def artifact(self, vehicle: VehicleKey, sha256: Sha256) -> bytes | None:
        return _ARTIFACT if (vehicle, sha256) == (_KEY, _NAME) else None

    def report(self, vehicle: VehicleKey, payload: bytes) -> None:
        assert vehicle == _KEY
        self.reports.append(payload)


class Bench:
    """One vehicle's network and storage."""

    def __init__(self, seed: int = 0, **quality: float) -> None:
        self.scheduler = Scheduler()
        self.cuts: list[float] = []
        self.supply = Supply(self.scheduler, self.cuts.append)
        self.backend = Cloud()
        self.chance = SeededChance(seed)
        self.link = Link(
            self.scheduler,
            self.supply,
            LinkQuality(latency_s=(0.1, 0.1), **quality),
            self.chance,
        )
        self.cloud = SimCloud(_KEY, self.backend, self.link)
        self.messages = SimMessages(_KEY, self.backend, self.link, self.scheduler)
        self.storage = SimStorage(self.supply, {})

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it returns
        answers: list[Any] = []

        async def wait() -> None:
            answers.append(await work)

        self.scheduler.spawn(wait(), "bench")
        self.scheduler.run_until_idle()
        return answers[0] if answers else None


async def _download(bench: Bench, offset: int) -> bytes:
    return b"".join([piece async for piece in bench.cloud.artifact(_NAME, offset)])


def test_a_good_network_carries_metadata_and_artifacts_from_any_offset() -> None:
    bench = Bench()
    assert bench.run(bench.cloud.metadata("images", "timestamp.json")).endswith(b"timestamp.json")
    assert bench.run(bench.cloud.metadata("images", "9.root.json")) is None
    assert bench.run(_download(bench, 0)) == _ARTIFACT
    assert bench.run(_download(bench, 1000)) == _ARTIFACT[1000:]
    assert bench.scheduler.elapsed_s > 0.4


def test_a_lost_packet_breaks_the_download_off() -> None:
    bench = Bench(3, loss_share=0.9)
    with pytest.raises(LinkError):
        bench.run(_download(bench, 0))


def test_nothing_comes_through_while_the_link_is_down_and_all_of_it_later() -> None:
    bench = Bench()
    bench.link.go_down(60.0)
    bench.messages.deliver(b"one")
    bench.messages.deliver(b"two")
    with pytest.raises(LinkError):
        bench.run(bench.messages.send(b"report"))
    assert bench.run(bench.messages.receive(100.0)) == b"two"
    assert bench.run(bench.messages.receive(100.0)) == b"one"
    assert bench.run(bench.messages.receive(100.0)) is None
    bench.run(bench.messages.send(b"report"))
    assert bench.backend.reports == [b"report"]


def test_messages_can_come_twice_in_both_directions() -> None:
    bench = Bench(duplicate_share=1.0)
    bench.messages.deliver(b"down")
    bench.run(bench.messages.send(b"up"))
    assert bench.backend.reports == [b"up", b"up"]
    assert bench.run(bench.messages.receive(1.0)) == b"down"
    assert bench.run(bench.messages.receive(1.0)) == b"down"


def test_storage_keeps_what_it_has_confirmed() -> None:
    bench = Bench()
    bench.run(bench.storage.write("a", b"one"))
    bench.run(bench.storage.append("a", b"two"))
    bench.storage.lose_power(bench.chance)
    assert bench.run(bench.storage.read("a")) == b"onetwo"
    assert bench.run(bench.storage.size("a")) == 6
    bench.run(bench.storage.delete("a"))
    assert bench.run(bench.storage.read("a")) is None


def test_power_loss_tears_an_append_and_leaves_a_write_old_or_new() -> None:
    found: set[tuple[bytes | None, bytes | None]] = set()
    for seed in range(60):
        bench = Bench(seed)
        bench.run(bench.storage.write("journal", b"ab"))
        bench.run(bench.storage.write("state", b"old"))
        bench.supply.fail_after(1, 1.0)
        work = (
            bench.storage.write("state", b"new")
            if seed % 2
            else bench.storage.append("journal", b"cd")
        )
        task = bench.scheduler.spawn(work, "work")
        while not bench.cuts:
            bench.scheduler.run_until(bench.scheduler.elapsed_s + 0.0001)
        task.cancel()
        bench.storage.lose_power(bench.chance)
        found.add(
            (bench.run(bench.storage.read("journal")), bench.run(bench.storage.read("state")))
        )
    assert found == {
        (b"ab", b"old"),
        (b"abc", b"old"),
        (b"abcd", b"old"),
        (b"ab", b"new"),
    }


def test_power_fails_in_the_middle_of_the_step_it_was_told() -> None:
    bench = Bench()
    bench.supply.fail_after(3, 5.0)
    moments: list[float] = []

    async def walk() -> None:
        for _ in range(4):
            await bench.supply.step(10.0)
            moments.append(float(len(bench.cuts)))

    bench.run(walk())
    assert moments == [0.0, 0.0, 1.0, 1.0]
    assert bench.cuts == [5.0]
