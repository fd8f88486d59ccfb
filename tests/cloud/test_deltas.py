"""Deltas are made before a campaign needs them; what can't be made holds nobody up."""

import asyncio
from functools import partial

import msgspec
import pytest
from tests.cloud.conftest import NEW, OLD, Bench, TestVehicle, ecu, problem, sha

from roadworthy.adapters.files import MemoryArtifacts
from roadworthy.base.errors import StoreError
from roadworthy.base.ids import Sha256
from roadworthy.cloud.api.route_schema import RouteOut
from roadworthy.cloud.deltas import (
    Pair,
    Route,
    RouteState,
    build_delta,
    deltas_to,
    missing_deltas,
    releases_in_need,
    routes,
)
from roadworthy.cloud.engine import is_due
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.releases import release_or_error
from roadworthy.cloud.workers import build_deltas
from roadworthy.delta import PATCH_FORMAT
from roadworthy.updates.release import Delta
from roadworthy.updates.reports import Inventory, Outcome

NEXT = b"next engine image" * 8


async def small(base: bytes, target: bytes) -> bytes:
    return b"patch of " + base[:3] + target[:3]


async def useless(_: bytes, target: bytes) -> bytes:
    return target + b"!"


async def released(bench: Bench, *images: bytes) -> None:
    for counter, image in enumerate(images, 1):
        await bench.signed_release(f"r{counter}", image, counter)
        await bench.clock.sleep(1)


async def running(bench: Bench, *images: tuple[bytes, int]) -> list[TestVehicle]:
    """Enrol one vehicle after the other, each running an image of a release counter."""
    vehicles: list[TestVehicle] = []
    for image, counter in images:
        vehicle = await bench.enrol(len(vehicles) + 1)
        await bench.report(vehicle, Inventory, ecus=(ecu(image, counter),))
        vehicles.append(vehicle)
    return vehicles


def routes_to(bench: Bench, release_id: str) -> list[Route]:
    tables = bench.desk.tables()
    return routes(tables, release_or_error(tables, release_id))


def missing(bench: Bench, release_id: str) -> list[Pair]:
    tables = bench.desk.tables()
    return missing_deltas(tables, release_or_error(tables, release_id))


def put_delta(delta: Delta, tables: Tables) -> None:
    tables.releases.put_delta(delta)


def usable(bench: Bench, release_id: str) -> dict[tuple[Sha256, Sha256], Delta]:
    tables = bench.desk.tables()
    return deltas_to(tables, release_or_error(tables, release_id))


async def test_a_release_needs_a_delta_from_every_image_that_runs_the_most_common_first(
    bench: Bench,
) -> None:
    await released(bench, OLD, NEW, NEXT)
    assert missing(bench, "r3") == [], "nobody has reported what runs"
    await running(bench, (OLD, 1), (NEW, 2), (NEW, 2), (NEXT, 3))
    assert missing(bench, "r3") == [Pair(sha(NEW), sha(NEXT)), Pair(sha(OLD), sha(NEXT))]
    assert missing(bench, "r2") == [Pair(sha(OLD), sha(NEW))], "nobody goes back from a later one"
    assert [one.vehicles for one in routes_to(bench, "r3")] == [2, 1]


async def test_an_old_image_gets_its_delta_however_many_releases_came_since(
    bench: Bench,
) -> None:
    images = [b"image %d " % number * 20 for number in range(25)]
    await released(bench, *images)
    await running(bench, (images[0], 1))
    assert missing(bench, "r25") == [Pair(sha(images[0]), sha(images[24]))]


async def test_an_image_that_nobody_uploaded_is_told_with_its_vehicles(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    await running(bench, (b"from the workshop", 1), (b"from the workshop", 1), (OLD, 1))
    assert missing(bench, "r2") == [Pair(sha(OLD), sha(NEW))]
    foreign, known = routes_to(bench, "r2")
    assert (foreign.state, foreign.vehicles) == (RouteState.UNKNOWN, 2)
    assert foreign.sent_bytes == len(NEW)
    assert (known.state, known.sent_bytes) == (RouteState.MISSING, None)
    await bench.upload(b"from the workshop")
    assert missing(bench, "r2")[0] == Pair(sha(b"from the workshop"), sha(NEW))


async def test_of_many_images_the_least_common_are_left_out_with_their_vehicles(
    bench: Bench,
) -> None:
    images = [b"image %d " % number * 20 for number in range(19)]
    await released(bench, *images)
    await running(bench, *((image, 1) for image in [*images[:18], *images[2:18]]))
    assert len(missing(bench, "r19")) == 16
    left_out = [one for one in routes_to(bench, "r19") if one.state is RouteState.LEFT_OUT]
    assert {one.base for one in left_out} == {sha(images[0]), sha(images[1])}
    assert {one.vehicles for one in left_out} == {1}
    await build_deltas(bench.desk, small)
    assert missing(bench, "r19") == [], "a bound that moved on would have no end"


async def test_one_image_under_two_versions_is_one_route(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    vehicles = await running(bench, (OLD, 1), (OLD, 1), (OLD, 1))
    renamed = msgspec.structs.replace(ecu(OLD, 1), version="1.0-dev")
    await bench.report(vehicles[0], Inventory, ecus=(renamed,))
    (route,) = routes_to(bench, "r2")
    assert (route.version, route.vehicles) == ("1.0", 3)
    assert RouteOut.of(route).base_version == "1.0"


async def test_a_delta_is_stored_and_then_not_missing(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    await bench.fleet(1)
    delta = await build_delta(bench.desk, Pair(sha(OLD), sha(NEW)), small)
    patch = await small(OLD, NEW)
    assert delta == Delta(sha(OLD), sha(NEW), sha(patch), len(patch), PATCH_FORMAT)
    assert await bench.desk.artifacts.size(delta.sha256) == len(patch)
    assert missing(bench, "r2") == []
    (route,) = routes_to(bench, "r2")
    assert (route.state, route.sent_bytes) == (RouteState.READY, len(patch))


@pytest.mark.parametrize("length_bytes", [0, 9])
async def test_a_delta_of_an_older_format_is_made_again(bench: Bench, length_bytes: int) -> None:
    await released(bench, OLD, NEW)
    await bench.fleet(1)
    pair = Pair(sha(OLD), sha(NEW))
    old = Delta(pair.base, pair.target, sha(b"of an older server"), length_bytes)
    for stored in (old, msgspec.structs.replace(old, format="2.1")):
        await bench.desk.write(partial(put_delta, stored))
        assert missing(bench, "r2") == [pair]
        assert usable(bench, "r2") == {}
    made = await build_delta(bench.desk, pair, small)
    assert missing(bench, "r2") == []
    assert usable(bench, "r2") == {pair: made}


async def test_a_delta_that_saves_nothing_is_noted_as_none(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    (vehicle,) = await bench.fleet(1)
    delta = await build_delta(bench.desk, Pair(sha(OLD), sha(NEW)), useless)
    assert delta.length_bytes == 0
    assert missing(bench, "r2") == []
    assert [one.state for one in routes_to(bench, "r2")] == [RouteState.FULL]
    await bench.draft_campaign(release_id="r2")
    assert (await bench.act("start")).status_code == 200
    await bench.tick()
    assert bench.member(vehicle).delta_bytes == len(NEW), "it takes the whole image"


async def test_a_vehicle_is_offered_the_delta_from_what_it_runs(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    (vehicle,) = await bench.fleet(1)
    await build_deltas(bench.desk, small)
    await bench.draft_campaign(release_id="r2")
    await bench.act("start")
    await bench.tick()
    assert bench.member(vehicle).delta_bytes == len(await small(OLD, NEW))


async def test_a_campaign_does_not_start_while_a_delta_is_missing(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    await bench.fleet(1)
    await bench.draft_campaign(release_id="r2")
    problem(await bench.act("start"), 409, "conflict")
    await build_deltas(bench.desk, small)
    assert (await bench.act("start")).status_code == 200


async def test_the_next_wave_waits_for_deltas_from_images_that_came_up_meanwhile(
    bench: Bench,
) -> None:
    await released(bench, OLD, NEXT, NEW)
    canary, other = await running(bench, (OLD, 1), (OLD, 1))
    await build_deltas(bench.desk, small)
    waves = [{"name": "canary", "vehicles": [canary.key]}, {"name": "rest"}]
    gate = {"soak_s": 0.0, "reached_min": 1}
    await bench.draft_campaign(release_id="r3", waves=waves, gate=gate)
    assert (await bench.act("start")).status_code == 200
    await bench.tick()
    await bench.finish(canary, Outcome.CONFIRMED, NEW, 3)
    await bench.report(other, Inventory, ecus=(ecu(NEXT, 2),))
    await bench.clock.sleep(60)
    assert not is_due(bench.desk.tables(), "spring", now=bench.clock.now())
    await bench.tick()
    assert bench.campaign().wave == 0
    shown = (await bench.page("/campaigns/spring")).text
    assert "; waits for 1 delta of the next wave" in shown
    await build_deltas(bench.desk, small)
    assert is_due(bench.desk.tables(), "spring", now=bench.clock.now())
    await bench.tick()
    assert bench.campaign().wave == 1
    await bench.tick()
    assert bench.member(other).delta_bytes == len(await small(NEXT, NEW))


async def test_the_builder_makes_all_that_is_missing_once(bench: Bench) -> None:
    await released(bench, OLD, NEW, NEXT)
    await running(bench, (OLD, 1), (NEW, 2))
    made: list[tuple[bytes, bytes]] = []

    async def noting(base: bytes, target: bytes) -> bytes:
        made.append((base, target))
        return await small(base, target)

    await build_deltas(bench.desk, noting)
    await build_deltas(bench.desk, noting)
    assert sorted(made) == sorted([(OLD, NEW), (OLD, NEXT), (NEW, NEXT)])


async def test_two_releases_of_the_same_images_share_their_delta(bench: Bench) -> None:
    await released(bench, OLD, NEW)
    await bench.fleet(1)
    await build_deltas(bench.desk, small)
    await bench.signed_release("again", NEW, 3)
    assert missing(bench, "again") == []


async def test_a_builder_that_died_goes_on_with_what_is_not_stored(bench: Bench) -> None:
    await released(bench, OLD, NEW, NEXT)
    await running(bench, (OLD, 1), (NEW, 2))
    made = 0

    async def dying(base: bytes, target: bytes) -> bytes:
        nonlocal made
        made += 1
        if made == 2:
            raise asyncio.CancelledError
        return await small(base, target)

    with pytest.raises(asyncio.CancelledError):
        await build_deltas(bench.desk, dying)
    await build_deltas(bench.desk, dying)
    assert made == 4, "three deltas, one of them begun twice"
    assert missing(bench, "r3") == missing(bench, "r2") == []


async def test_a_campaign_for_a_release_of_long_ago_gets_its_deltas(bench: Bench) -> None:
    images = [b"image %d " % number * 20 for number in range(24)]
    await released(bench, *images)
    await running(bench, (images[0], 1))
    await bench.draft_campaign(release_id="r2")
    assert next(releases_in_need(bench.desk.tables())).id == "r2"
    await build_deltas(bench.desk, small)
    assert (await bench.act("start")).status_code == 200
    assert missing(bench, "r3") != [], "too old, and no campaign is for it"


async def test_a_delta_that_can_not_be_made_holds_up_no_other_and_no_campaign(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await released(bench, OLD, NEW, NEXT)
    await running(bench, (OLD, 1), (NEW, 2))
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


async def test_a_base_that_is_lost_holds_up_no_campaign(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await released(bench, OLD, NEW)
    await bench.fleet(1)
    lose(bench, OLD)
    await build_deltas(bench.desk, small)
    assert missing(bench, "r2") == [], "vehicles take the whole image"
    assert "lost" in caplog.text


async def test_a_target_that_is_lost_is_told_and_holds_up_no_other(bench: Bench) -> None:
    await released(bench, OLD, NEW, NEXT)
    await bench.fleet(1)
    lose(bench, NEXT)
    with pytest.raises(StoreError):
        await build_deltas(bench.desk, small)
    assert missing(bench, "r3") == [Pair(sha(OLD), sha(NEXT))]
    assert missing(bench, "r2") == []


def lose(bench: Bench, image: bytes) -> None:
    kept = bench.slots["artifacts"].part
    assert isinstance(kept, MemoryArtifacts)
    del kept._content[sha(image)]
