"""Errors as RFC 9457 problems: one place that turns the error tree into answers.

A person's browser gets the same facts as a page. Nothing of the inside (trace, path, query)
ever leaves the server; the request id finds it in the log.
"""

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from roadworthy.base.errors import InputError, NotFoundError, RoadworthyError

__all__ = ["PROBLEM", "as_error", "handle_problem", "problem_body"]

PROBLEM = "application/problem+json"
_LOG = logging.getLogger("roadworthy.cloud")


class _HttpError(RoadworthyError):
    """An error of the HTTP layer itself, such as a method that is not allowed."""

    code = "http"
    title = "Request not possible"


def as_error(error: Exception) -> RoadworthyError:
    """Return the error of our tree that says what happened."""
    if isinstance(error, RoadworthyError):
        return error
    if isinstance(error, ValidationException):
        return InputError(_validation_text(error), value="request", todo="see the API description")
    if isinstance(error, HTTPException):
        return _from_http(error)
    return RoadworthyError("an unexpected error was logged", todo="report the request id")


def problem_body(error: RoadworthyError, *, status: int, instance: str) -> dict[str, Any]:
    """Return the members of a problem."""
    return {
        "type": f"urn:roadworthy:problem:{error.code}",
        "title": error.title,
        "status": status,
        "detail": str(error),
        "instance": instance,
        "code": error.code,
        "happened": error.happened,
        "value": error.value,
        "todo": error.todo,
    }


def handle_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a request that failed."""
    found = as_error(error)
    status = status_of(error, found)
    if status >= 500:  # noqa: PLR2004 - the server's own faults
        _LOG.error("request %s %s failed", request.method, request.url.path, exc_info=error)
    body = problem_body(found, status=status, instance=request.url.path)
    return Response(
        msgspec.json.encode(body), status_code=status, media_type=PROBLEM, headers=_headers(error)
    )


def status_of(error: Exception, found: RoadworthyError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, HTTPException) and not isinstance(error, ValidationException):
        return error.status_code
    return found.http_status


def _from_http(error: HTTPException) -> RoadworthyError:
    if error.status_code == NotFoundError.http_status:
        return NotFoundError("there is nothing at this address", value="path")
    detail = error.detail if error.status_code < 500 else "the server failed"  # noqa: PLR2004
    return _HttpError(str(detail))


def _validation_text(error: ValidationException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    fields = [f"{item.get('key', '')}: {item.get('message', '')}" for item in extra[:5]]
    return "; ".join(fields) or str(error.detail)


def _headers(error: Exception) -> dict[str, str]:
    headers = getattr(error, "headers", None)
    return dict(headers) if headers else {}
