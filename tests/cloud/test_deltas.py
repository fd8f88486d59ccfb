"""Deltas are made before a campaign needs them; what can't be made holds nobody up."""

import pytest
from tests.cloud.conftest import NEW, OLD, Bench, sha

from roadworthy.adapters.files import MemoryArtifacts
from roadworthy.base.errors import StoreError
from roadworthy.cloud.deltas import Pair, build_delta, missing_deltas
from roadworthy.cloud.releases import release_or_error
from roadworthy.cloud.workers import build_deltas
from roadworthy.updates.release import Delta

NEXT = b"next engine image" * 8


async def small(base: bytes, target: bytes) -> bytes:
    return b"patch of " + base[:3] + target[:3]


async def useless(_: bytes, target: bytes) -> bytes:
    return target + b"!"


async def released(bench: Bench, *images: bytes) -> None:
    for counter, image in enumerate(images, 1):
        await bench.signed_release(f"r{counter}", image, counter)
        await bench.clock.sleep(1)


def missing(bench: Bench, release_id: str) -> list[Pair]:
    tables = bench.desk.tables()
    return missing_deltas(tables, release_or_error(tables, release_id))


async def test_a_release_needs_a_delta_from_every_earlier_image(bench: Bench) -> None:
    await released(bench, OLD, NEW, NEXT)
    assert missing(bench, "r1") == []
    assert missing(bench, "r2") == [Pair(sha(OLD), sha(NEW))]
    assert set(missing(bench, "r3")) == {Pair(sha(OLD), sha(NEXT)), Pair(sha(NEW), sha(NEXT))}


async def test_a_delta_is_stored_and_then_not_missing(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    delta = await build_delta(bench.desk, Pair(sha(OLD), sha(NEW)), small)
    patch = await small(OLD, NEW)
    assert delta == Delta(sha(OLD), sha(NEW), sha(patch), len(patch))
    assert await bench.desk.artifacts.size(delta.sha256) == len(patch)
    assert missing(bench, "r2") == []


async def test_a_delta_that_saves_nothing_is_noted_as_none(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    delta = await build_delta(bench.desk, Pair(sha(OLD), sha(NEW)), useless)
    assert delta.length_bytes == 0
    assert missing(bench, "r2") == []
    (vehicle,) = await bench.fleet(1)
    await bench.draft_campaign(release_id="r2")
    assert (await bench.act("start")).status_code == 200
    await bench.tick()
    assert bench.member(vehicle).delta_bytes == len(NEW), "it takes the whole image"


async def test_a_vehicle_is_offered_the_delta_from_what_it_runs(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    await build_deltas(bench.desk, small)
    (vehicle,) = await bench.fleet(1)
    await bench.draft_campaign(release_id="r2")
    await bench.act("start")
    await bench.tick()
    assert bench.member(vehicle).delta_bytes == len(await small(OLD, NEW))


async def test_the_builder_makes_all_that_is_missing_once(bench: Bench) -> None:
    await released(bench, OLD, NEW, NEXT)
    made: list[tuple[bytes, bytes]] = []

    async def noting(base: bytes, target: bytes) -> bytes:
        made.append((base, target))
        return await small(base, target)

    await build_deltas(bench.desk, noting)
    await build_deltas(bench.desk, noting)
    assert sorted(made) == sorted([(OLD, NEW), (OLD, NEXT), (NEW, NEXT)])


async def test_a_delta_that_can_not_be_made_holds_up_no_other_and_no_campaign(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await released(bench, OLD, NEW, NEXT)
    tries = 0

    async def failing(base: bytes, target: bytes) -> bytes:
        nonlocal tries
        if (base, target) == (OLD, NEXT):
            tries += 1
            raise StoreError("the delta process ended with -9", value="delta")
        return await small(base, target)

    await build_deltas(bench.desk, failing)
    assert missing(bench, "r3") == [], "noted as none: vehicles take the whole image"
    assert 1 < tries < 10, "a process may also have died by chance"
    assert "-9" in caplog.text


async def test_an_image_that_is_lost_is_told_and_holds_up_no_other(bench: Bench) -> None:
    await released(bench, OLD, NEW, NEXT)
    kept = bench.slots["artifacts"].part
    assert isinstance(kept, MemoryArtifacts)
    del kept._content[sha(OLD)]
    with pytest.raises(StoreError):
        await build_deltas(bench.desk, small)
    assert set(missing(bench, "r3")) == {Pair(sha(OLD), sha(NEXT))}
