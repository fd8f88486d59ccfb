"""The API's description in OpenAPI 3.1: what litestar derives, and the problems beside it.

Each operation names the errors that it can answer with; their body is a problem (RFC 9457),
not litestar's own form, which it would describe otherwise.
"""

import json
from dataclasses import replace

import msgspec
from litestar import Litestar
from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Reference,
    Schema,
)

from roadworthy.cloud.problems import PROBLEM

__all__ = ["add_problems", "description"]

_ALWAYS = {
    "400": "The request is malformed.",
    "401": "No valid token came with the request.",
    "403": "The token lacks the scope that this needs.",
    "500": "The server has a fault; the problem has the number of the request.",
    "503": "The store or the network of the server failed; try again.",
}
_NAMED = {"404": "There is no such thing."}
_CHANGING = {
    "409": "The state of the thing does not allow it; `todo` says which would.",
    "422": "A hash or signature is not what it must be.",
}
_BODY = {"413": "The body is larger than allowed."}
_NUMBERS = frozenset({"status"})
_MEMBERS = {
    "type": "names the kind of problem, as a URN",
    "title": "the kind in words, always the same",
    "status": "the HTTP status",
    "detail": "what happened to which value and what to do, in one sentence",
    "instance": "the path of the request",
    "code": "the kind in short, as in `type`",
    "happened": "what happened",
    "value": "the name of the value that caused it, or empty",
    "todo": "what the sender can do, or empty",
    "request_id": "number of a request that met a fault of the server; only there",
}


def add_problems(app: Litestar) -> None:
    """Describe, for every operation of the application, the problems it answers with.

    A shared schema is given the default of whichever field litestar meets first, which
    differs from process to process; a schema as such has none.
    """
    description = app.openapi_schema
    schemas = description.components.schemas
    schemas |= {name: replace(schema, default=None) for name, schema in schemas.items()}
    schemas["Problem"] = _problem()
    for path, item in (description.paths or {}).items():
        for method in ("get", "put", "post", "delete"):
            operation: Operation | None = getattr(item, method)
            if operation is not None:
                _describe(operation, path, method)


def description(app: Litestar) -> bytes:
    """Return the description as it is kept in the documents: JSON, indented, keys sorted."""
    whole: OpenAPI = app.openapi_schema
    plain = msgspec.to_builtins(whole.to_schema())
    text = json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def _describe(operation: Operation, path: str, method: str) -> None:
    found = dict(_ALWAYS)
    if "{" in path:
        found |= _NAMED
    if method != "get":
        found |= _CHANGING | _BODY
    responses = operation.responses if operation.responses is not None else {}
    for status, words in sorted(found.items()):
        responses[status] = OpenAPIResponse(
            description=words,
            content={
                PROBLEM: OpenAPIMediaType(schema=Reference(ref="#/components/schemas/Problem"))
            },
        )
    operation.responses = responses


def _problem() -> Schema:
    return Schema(
        type=OpenAPIType.OBJECT,
        description="An error (RFC 9457).",
        required=[name for name in _MEMBERS if name != "request_id"],
        properties={
            name: Schema(
                type=OpenAPIType.INTEGER if name in _NUMBERS else OpenAPIType.STRING,
                description=words,
            )
            for name, words in _MEMBERS.items()
        },
    )
