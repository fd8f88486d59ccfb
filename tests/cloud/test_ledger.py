"""The ledger through the API: every decision once, and each one provable without us."""

import json

import pytest
from tests.cloud.conftest import Bench, problem

from roadworthy.compliance.ledger import parse_head, verify_bundle
from roadworthy.trust.keys import key_from_json

CHAIN = [
    "vehicle-enrolled",
    "inventory-changed",
    "release-drafted",
    "release-signature",
    "release-signature",
    "release-signed",
    "campaign-created",
    "campaign-started",
    "offer",
    "result",
    "wave-ended",
    "campaign-finished",
]


async def rolled_out(bench: Bench) -> None:
    (vehicle,) = await bench.rollout(1)
    await bench.tick()
    await bench.confirm(vehicle)
    await bench.tick()


async def test_each_decision_of_the_chain_leaves_exactly_one_entry(bench: Bench) -> None:
    await rolled_out(bench)
    await bench.tick()
    assert [entry.type for entry in bench.entries()] == CHAIN
    assert [entry.index for entry in bench.entries()] == list(range(len(CHAIN)))


async def test_what_fails_leaves_no_entry(bench: Bench) -> None:
    await rolled_out(bench)
    for action in ("start", "pause", "resume", "abort", "explode"):
        assert (await bench.act(action)).status_code in {400, 409}
    assert len(bench.entries()) == len(CHAIN)


async def test_every_entry_is_proven_by_its_bundle_alone(bench: Bench) -> None:
    await rolled_out(bench)
    key = key_from_json((await bench.operator.get("/api/v1/ledger/key")).content)
    for entry in bench.entries():
        answer = await bench.operator.get(f"/api/v1/ledger/{entry.index}/proof")
        assert "attachment" in answer.headers["content-disposition"]
        assert verify_bundle(answer.content, key) == entry


async def test_the_head_is_signed_and_says_how_many(bench: Bench) -> None:
    await rolled_out(bench)
    key = key_from_json((await bench.operator.get("/api/v1/ledger/key")).content)
    head = parse_head((await bench.operator.get("/api/v1/ledger/head")).content, key)
    assert head.size == len(CHAIN)


async def test_an_empty_ledger_has_a_head_and_no_entries(bench: Bench) -> None:
    assert (await bench.operator.get("/api/v1/ledger/head")).status_code == 200
    assert (await bench.operator.get("/api/v1/ledger")).json() == {"items": [], "next": None}


async def test_an_entry_is_shown_as_it_was_written(bench: Bench) -> None:
    await rolled_out(bench)
    shown = (await bench.operator.get("/api/v1/ledger/7")).json()
    assert (shown["type"], shown["actor"], shown["subject"]) == (
        "campaign-started",
        "test",
        "campaign/spring",
    )
    assert shown["data"]["sizes"] == [1]


@pytest.mark.parametrize("index", ["99", str(10**30), "99/proof", f"{10**30}/proof"])
async def test_an_entry_that_is_not_there_is_not_found(bench: Bench, index: str) -> None:
    problem(await bench.operator.get(f"/api/v1/ledger/{index}"), 404, "not-found")


@pytest.mark.parametrize("parameter", ["before", "after"])
async def test_pages_of_entries_give_each_once_newest_first(bench: Bench, parameter: str) -> None:
    await rolled_out(bench)
    seen: list[int] = []
    query = ""
    while True:
        page = (await bench.operator.get(f"/api/v1/ledger?limit=5{query}")).json()
        seen += [item["index"] for item in page["items"]]
        if page["next"] is None:
            break
        query = f"&{parameter}={page['next']}"
        assert len(seen) <= len(CHAIN), "pages repeat"
    assert seen == list(reversed(range(len(CHAIN))))


@pytest.mark.parametrize("query", ["limit=0", "after=x", "before=x", f"before={10**30}"])
async def test_a_wrong_page_of_entries_is_refused(bench: Bench, query: str) -> None:
    problem(await bench.operator.get(f"/api/v1/ledger?{query}"), 400, "invalid-input")


async def test_entries_of_one_subject_are_found(bench: Bench) -> None:
    await rolled_out(bench)
    answer = await bench.operator.get("/api/v1/ledger?subject=campaign/spring")
    kinds = [item["type"] for item in answer.json()["items"]]
    assert kinds == [
        "campaign-finished",
        "wave-ended",
        "result",
        "offer",
        "campaign-started",
        "campaign-created",
    ]
    assert json.loads(answer.text)["next"] is None
