"""Campaigns through the API and by form: who may do what when, and what is told."""

import asyncio
import json

import httpx
import pytest
from tests.cloud.conftest import NEW, OLD, Bench, problem, sha

from roadworthy.cloud.deltas import Pair
from roadworthy.delta import PATCH_FORMAT
from roadworthy.updates.campaign import CampaignState
from roadworthy.updates.release import Delta

ACTIONS = ("start", "pause", "resume", "abort")
ALLOWED = {
    "draft": {"start", "abort"},
    "running": {"pause", "abort"},
    "paused": {"resume", "abort"},
    "aborted": set[str](),
    "finished": set[str](),
}


def body(**fields: object) -> dict[str, object]:
    return {
        "id": "spring",
        "name": "Spring",
        "release_id": "new",
        "waves": [{"name": "canary", "size": 1}, {"name": "rest"}],
    } | fields


async def create(bench: Bench, **fields: object) -> httpx.Response:
    return await bench.operator.post("/api/v1/campaigns", json=body(**fields))


async def ready(bench: Bench, vehicles: int = 1) -> None:
    await bench.fleet(vehicles)
    await bench.signed_release("new", NEW, 2)


async def in_state(bench: Bench, state: str) -> None:
    """Bring the campaign `spring` into a state."""
    (vehicle,) = await bench.fleet(1)
    await bench.signed_release("new", NEW, 2)
    await bench.draft_campaign()
    for action in {"draft": "", "paused": "start pause", "aborted": "abort"}.get(
        state, "start"
    ).split():
        assert (await bench.act(action)).status_code == 200
    if state == "finished":
        await bench.tick()
        await bench.confirm(vehicle)
        await bench.tick()
    assert bench.campaign().state == state


async def test_a_campaign_is_created_as_a_draft(bench: Bench) -> None:
    await ready(bench)
    answer = await create(bench, vehicle_types=["car"])
    assert answer.status_code == 201
    created = answer.json()
    assert (created["state"], created["wave"], created["counts"]) == ("draft", 1, {})
    assert len(bench.entries("campaign-created")) == 1


async def test_the_same_campaign_again_is_the_same_campaign(bench: Bench) -> None:
    await ready(bench)
    await create(bench)
    assert (await create(bench)).status_code == 201
    assert len(bench.entries("campaign-created")) == 1
    await bench.act("start")
    again = await create(bench)
    assert (again.status_code, again.json()["state"]) == (201, "running")


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Other"},
        {"waves": [{"name": "all"}]},
        {"waves": [{"name": "canary", "size": 5}, {"name": "rest"}]},
        {"gate": {"failure_share_max": 0.9}},
        {"vehicle_types": ["truck"]},
        {"offers_open_max": 7},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_an_id_belongs_to_one_campaign(bench: Bench, other: dict[str, object]) -> None:
    await ready(bench)
    await create(bench)
    problem(await create(bench, **other), 409, "conflict")


async def test_a_release_that_is_not_signed_has_no_campaign(bench: Bench) -> None:
    await bench.upload(NEW)
    artifact = {
        "name": "engine-2.bin",
        "hardware_id": "engine-a",
        "version": "2.0",
        "release_counter": 2,
        "sha256": sha(NEW),
    }
    draft = {"id": "new", "name": "New", "version": "1", "artifacts": [artifact]}
    await bench.operator.post("/api/v1/releases", json=draft)
    assert "not signed" in problem(await create(bench), 409, "conflict")["happened"]
    problem(await create(bench, release_id="none"), 404, "not-found")


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "Two Words"},
        {"name": ""},
        {"name": "x" * 500},
        {"waves": []},
        {"waves": [{"name": ""}]},
        {"waves": [{"name": "w" * 500}]},
        {"waves": [{"name": "a", "size": -1}]},
        {"waves": [{"name": "a", "size": 10**30}]},
        {"waves": [{"name": "a", "share": 1.5}]},
        {"waves": [{"name": "a", "vehicles": ["vx"]}]},
        {"waves": [{"name": f"w{n}", "size": 1} for n in range(51)]},
        {"gate": {"failure_share_max": -1}},
        {"gate": {"reached_min": 0}},
        {"gate": {"silent_after_s": 0}},
        {"gate": {"unknown": 1}},
        {"offers_open_max": 0},
        {"offers_open_max": 10**30},
        {"surprise": 1},
        {"vehicle_types": "car"},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
async def test_a_campaign_that_makes_no_sense_is_refused(
    bench: Bench, wrong: dict[str, object]
) -> None:
    await bench.signed_release("new", NEW, 2)
    problem(await create(bench, **wrong), 400, "invalid-input")
    assert bench.entries("campaign-created") == []


async def test_a_campaign_without_vehicles_does_not_start(bench: Bench) -> None:
    await ready(bench)
    await create(bench, vehicle_types=["boat"])
    assert "no vehicle" in problem(await bench.act("start"), 409, "conflict")["happened"]
    assert bench.campaign().state is CampaignState.DRAFT


async def test_a_campaign_waits_for_its_deltas(bench: Bench) -> None:
    await bench.fleet(1)
    await bench.signed_release("old", OLD, 1)
    await bench.clock.sleep(1)
    await bench.signed_release("new", NEW, 2)
    await create(bench)
    assert "1 deltas" in problem(await bench.act("start"), 409, "conflict")["happened"]
    pair = Pair(sha(OLD), sha(NEW))
    delta = Delta(pair.base, pair.target, sha(b"patch"), 5, PATCH_FORMAT)
    await bench.desk.write(lambda tables: tables.releases.put_delta(delta))
    assert (await bench.act("start")).status_code == 200


@pytest.mark.parametrize("by", ["api", "form"])
@pytest.mark.parametrize("state", ALLOWED)
async def test_a_state_allows_what_it_allows_and_says_so(bench: Bench, state: str, by: str) -> None:
    await in_state(bench, state)
    for action in ACTIONS:
        if action in ALLOWED[state]:
            continue
        if by == "api":
            told = problem(await bench.act(action), 409, "conflict")
            assert "needs the state" in told["todo"], told
        else:
            answer = await by_form(bench, action)
            assert answer.status_code == 409
            assert "needs the state" in answer.text
        assert bench.campaign().state == state
    for action in ALLOWED[state] & {"abort", "pause", "resume"}:
        answer = await (bench.act(action) if by == "api" else by_form(bench, action))
        assert answer.status_code == (200 if by == "api" else 303), answer.text
        break


async def by_form(bench: Bench, action: str, reason: str = "by hand") -> httpx.Response:
    """Press a button of the campaign page as a signed-in person does."""
    token = (await bench.operator.post("/api/v1/tokens/sign-in")).json()["path"]
    bearer = bench.operator.headers.pop("authorization")
    await bench.operator.post("/sign-in", data={"token": token.partition("token=")[2]})
    page = (await bench.page("/campaigns/spring")).text
    csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    if not csrf:
        csrf = (await bench.page("/")).text.partition('name="csrf_token" value="')[2][:64]
    form = {"csrf_token": csrf, "reason": reason}
    answer = await bench.operator.post(
        f"/campaigns/spring/{action}", data=form, headers={"accept": "text/html"}
    )
    bench.operator.cookies.clear()
    bench.operator.headers["authorization"] = bearer
    return answer


async def test_a_form_does_what_the_api_does_and_leads_back(bench: Bench) -> None:
    await in_state(bench, "running")
    answer = await by_form(bench, "pause", "storm")
    assert (answer.status_code, answer.headers["location"]) == (303, "/campaigns/spring")
    assert (bench.campaign().state, bench.campaign().reason) == (CampaignState.PAUSED, "storm")
    (entry,) = bench.entries("campaign-paused")
    assert (entry.actor, entry.data["why"]) == ("test", "storm")


async def test_an_action_that_does_not_exist_is_named(bench: Bench) -> None:
    await in_state(bench, "draft")
    told = problem(await bench.act("explode"), 400, "invalid-input")
    assert told["value"] == "explode"
    assert "resume" in told["todo"]


async def test_a_reason_is_kept_and_bounded(bench: Bench) -> None:
    await in_state(bench, "running")
    problem(await bench.act("pause", reason="x" * 501), 400, "invalid-input")
    answer = await bench.act("pause", reason="  \u0000 <b>“why”</b> 漢")
    assert answer.status_code == 200, answer.text
    assert bench.entries("campaign-paused")[0].data["why"] == "  \u0000 <b>“why”</b> 漢"
    page = (await bench.page("/campaigns/spring")).text
    assert "<b>“why”" not in page


async def test_a_reason_need_not_be_given(bench: Bench) -> None:
    await in_state(bench, "running")
    answer = await bench.operator.post("/api/v1/campaigns/spring/pause")
    assert answer.status_code == 200, answer.text
    assert bench.campaign().reason == "pause by test"


@pytest.mark.parametrize("path", ["", "/vehicles", "/events"])
async def test_a_campaign_that_is_not_there_is_not_found(bench: Bench, path: str) -> None:
    problem(await bench.operator.get(f"/api/v1/campaigns/none{path}"), 404, "not-found")
    problem(await bench.act("start", "none"), 404, "not-found")


async def test_counts_and_members_agree_with_what_happened(bench: Bench) -> None:
    vehicles = await bench.rollout(4)
    await bench.tick()
    await bench.confirm(vehicles[0])
    await bench.fail(vehicles[1])
    shown = (await bench.operator.get("/api/v1/campaigns/spring")).json()
    assert shown["counts"] == {"confirmed": 1, "failed": 1, "offered": 2}
    failed = await bench.operator.get("/api/v1/campaigns/spring/vehicles?stage=failed")
    (member,) = failed.json()["items"]
    assert (member["vehicle"], member["code"], member["wave"]) == (
        vehicles[1].key,
        "ecu-rejected",
        1,
    )
    wrong = await bench.operator.get("/api/v1/campaigns/spring/vehicles?stage=lost")
    assert "confirmed" in problem(wrong, 400, "invalid-input")["todo"]


async def test_pages_of_members_give_each_vehicle_once(bench: Bench) -> None:
    vehicles = await bench.rollout(5)
    seen: list[str] = []
    after = ""
    while True:
        answer = await bench.operator.get(
            f"/api/v1/campaigns/spring/vehicles?limit=2&after={after}"
        )
        page = answer.json()
        assert len(page["items"]) <= 2
        seen += [item["vehicle"] for item in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert sorted(seen) == sorted(vehicle.key for vehicle in vehicles)


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "after=nonsense"])
async def test_a_wrong_page_is_refused(bench: Bench, query: str) -> None:
    for path in ("campaigns", "vehicles", "releases"):
        problem(await bench.operator.get(f"/api/v1/{path}?{query}"), 400, "invalid-input")


async def test_campaigns_are_listed_newest_first(bench: Bench) -> None:
    await in_state(bench, "draft")
    await bench.clock.sleep(1)
    await bench.draft_campaign("summer")
    listed = (await bench.operator.get("/api/v1/campaigns")).json()
    assert [item["id"] for item in listed["items"]] == ["summer", "spring"]


async def settled() -> None:
    """Let every other task go as far as it comes."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_events_tell_each_change_until_the_end(bench: Bench) -> None:
    vehicle, *_ = await bench.rollout(1)
    watching = asyncio.create_task(bench.operator.get("/api/v1/campaigns/spring/events"))
    for step in (bench.tick, lambda: bench.confirm(vehicle), bench.tick):
        await settled()
        await step()
    answer = await watching
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = answer.text.splitlines()
    states = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert {line for line in lines if line.startswith("event:")} == {"event: campaign"}
    assert [state["counts"] for state in states] == [
        {"waiting": 1},
        {"offered": 1},
        {"confirmed": 1},
        {"confirmed": 1},
    ]
    assert [state["state"] for state in states] == ["running"] * 3 + ["finished"]


async def test_events_of_a_campaign_that_is_over_end_at_once(bench: Bench) -> None:
    await in_state(bench, "aborted")
    answer = await bench.operator.get("/api/v1/campaigns/spring/events")
    assert answer.text.count("event: campaign") == 1


async def test_events_end_when_the_token_is_revoked(bench: Bench) -> None:
    await bench.rollout(1)
    made = {"name": "watcher", "scopes": ["read"]}
    token = (await bench.operator.post("/api/v1/tokens", json=made)).json()["token"]
    watching = asyncio.create_task(
        bench.operator.get(
            "/api/v1/campaigns/spring/events", headers={"authorization": f"Bearer {token}"}
        )
    )
    await settled()
    (account,) = [
        item
        for item in (await bench.operator.get("/api/v1/tokens")).json()
        if item["name"] == "watcher"
    ]
    await bench.operator.delete(f"/api/v1/tokens/{account['id']}")
    answer = await asyncio.wait_for(watching, 5)
    assert answer.text.count("event: campaign") == 1
