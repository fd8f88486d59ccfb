"""What a cloud can't do to a vehicle with the director's key alone, without the offline keys."""

from collections.abc import Iterator

import pytest
from tests.vehicle.world import REPORT_SIGNER, VEHICLE, World, content, sha

from roadworthy.adapters.delta_thread import DirectCodec
from roadworthy.delta import make
from roadworthy.trust.targets import DeltaTarget, EcuTarget, ImageTarget
from roadworthy.updates.reports import Outcome, Refusal, Report
from roadworthy.vehicle.outbox import Outbox

REFUSALS_MAX = 100


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def offer_with(world: World, delta: DeltaTarget) -> None:
    """Offer the brake's new image with a delta of the director's own making."""
    world.keep_base("brake")
    world.offer("honest", "brake")
    world.cloud.down.clear()
    ecu, data = world.ecu("brake"), world.new["brake"]
    image = ImageTarget("brake.bin", len(data), sha(data), ecu.identity.hardware_id, "2.0.0", 2)
    world.direct("hostile", [EcuTarget(ecu.identity.serial, image, delta, 0)])


def test_a_delta_that_would_fill_the_memory_is_not_applied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied: list[bytes] = []
    honest = DirectCodec.apply

    async def apply(self: DirectCodec, base: bytes, patch: bytes) -> bytes:
        applied.append(patch)
        return await honest(self, base, patch)

    monkeypatch.setattr(DirectCodec, "apply", apply)
    old = world.ecu("brake").old
    bomb = make(old, bytes(1 << 20)).data
    assert len(bomb) < len(content("brake-2")), "small enough to be offered"
    world.cloud.artifacts[sha(bomb)] = bomb
    offer_with(world, DeltaTarget(sha(old), sha(bomb), len(bomb)))
    world.run()
    (result,) = world.cloud.results
    assert result.outcome is Outcome.CONFIRMED, "the full image is taken instead"
    assert "bad-delta" in result.detail
    assert applied == []


def test_a_delta_larger_than_its_image_is_not_even_fetched(world: World) -> None:
    old = world.ecu("brake").old
    endless = bytes(10 * len(old))
    world.cloud.artifacts[sha(endless)] = endless
    offer_with(world, DeltaTarget(sha(old), sha(endless), 1 << 50))
    world.run()
    (result,) = world.cloud.results
    assert result.outcome is Outcome.CONFIRMED
    assert sha(endless) not in {sha256 for sha256, _ in world.cloud.requested}
    assert result.received_bytes == len(world.new["brake"])


def test_refusals_that_nobody_takes_do_not_fill_the_storage(world: World) -> None:
    outbox = Outbox(world.storage, world.tick, REPORT_SIGNER, resend_s=30.0)

    def refusal(sequence: int, time: int) -> Report:
        return Refusal(vehicle=VEHICLE, sequence=sequence, time=time, code="x", detail="y")

    for _ in range(10 * REFUSALS_MAX):
        for _ in outbox.add(refusal).__await__():
            pass
    assert world.storage.files["outbox"].count(b'"queued"') == REFUSALS_MAX
