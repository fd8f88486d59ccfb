"""What deltas save, in bytes and in money, from what vehicles said."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cloud.conftest import NEW, OLD, Bench, ecu

from roadworthy.base.errors import InputError
from roadworthy.cloud.price import MB, Price, make_saving, parse_price
from roadworthy.cloud.workers import build_deltas
from roadworthy.updates.reports import Inventory


@pytest.fixture
def price(bench: Bench) -> Iterator[Price]:
    """Set a price that makes every byte worth a cent."""
    made = Price(Decimal(MB) / 100, "CHF")
    object.__setattr__(bench.desk, "price", made)
    yield made
    object.__setattr__(bench.desk, "price", None)


async def small(base: bytes, target: bytes) -> bytes:
    return b"patch of " + base[:3] + target[:3]


async def rolled_out(bench: Bench) -> None:
    await bench.signed_release("old", OLD, 1)
    await bench.signed_release("new", NEW, 2)
    vehicles = await bench.fleet(2)
    other = await bench.enrol(3)
    await bench.report(other, Inventory, ecus=(ecu(b"unknown", 1),))
    await build_deltas(bench.desk, small)
    await bench.draft_campaign()
    assert (await bench.act("start")).status_code == 200
    await bench.tick()
    await bench.confirm(vehicles[0])


def test_a_price_is_an_amount_and_a_currency() -> None:
    assert parse_price("0.50", "EUR") == Price(Decimal("0.50"), "EUR")
    assert parse_price("0.50", "EUR").cost(3 * MB) == Decimal("1.50")


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("", "EUR"), ("1,5", "EUR"), ("-1", "EUR"), ("NaN", "EUR"), ("1e9", "EUR"), ("1", "euro")],
)
def test_what_is_no_price_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(InputError):
        parse_price(amount, currency)


@given(text=st.text(max_size=12), currency=st.text(max_size=4))
def test_any_text_is_a_price_or_refused(text: str, currency: str) -> None:
    try:
        price = parse_price(text, currency)
    except InputError:
        return
    assert 0 <= price.per_mb <= 1_000_000
    assert price.cost(MB) >= 0


def test_a_broken_download_may_cost_more_than_a_delta_saves() -> None:
    saving = make_saving(3 * MB, 2 * MB, Price(Decimal(2), "EUR"))
    assert (saving.saved_bytes, saving.saved_cost) == (-MB, "-2.00")


async def test_without_a_price_bytes_alone_are_shown(bench: Bench) -> None:
    await rolled_out(bench)
    told = (await bench.operator.get("/api/v1/campaigns/spring")).json()["saving"]
    assert (told["saved_cost"], told["price_per_mb"], told["currency"]) == (None, None, None)
    for path in ("/campaigns/spring", "/releases/new"):
        page = (await bench.page(path)).text
        assert "saved by deltas" in page
        assert "serve --price-per-mb" in page


async def test_the_pages_and_the_api_tell_the_same_money(bench: Bench, price: Price) -> None:
    await rolled_out(bench)
    patch = len(await small(OLD, NEW))
    release = (await bench.operator.get("/api/v1/releases/new")).json()
    assert release["deltas_ready"] is True
    assert [(r["state"], r["vehicles"], r["sent_bytes"]) for r in release["routes"]] == [
        ("ready", 1, patch),
        ("unknown", 1, len(NEW)),
    ]
    assert release["saving"]["saved_bytes"] == len(NEW) - patch
    assert release["saving"]["saved_cost"] == str(price.cost(len(NEW) - patch))
    assert f"{release['saving']['saved_cost']} CHF" in (await bench.page("/releases/new")).text
    campaign = (await bench.operator.get("/api/v1/campaigns/spring")).json()
    assert campaign["saving"]["full_bytes"] == len(NEW)
    assert f"{campaign['saving']['saved_cost']} CHF" in (await bench.page("/campaigns/spring")).text
