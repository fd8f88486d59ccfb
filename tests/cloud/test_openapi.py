"""The API is described as it is, and the description in docs/ is that one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.cloud.conftest import Bench, House, problem

from roadworthy.cloud.api.description import description

SNAPSHOT = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="session")
def described(house: House) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(description(house.operator_app))
    return found


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in described["paths"].items()
        for method, operation in item.items()
    ]


def test_the_description_in_the_documents_is_that_of_the_code(house: House) -> None:
    assert SNAPSHOT.read_bytes() == description(house.operator_app), (
        "renew it: .venv/bin/python tools/openapi.py"
    )


async def test_the_server_serves_the_same_description(
    bench: Bench, described: dict[str, Any]
) -> None:
    answer = await bench.operator.get("/api/v1/openapi/openapi.json")
    assert answer.status_code == 200
    assert json.loads(answer.text) == described
    assert described["openapi"].startswith("3.1")


def test_every_operation_needs_the_token(described: dict[str, Any]) -> None:
    assert described["security"] == [{"token": []}]
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert all("security" not in operation for _, _, operation in operations(described))


def test_every_error_of_every_operation_is_a_problem(described: dict[str, Any]) -> None:
    for path, method, operation in operations(described):
        errors = {code: item for code, item in operation["responses"].items() if code >= "400"}
        assert {"400", "401", "403", "500"} <= set(errors), (path, method)
        for item in errors.values():
            (media, content), *more = item["content"].items()
            assert (media, more) == ("application/problem+json", [])
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_only_the_api_is_described_and_every_operation_in_words(
    described: dict[str, Any],
) -> None:
    for path, method, operation in operations(described):
        assert path.startswith("/api/v1/"), path
        assert operation["description"], (path, method)
        assert operation["tags"]
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(set(names)) == len(names)


async def test_a_problem_has_the_members_that_are_described(
    bench: Bench, described: dict[str, Any]
) -> None:
    schema = described["components"]["schemas"]["Problem"]
    told = problem(await bench.operator.get("/api/v1/campaigns/none"), 404, "not-found")
    assert set(schema["required"]) == set(told)
    assert set(told) <= set(schema["properties"])


async def test_no_operation_crashes_on_names_of_nothing(
    bench: Bench, described: dict[str, Any]
) -> None:
    for path, method, operation in operations(described):
        for name in ("none", "0", "%00", "é" * 200, "v" + "0" * 16, "a" * 64):
            wanted = re.sub(r"\{\w+\}", name, path)
            answer = await bench.operator.request(method, wanted, json={})
            assert answer.status_code < 500, (method, wanted, answer.text)
            assert str(answer.status_code) in operation["responses"] | {"405": 0}, (
                method,
                wanted,
                answer.status_code,
            )
