"""The operators' side as an attacker sees it: every route, header, form and name."""

from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from litestar.routes import HTTPRoute
from tests.cloud.conftest import OLD, Bench

from roadworthy.cloud.access import SESSION_LIFE
from roadworthy.updates.reports import Outcome, Refusal

PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/static/{file_path:path}"),
    ("HEAD", "/static/{file_path:path}"),
}
CHANGES = {
    ("POST", "/api/v1/campaigns"): "campaigns",
    ("POST", "/api/v1/campaigns/{campaign_id:str}/{action:str}"): "campaigns",
    ("PUT", "/api/v1/images/{sha256:str}"): "releases",
    ("POST", "/api/v1/releases"): "releases",
    ("GET", "/api/v1/releases/{release_id:str}/payload"): "releases",
    ("POST", "/api/v1/releases/{release_id:str}/signatures"): "releases",
    ("GET", "/api/v1/tokens"): "tokens",
    ("POST", "/api/v1/tokens"): "tokens",
    ("POST", "/api/v1/tokens/sign-in"): "tokens",
    ("DELETE", "/api/v1/tokens/{token_id:str}"): "tokens",
    ("POST", "/api/v1/vehicles"): "vehicles",
    ("POST", "/api/v1/vehicles/{vehicle:str}/revoke"): "vehicles",
    ("POST", "/campaigns/{campaign_id:str}/{action:str}"): "campaigns",
    ("POST", "/sign-out"): "read",
}


def routes(bench: Bench) -> dict[tuple[str, str], str]:
    """Every method and path of the application, with the scope that its guard asks for."""
    found = {}
    for route in bench.operator_app.routes:
        assert isinstance(route, HTTPRoute), "no websocket, no mounted application"
        for handler in route.route_handlers:
            for method in handler.http_methods - {"OPTIONS"}:
                found[str(method), route.path] = handler.opt.get("scope", "read")
    return found


async def browser(bench: Bench, token: str) -> None:
    """Turn the bench's client into a browser that followed a link of this token."""
    headers = {"authorization": f"Bearer {token}"}
    path = (await bench.operator.post("/api/v1/tokens/sign-in", headers=headers)).json()["path"]
    del bench.operator.headers["authorization"]
    answer = await bench.operator.post("/sign-in", data={"token": path.partition("token=")[2]})
    assert answer.status_code == 303


def test_each_route_is_public_by_intent_or_asks_for_the_scope_of_what_it_does(
    bench: Bench,
) -> None:
    found = routes(bench)
    assert {route for route, scope in found.items() if scope == "public"} == PUBLIC
    beyond = {route: scope for route, scope in found.items() if scope not in {"public", "read"}}
    assert beyond | {("POST", "/sign-out"): "read"} == CHANGES
    assert {route for route in found if route[0] not in {"GET", "HEAD"}} <= PUBLIC | set(CHANGES)


async def test_no_route_but_the_public_ones_answers_a_stranger(bench: Bench) -> None:
    del bench.operator.headers["authorization"]
    for (method, path), scope in routes(bench).items():
        concrete = path.replace("{file_path:path}", "app.css").replace(":int}", "}")
        concrete = concrete.replace("{index}", "0")
        answer = await bench.operator.request(method, concrete, headers={"accept": "*/*"})
        assert (answer.status_code == 401) == (scope != "public"), (method, path)


@pytest.mark.parametrize("path", ["/", "/static/app.css", "/healthz", "/api/v1/ledger", "/none"])
async def test_every_answer_carries_the_security_headers(bench: Bench, path: str) -> None:
    for base, has_hsts in (("https://fleet.example", True), ("https://localhost:8443", False)):
        answer = await bench.operator.get(f"{base}{path}", headers={"accept": "text/html"})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert ("strict-transport-security" in answer.headers) == has_hsts
        if answer.headers["content-type"].startswith("text/html"):
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["%00", "a" * 5000, "..%2frender.py", "%2e%2e/render.py", "%2fetc/passwd", "vendor"]
)
async def test_names_that_are_not_ours_never_reach_the_disk(bench: Bench, path: str) -> None:
    assert (await bench.operator.get(f"/static/{path}")).status_code == 404


@pytest.mark.parametrize("way", ["whole", "chunked"])
async def test_a_form_is_small(bench: Bench, way: str) -> None:
    del bench.operator.headers["authorization"]
    body = b"token=" + b"x" * (1 << 20)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    answer = await bench.operator.post(
        "/sign-in",
        content=body if way == "whole" else pieces(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 413


async def test_guessing_tokens_costs_the_server_no_write(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write(_: object) -> None:
        pytest.fail("a stranger made the server write")

    monkeypatch.setattr(bench.store, "write", write)
    answer = await bench.operator.post("/sign-in", data={"token": "rw_" + "0" * 64})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("base", "is_secure"),
    [("http://127.0.0.1:8080", False), ("http://fleet.example", True), ("https://[::1]", True)],
)
async def test_the_session_leaves_this_machine_by_https_only(
    bench: Bench, base: str, *, is_secure: bool
) -> None:
    link = bench.issue("link", "read", life=timedelta(minutes=1))
    answer = await bench.operator.post(f"{base}/sign-in", data={"token": link})
    assert ("secure" in answer.headers["set-cookie"].lower()) == is_secure


@pytest.mark.parametrize("end", ["revoked", "expired"])
async def test_a_session_ends_with_the_token_that_opened_it(bench: Bench, end: str) -> None:
    made = await bench.operator.post(
        "/api/v1/tokens", json={"name": "guest", "scopes": ["read", "tokens"], "days": 1}
    )
    await bench.clock.sleep((timedelta(days=1) - SESSION_LIFE / 2).total_seconds())
    await browser(bench, made.json()["token"])
    assert (await bench.operator.get("/campaigns")).status_code == 200
    if end == "revoked":
        headers = bench.bearer()
        listed = (await bench.operator.get("/api/v1/tokens", headers=headers)).json()
        (guest,) = [account["id"] for account in listed if account["name"] == "guest"]
        gone = await bench.operator.delete(f"/api/v1/tokens/{guest}", headers=headers)
        assert gone.status_code == 204
    else:
        await bench.clock.sleep((SESSION_LIFE / 2).total_seconds())
    answer = await bench.operator.get("/campaigns", headers={"accept": "*/*"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "name", ["engine", "Engine", "vehicle/v0123456789abcdef", "a\nb", "\u202eb", " operator", ""]
)
async def test_a_token_can_not_pass_for_another_actor(bench: Bench, name: str) -> None:
    answer = await bench.operator.post("/api/v1/tokens", json={"name": name, "scopes": ["read"]})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "path", ["//api/v1/tokens", "/%61pi/v1/tokens", "/api/v1/tokens/", "///api//v1//tokens"]
)
async def test_no_spelling_of_the_apis_address_lets_a_cookie_change_anything(
    bench: Bench, path: str
) -> None:
    await browser(bench, bench.issue("token", life=timedelta(days=1)))
    body = {"name": "forged", "scopes": ["read"]}
    answer = await bench.operator.post(f"http://127.0.0.1{path}", json=body)
    assert answer.status_code in {401, 404}


async def test_what_anybody_wrote_is_text_on_every_page_and_in_every_stream(bench: Bench) -> None:
    evil = "\"><img src=x onerror=alert(1)><script>alert(1)</script>'\ndata: x\u2028event: y"
    short = evil[:110]
    (vehicle,) = await bench.rollout(1, name=short, waves=[{"name": short, "share": 1.0}])
    await bench.tick()
    await bench.report(vehicle, Refusal, code=evil, detail=evil, offer=evil)
    await bench.finish(vehicle, Outcome.FAILED, OLD, 1, code=evil, detail=evil, ecu=evil)
    await bench.act("pause", reason=evil)
    pages = [f"/campaigns/spring?text={quote(evil)}", f"/sign-in?token={quote(evil)}", "/"]
    pages += ["/ledger", "/releases", "/releases/new"]
    pages += ["/campaigns", "/campaigns/spring/vehicles", "/vehicles", f"/vehicles/{vehicle.key}"]
    for page in pages:
        text = (await bench.page(page)).text
        assert "<img src=x" not in text, page
        assert "<script>alert" not in text, page
    for page in ("", "/campaigns/spring", f"/vehicles/{vehicle.key}"):
        _, body = await bench.raw("GET", f"{page}/events", [], until=b"event: tick")
        lines = [line for line in body.decode().split("\n") if line]
        assert {line.partition(": ")[0] for line in lines} <= {"data", "event", "id"}
        assert {line for line in lines if line.startswith("event")} == {"event: tick"}
        assert b"<img src=x" not in body
