"""The operator's side is never open."""

from datetime import timedelta

import pytest
from tests.cloud.conftest import Bench

from roadworthy.cloud.access import LINK_LIFE, SCOPES

READING = ["/api/v1/campaigns", "/api/v1/vehicles", "/api/v1/ledger", "/", "/campaigns", "/ledger"]


@pytest.mark.parametrize("path", READING)
async def test_nothing_is_shown_without_a_token(bench: Bench, path: str) -> None:
    del bench.operator.headers["authorization"]
    assert (await bench.operator.get(path)).status_code in {401, 303}
    answer = await bench.operator.get(path, headers={"authorization": "Bearer rw_wrong"})
    assert answer.status_code in {401, 303}


async def test_a_page_sends_a_stranger_to_the_door(bench: Bench) -> None:
    del bench.operator.headers["authorization"]
    answer = await bench.operator.get("/campaigns", headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?return_to=/campaigns"


@pytest.mark.parametrize("path", ["/events", "/campaigns", "/vehicles/v1/events"])
async def test_a_script_of_a_page_is_told_instead_of_sent_to_the_door(
    bench: Bench, path: str
) -> None:
    del bench.operator.headers["authorization"]
    script = {"accept": "text/html, text/event-stream", "hx-request": "true"}
    assert (await bench.operator.get(path, headers=script)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/api/v1/campaigns", "campaigns"),
        ("POST", "/api/v1/releases", "releases"),
        ("POST", "/api/v1/vehicles", "vehicles"),
        ("POST", "/api/v1/tokens", "tokens"),
        ("GET", "/api/v1/tokens", "tokens"),
    ],
)
async def test_a_token_can_do_only_what_its_scopes_say(
    bench: Bench, method: str, path: str, scope: str
) -> None:
    others = bench.bearer(*[name for name in SCOPES if name != scope])
    answer = await bench.operator.request(method, path, headers=others, json={})
    assert answer.status_code == 403
    assert answer.json()["code"] == "access-denied"
    assert scope in answer.json()["todo"]


async def test_nobody_gives_a_scope_that_he_lacks(bench: Bench) -> None:
    weak = bench.bearer("tokens", "read")
    body = {"name": "mine", "scopes": ["campaigns"]}
    answer = await bench.operator.post("/api/v1/tokens", headers=weak, json=body)
    assert answer.status_code == 403


async def test_a_token_is_made_used_and_revoked(bench: Bench) -> None:
    body = {"name": "reader", "scopes": ["read"], "days": 1}
    made = (await bench.operator.post("/api/v1/tokens", json=body)).json()
    mine = {"authorization": f"Bearer {made['token']}"}
    assert (await bench.operator.get("/api/v1/campaigns", headers=mine)).status_code == 200
    known = (await bench.operator.get("/api/v1/tokens")).json()
    (account,) = [item for item in known if item["name"] == "reader"]
    assert made["token"] not in str(known), "only its hash is kept"
    answer = await bench.operator.delete(f"/api/v1/tokens/{account['id']}")
    assert answer.status_code == 204
    assert (await bench.operator.get("/api/v1/campaigns", headers=mine)).status_code == 401


async def test_a_token_ends(bench: Bench) -> None:
    mine = bench.bearer("read")
    await bench.clock.sleep(timedelta(days=1).total_seconds())
    answer = await bench.operator.get("/api/v1/campaigns", headers=mine)
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


async def test_a_sign_in_link_works_once(bench: Bench) -> None:
    path = (await bench.operator.post("/api/v1/tokens/sign-in")).json()["path"]
    token = path.partition("token=")[2]
    del bench.operator.headers["authorization"]
    assert (await bench.operator.get(path)).status_code == 200, "looking does not use it up"
    form = {"token": token, "return_to": "/campaigns"}
    first = await bench.operator.post("/sign-in", data=form)
    assert (first.status_code, first.headers["location"]) == (303, "/campaigns")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (await bench.operator.get("/campaigns")).status_code == 200
    bench.operator.cookies.clear()
    assert (await bench.operator.post("/sign-in", data=form)).status_code == 403


async def test_a_sign_in_link_is_short_lived_and_leads_only_to_this_server(bench: Bench) -> None:
    links = [bench.issue("link", "read", life=LINK_LIFE) for _ in range(2)]
    form = {"token": links[0], "return_to": "//evil.example/"}
    assert (await bench.operator.post("/sign-in", data=form)).headers["location"] == "/"
    await bench.clock.sleep(LINK_LIFE.total_seconds())
    assert (await bench.operator.post("/sign-in", data={"token": links[1]})).status_code == 403


async def test_a_cookie_alone_changes_nothing(bench: Bench) -> None:
    path = (await bench.operator.post("/api/v1/tokens/sign-in")).json()["path"]
    del bench.operator.headers["authorization"]
    await bench.operator.post("/sign-in", data={"token": path.partition("token=")[2]})
    by_api = await bench.operator.post("/api/v1/tokens", json={"name": "x", "scopes": ["read"]})
    assert by_api.status_code == 401
    by_form = await bench.operator.post("/campaigns/any/abort", data={"reason": "forged"})
    assert by_form.status_code == 403
