"""Each page, drawn by the real renderer from what is in the store."""

from collections.abc import Iterable
from urllib.parse import quote, urljoin, urlsplit

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import escape
from tests.cloud.conftest import OLD, Bench, TestVehicle, ecu, offer_of

from roadworthy.cloud.pages.sign_in import own_path
from roadworthy.cloud.present.fleet import overview
from roadworthy.compliance.ledger import verify_bundle
from roadworthy.trust.keys import key_of
from roadworthy.updates.failure_codes import explain
from roadworthy.updates.reports import Inventory, Progress, Refusal, Stage

PAGES = ("/", "/campaigns", "/vehicles", "/releases", "/ledger")


async def shows(bench: Bench, path: str, *words: str) -> str:
    answer = await bench.page(path)
    assert answer.status_code == 200, (path, answer.text[:500])
    assert answer.headers["content-type"].startswith("text/html")
    for word in words:
        assert word in answer.text, (path, word)
    return answer.text


async def mid_rollout(bench: Bench) -> list[TestVehicle]:
    """Four vehicles: confirmed, failed, downloading, offered."""
    vehicles = await bench.rollout(4, gate={"failure_share_max": 1.0})
    await bench.tick()
    await bench.clock.sleep(5)
    await bench.confirm(vehicles[0])
    await bench.fail(vehicles[1])
    await bench.report(
        vehicles[2], Progress, offer=offer_of(vehicles[2]), stage=Stage.DOWNLOADING, percent=50
    )
    return vehicles


@pytest.mark.parametrize("path", PAGES)
async def test_an_empty_server_has_every_page(bench: Bench, path: str) -> None:
    await shows(bench, path)


async def test_every_page_shows_a_rollout_half_way(bench: Bench) -> None:
    vehicles = await mid_rollout(bench)
    for path in PAGES[:4]:
        await shows(bench, path)
    await shows(bench, "/", "Spring")
    await shows(bench, "/campaigns", "Spring", "Running")
    page = await shows(bench, "/campaigns/spring", "ecu-rejected", *(v.vin for v in vehicles))
    assert "An ECU refused the image" in page, "a code is told in words"
    await shows(bench, "/releases/new", "engine-2.bin")
    await shows(bench, f"/vehicles/{vehicles[2].key}", vehicles[2].vin, "ENG-1")
    await shows(bench, "/vehicles", *(vehicle.vin for vehicle in vehicles))
    await shows(bench, "/ledger", "Confirmed", "Started with waves of 4")


async def test_the_overview_names_what_failed_until_the_next_campaign(bench: Bench) -> None:
    vehicles = await bench.rollout(2, gate={"failure_share_max": 1.0})
    await bench.tick()
    await bench.confirm(vehicles[0])
    await bench.fail(vehicles[1])
    await bench.tick()
    assert bench.campaign().state == "finished"
    said = ("1 vehicle failed in Spring", "The campaign has ended without them")
    await shows(bench, "/", *said)
    await bench.draft_campaign("summer")
    await shows(bench, "/", *said)
    fleet = overview(bench.desk.tables(), now=bench.clock.now()).fleet
    assert (fleet.current, fleet.failed) == (1, 1), "a draft changes nothing on the road"
    await bench.operator.post("/api/v1/campaigns/summer/start", json={})
    assert "failed in Spring" not in (await bench.page("/")).text


async def test_a_malformed_answer_of_an_ecu_is_told_in_words(bench: Bench) -> None:
    (vehicle,) = await bench.rollout(1)
    await bench.tick()
    await bench.fail(vehicle, "ecu-malformed-answer")
    words = str(escape(explain("ecu-malformed-answer")))
    await shows(bench, "/campaigns/spring", "ecu-malformed-answer", words)
    await shows(bench, f"/vehicles/{vehicle.key}", "ecu-malformed-answer")
    assert bench.entries("result")[-1].data["code"] == "ecu-malformed-answer"


async def test_the_vehicle_page_shows_how_large_the_slots_are_that_an_ecu_tells(
    bench: Bench,
) -> None:
    (vehicle,) = await bench.fleet(1)
    size = '<td data-label="Slot size" class="num"{}</td>'
    await shows(bench, f"/vehicles/{vehicle.key}", size.format(">\N{EN DASH}"))
    told = msgspec.structs.replace(ecu(OLD, 1), slot_size_bytes=1_500_000)
    await bench.report(vehicle, Inventory, ecus=(told,))
    cell = size.format(
        ' title="1\N{NARROW NO-BREAK SPACE}500\N{NARROW NO-BREAK SPACE}000 bytes">'
        "1.43\N{NO-BREAK SPACE}MB"
    )
    await shows(bench, f"/vehicles/{vehicle.key}", cell)


async def test_every_page_shows_what_failed(bench: Bench) -> None:
    vehicles = await bench.rollout(3)
    await bench.tick()
    for vehicle in vehicles:
        await bench.fail(vehicle)
    await bench.tick()
    await shows(bench, "/", "paused")
    await shows(bench, "/campaigns/spring", "3 of 3 vehicles failed")
    await shows(bench, f"/vehicles/{vehicles[0].key}", "ecu-rejected")


@pytest.mark.parametrize("state", ["draft", "paused", "aborted", "finished"])
async def test_a_campaign_is_shown_in_every_state(bench: Bench, state: str) -> None:
    (vehicle,) = await bench.fleet(1)
    await bench.signed_release("new", b"new engine image" * 8, 2)
    await bench.draft_campaign()
    steps = {"paused": ("start", "pause"), "aborted": ("start", "abort"), "finished": ("start",)}
    for action in steps.get(state, ()):
        await bench.act(action)
    if state == "finished":
        await bench.tick()
        await bench.confirm(vehicle)
        await bench.tick()
    await shows(bench, "/campaigns/spring", state.capitalize())
    await shows(bench, f"/campaigns?state={state}", "Spring")
    assert "spring" not in await shows(bench, "/campaigns?state=running")


async def test_a_refusal_is_shown_on_the_vehicles_page_with_code_and_words(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    await bench.report(vehicle, Refusal, code="rollback", detail="<b>version 3</b> after 4")
    page = await shows(bench, f"/vehicles/{vehicle.key}", "rollback", "refused what it was given")
    assert "<b>version 3" not in page


async def test_a_revoked_vehicle_is_shown_as_revoked(bench: Bench) -> None:
    (vehicle,) = await bench.fleet(1)
    await bench.operator.post(f"/api/v1/vehicles/{vehicle.key}/revoke", json={"reason": "theft"})
    await shows(bench, f"/vehicles/{vehicle.key}", "theft", "evoked")
    await shows(bench, "/vehicles", vehicle.vin)


async def test_the_vehicle_table_filters_by_stage_and_text(bench: Bench) -> None:
    vehicles = await mid_rollout(bench)
    await shows(bench, "/campaigns/spring?stage=failed", vehicles[1].vin)
    failed = await shows(bench, "/campaigns/spring/vehicles?stage=failed", vehicles[1].vin)
    assert vehicles[0].vin not in failed
    part = await shows(bench, f"/campaigns/spring/vehicles?text={vehicles[3].vin}")
    assert vehicles[3].vin in part
    assert vehicles[1].vin not in part
    assert "<html" not in part, "only the table"


@pytest.mark.parametrize("entry", [0, 1, 40])
async def test_a_link_to_an_entry_leads_to_the_page_that_shows_it(bench: Bench, entry: int) -> None:
    (vehicle,) = await bench.fleet(1)
    for _ in range(60):
        await bench.report(vehicle, Refusal, code="rollback", detail="older")
    await shows(bench, f"/ledger?entry={entry}", f'id="entry-{entry}"')


async def test_an_entrys_proof_is_fetched_from_the_page(bench: Bench) -> None:
    await bench.fleet(1)
    answer = await bench.page("/ledger/0/proof")
    key = key_of(bench.desk.authority.ledger)
    assert verify_bundle(answer.content, key) == bench.entries()[0]
    assert (await bench.page("/ledger/99/proof")).status_code == 404


@pytest.mark.parametrize("page", ["0", "-1", "2", "999999", str(10**30)])
async def test_a_page_number_that_does_not_exist_shows_the_nearest(bench: Bench, page: str) -> None:
    (vehicle,) = await bench.rollout(1)
    for path in ("/campaigns", "/vehicles", "/releases", "/ledger", "/campaigns/spring"):
        await shows(bench, f"{path}?page={page}")
    await shows(bench, f"/vehicles?page={page}", vehicle.vin)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/campaigns?page=x", 400),
        ("/campaigns/spring?stage=lost", 400),
        ("/campaigns/spring/vehicles?stage=lost", 400),
        ("/campaigns/none", 404),
        ("/campaigns/none/events", 404),
        ("/campaigns/none/vehicles", 404),
        ("/vehicles/x", 400),
        (f"/vehicles/v{'0' * 16}", 404),
        (f"/vehicles/v{'0' * 16}/events", 404),
        ("/releases/none", 404),
    ],
)
async def test_what_is_not_there_is_a_page_that_says_so(
    bench: Bench, path: str, status: int
) -> None:
    await bench.rollout(1)
    answer = await bench.page(path)
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"].startswith("text/html")


async def all_paths(bench: Bench) -> Iterable[str]:
    (vehicle,) = await bench.rollout(1)
    inner = ("/campaigns/spring", "/campaigns/spring/vehicles", "/releases/new")
    return (*PAGES, *inner, f"/vehicles/{vehicle.key}")


async def test_every_page_carries_the_security_headers(bench: Bench) -> None:
    for path in (*await all_paths(bench), "/sign-in", "/nothing"):
        headers = (await bench.page(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy, path
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"


async def test_every_page_needs_a_sign_in(bench: Bench) -> None:
    paths = await all_paths(bench)
    del bench.operator.headers["authorization"]
    for path in (*paths, "/events", "/campaigns/spring/events"):
        answer = await bench.page(path)
        assert (answer.status_code, answer.text) == (303, ""), path


@pytest.mark.parametrize("path", ["/events", "/campaigns/spring/events", "/vehicles/{key}/events"])
async def test_a_page_gets_its_changes_as_they_happen(bench: Bench, path: str) -> None:
    (vehicle,) = await bench.rollout(1)
    wanted = path.replace("{key}", vehicle.key)
    status, body = await bench.raw("GET", wanted, [_WHOLE], until=b"id: 3\n")
    assert status == 200
    assert body.count(b"event: tick") >= 3
    assert body.startswith(b"data: <hx-partial")


async def test_a_stream_ends_with_its_token(bench: Bench) -> None:
    await bench.rollout(1)
    await bench.clock.sleep(86_390)
    status, body = await bench.raw("GET", "/events", [_WHOLE], until=b"id: 999\n")
    assert status == 200
    assert 5 <= body.count(b"event: tick") <= 15, "one a second until the token has expired"


async def test_signing_out_ends_the_session(bench: Bench) -> None:
    path = (await bench.operator.post("/api/v1/tokens/sign-in")).json()["path"]
    del bench.operator.headers["authorization"]
    await bench.operator.post("/sign-in", data={"token": path.partition("token=")[2]})
    page = (await bench.page("/")).text
    csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert len(csrf) == 64
    forged = await bench.operator.post("/sign-out", data={"csrf_token": "0" * 64})
    assert forged.status_code == 403
    session = dict(bench.operator.cookies)
    answer = await bench.operator.post("/sign-out", data={"csrf_token": csrf})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    bench.operator.cookies.update(session)
    assert (await bench.page("/")).status_code == 303, "also for who kept the cookie"


@pytest.mark.parametrize(
    "form", ["csrf_token=a&csrf_token=b", "csrf_token=%ff", "", "csrf_token=%00&reason=x", "=&=&"]
)
async def test_a_form_in_any_form_is_a_typed_error(bench: Bench, form: str) -> None:
    await bench.rollout(1)
    answer = await bench.operator.post(
        "/campaigns/spring/pause",
        content=form,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code in {400, 403}, answer.text


@given(st.text(max_size=30))
@example("/\t/evil.example")
@example("/\\evil.example")
@example("//evil.example")
@example("/\n/evil.example")
@example("https:/evil.example")
@example("/a\r\nset-cookie: x=1")
@example("/ok?x=1#y")
def test_the_way_back_never_leads_to_another_server(text: str) -> None:
    for path in (text, "/" + text, "//" + text):
        kept = own_path(path)
        assert kept.startswith("/")
        assert not set(kept) & set("\r\n\t\\")
        assert urlsplit(urljoin("http://cloud.test/sign-in", kept)).netloc == "cloud.test"


async def test_a_way_back_is_kept_through_the_sign_in(bench: Bench) -> None:
    wanted = "/campaigns?state=paused"
    page = await bench.page(f"/sign-in?return_to={quote(wanted)}")
    assert 'value="/campaigns?state=paused"' in page.text


_WHOLE: dict[str, object] = {"type": "http.request", "body": b"", "more_body": False}
