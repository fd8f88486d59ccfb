"""Every error is a problem of RFC 9457 for programs and a page for people; nothing leaks."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from tests.cloud.conftest import Bench, problem

from roadworthy.base.errors import StoreError

SECRET = "/srv/secret/roadworthy.db"  # noqa: S105 - a path that must not get out


class BrokenStore:
    """A store whose disk is gone, or whose code has a fault."""

    def __init__(self, make: Callable[[], Exception]) -> None:
        self._make = make

    def read(self) -> Any:  # noqa: ANN401 - never returns
        raise self._make()

    async def write(self, _: object) -> Any:  # noqa: ANN401 - never returns
        raise self._make()


FAULTS: dict[str, Callable[[], Exception]] = {
    "internal": lambda: RuntimeError(f"can't open {SECRET}"),
    "store": lambda: StoreError(f"no space on {SECRET}", value=SECRET, todo=f"look at {SECRET}"),
}


@pytest.mark.parametrize("code", FAULTS)
async def test_a_fault_of_the_server_says_nothing_of_its_inside(
    bench: Bench, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.slots["store"].part = BrokenStore(FAULTS[code])
    status = 503 if code == "store" else 500
    answer = await bench.operator.get("/api/v1/campaigns")
    told = problem(answer, status, code)
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text
    number = told["request_id"]
    (logged,) = [item for item in caplog.records if item.levelno == logging.ERROR]
    assert number in logged.getMessage()
    assert number in told["todo"], "the person knows what to ask for"
    assert logged.exc_info


@pytest.mark.parametrize("code", FAULTS)
async def test_a_person_sees_a_fault_as_a_page(
    bench: Bench, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.slots["store"].part = BrokenStore(FAULTS[code])
    answer = await bench.page("/campaigns")
    assert answer.status_code == (503 if code == "store" else 500)
    assert answer.headers["content-type"].startswith("text/html")
    assert SECRET not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    (logged,) = [item for item in caplog.records if item.levelno == logging.ERROR]
    assert logged.getMessage().split()[1] in answer.text, "the number of the request"


async def test_a_vehicle_gets_no_inside_either(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    vehicle = await bench.enrol()
    bench.slots["store"].part = BrokenStore(FAULTS["internal"])
    async with bench.vehicle_client(vehicle.certificate) as client:
        answer = await client.get("/vehicle/v1/director/timestamp.json")
    assert SECRET not in str(problem(answer, 500, "internal"))
    assert caplog.records


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not-found"),
        ("GET", "/nothing", 404, "not-found"),
        ("PATCH", "/api/v1/campaigns", 405, "http"),
        ("GET", "/api/v1/campaigns/none", 404, "not-found"),
        ("GET", "/api/v1/vehicles/x", 400, "invalid-input"),
        ("GET", "/api/v1/campaigns?limit=many", 400, "invalid-input"),
        ("GET", "/campaigns/none", 404, "not-found"),
        ("GET", "/static/none.css", 404, "not-found"),
        ("DELETE", "/api/v1/tokens/none", 404, "not-found"),
    ],
)
async def test_every_error_path_gives_a_whole_problem(
    bench: Bench, method: str, path: str, status: int, code: str
) -> None:
    problem(await bench.operator.request(method, path), status, code)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff",
        b'{"id": "a"}',
        b"[" * 10_000,
        b'{"id":"\\ud800"}',
    ],
    ids=range(9),
)
@pytest.mark.parametrize("path", ["campaigns", "releases", "vehicles", "tokens"])
async def test_a_body_that_is_no_request_is_the_senders_fault(
    bench: Bench, path: str, content: bytes
) -> None:
    answer = await bench.operator.post(
        f"/api/v1/{path}", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code"} <= set(answer.json())


async def test_who_is_not_signed_in_is_told_how(bench: Bench) -> None:
    del bench.operator.headers["authorization"]
    answer = await bench.operator.get("/api/v1/campaigns")
    problem(answer, 401, "not-signed-in")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_person_gets_back_to_where_he_wanted_to_go(bench: Bench) -> None:
    del bench.operator.headers["authorization"]
    answer = await bench.page("/campaigns?state=paused&page=2")
    assert answer.status_code == 303
    wanted = "/sign-in?return_to=/campaigns%3Fstate%3Dpaused%26page%3D2"
    assert answer.headers["location"] == wanted


async def test_a_person_gets_a_page_and_a_program_a_problem(bench: Bench) -> None:
    page = await bench.page("/campaigns/none")
    assert page.status_code == 404
    assert "no such campaign" in page.text
    problem(await bench.operator.get("/campaigns/none"), 404, "not-found")


async def test_what_the_sender_wrote_does_not_become_markup(bench: Bench) -> None:
    page = await bench.page("/campaigns/spring%3Cscript%3E?stage=%3Cscript%3E")
    assert page.status_code in {400, 404}
    assert "<script>" not in page.text.replace("<script>", "", 0).split("<main", 1)[-1]


async def test_the_server_says_that_it_lives_and_whether_its_store_answers(bench: Bench) -> None:
    del bench.operator.headers["authorization"]
    assert (await bench.operator.get("/healthz")).text == "ok"
    assert (await bench.operator.get("/readyz")).status_code == 200
    bench.slots["store"].part = BrokenStore(FAULTS["store"])
    assert (await bench.operator.get("/healthz")).text == "ok"
    assert (await bench.operator.get("/readyz")).status_code == 503
