"""Errors as RFC 9457 problems: one place that turns the error tree into answers.

A person's browser gets the same facts as a page. Nothing of the inside (trace, path, query)
ever leaves the server. A fault of the server gets a number, which finds it in the log.
"""

import logging
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from roadworthy.base.errors import InputError, NotFoundError, RoadworthyError

__all__ = ["PROBLEM", "Answer", "answer_to", "as_error", "handle_problem", "problem_body"]

PROBLEM = "application/problem+json"
_NO_PROOF = 401
_FAULTS = 500
_NUMBER_BYTES = 6
_LOG = logging.getLogger("roadworthy.cloud")


@dataclass(frozen=True, slots=True)
class Answer:
    """What may be said of an error. request_id: of a fault of the server, as in its log."""

    error: RoadworthyError
    status: int
    request_id: str = ""


class _HttpError(RoadworthyError):
    """An error of the HTTP layer itself, such as a method that is not allowed."""

    code = "http"
    title = "Request not possible"


def as_error(error: Exception) -> RoadworthyError:
    """Return the error of our tree that says what happened."""
    if isinstance(error, RoadworthyError):
        return error
    if isinstance(error, RecursionError):
        return InputError("is nested too deep", value="request")
    if isinstance(error, ValidationException):
        return InputError(_validation_text(error), value="request", todo="see the API description")
    if isinstance(error, HTTPException):
        return _from_http(error)
    return RoadworthyError("an unexpected error")


def answer_to(request: Request[Any, Any, Any], error: Exception) -> Answer:
    """Return what to say of an error; a fault of the server is logged with all that is known."""
    found = as_error(error)
    status = status_of(error, found)
    if status < _FAULTS:
        return Answer(found, status)
    number = request.app.state.chance.token(_NUMBER_BYTES)
    _LOG.error("request %s failed: %s %s", number, request.method, request.url.path, exc_info=error)
    todo = f"try again; if it stays so, ask the server's operator about request {number}"
    return Answer(type(found)(found.title.lower(), todo=todo), status, number)


def problem_body(answer: Answer, *, instance: str) -> dict[str, Any]:
    """Return the members of a problem."""
    error = answer.error
    body = {
        "type": f"urn:roadworthy:problem:{error.code}",
        "title": error.title,
        "status": answer.status,
        "detail": str(error),
        "instance": instance,
        "code": error.code,
        "happened": error.happened,
        "value": error.value,
        "todo": error.todo,
    }
    return body | ({"request_id": answer.request_id} if answer.request_id else {})


def handle_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a request that failed; the application's state must hold a `chance`."""
    answer = answer_to(request, error)
    body = problem_body(answer, instance=request.url.path)
    return Response(
        msgspec.json.encode(body),
        status_code=answer.status,
        media_type=PROBLEM,
        headers=_headers(error, answer.status),
    )


def status_of(error: Exception, found: RoadworthyError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, HTTPException) and not isinstance(error, ValidationException):
        return error.status_code
    return found.http_status


def _from_http(error: HTTPException) -> RoadworthyError:
    if error.status_code == NotFoundError.http_status:
        return NotFoundError("there is nothing at this address", value="path")
    detail = error.detail if error.status_code < _FAULTS else "the server failed"
    return _HttpError(str(detail))


def _validation_text(error: ValidationException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    fields = [f"{item.get('key', '')}: {item.get('message', '')}" for item in extra[:5]]
    return "; ".join(fields) or str(error.detail)


def _headers(error: Exception, status: int) -> dict[str, str]:
    headers = dict(getattr(error, "headers", None) or {})
    return headers | ({"www-authenticate": "Bearer"} if status == _NO_PROOF else {})
