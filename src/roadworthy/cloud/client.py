"""A client of the operator API, for the command line, scripts and the demo.

Problems come back as the errors of our own tree, so that a caller handles `ConflictError`
the same way on both sides of the wire.
"""

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import (
    AccessError,
    ConflictError,
    InputError,
    LinkError,
    NotFoundError,
    RoadworthyError,
    StoreError,
    TrustError,
)

__all__ = ["OperatorClient"]

_TIMEOUT_S = 60.0
_PAGE = 200
_BY_STATUS: Mapping[int, type[RoadworthyError]] = {
    400: InputError,
    401: AccessError,
    403: AccessError,
    404: NotFoundError,
    409: ConflictError,
    422: TrustError,
    503: StoreError,
}


class OperatorClient:
    """Talks to one server.

    Args:
        url: such as `http://127.0.0.1:8080`.
        token: `rw_…`, with the scopes that the calls need.
        ca: PEM file of the authority, for a server with a certificate of its own.
    """

    def __init__(self, url: str, token: str, *, ca: Path | None = None) -> None:
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_S,
            verify=_context(ca),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        """Return itself; `close` follows at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at a path below `/api/v1`.

        Raises:
            RoadworthyError: the class follows from the problem's status; LinkError when the
                server can't be reached.
        """
        return self._json(self._send("GET", path, params=query))

    def get_bytes(self, path: str) -> bytes:
        """Return the body at a path as it is."""
        return self._send("GET", path).content

    def pages(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page by page."""
        after: dict[str, str | int] = {}
        while True:
            page = self.get(path, limit=_PAGE, **query, **after)
            yield from page["items"]
            if page["next"] is None:
                return
            after = {"after": page["next"]}

    def post(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send JSON and return the JSON of the answer; errors as in `get`."""
        return self._json(self._send("POST", path, json=body if body is not None else {}))

    def delete(self, path: str) -> None:
        """Delete what is at a path."""
        self._send("DELETE", path)

    def upload(self, image: bytes) -> str:
        """Upload an image unless the server has it; return its SHA-256."""
        sha256 = sha256_hex(image)
        try:
            self.get(f"/images/{sha256}")
        except NotFoundError:
            self._send("PUT", f"/images/{sha256}", content=image)
        return sha256

    def events(self, path: str) -> Iterator[str]:
        """Yield the data of each server-sent event at a path until the stream ends.

        Raises:
            LinkError: the connection broke.
        """
        try:
            with self._client.stream("GET", path, timeout=None) as response:
                if not response.is_success:
                    response.read()
                    raise _problem(response)
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        yield line.removeprefix("data: ")
        except httpx.TransportError as error:
            raise LinkError(str(error) or type(error).__name__, value="server") from error

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401
        try:
            response = self._client.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise LinkError(
                f"can't be reached ({error})",
                value=str(self._client.base_url),
                todo="check the address, and that the server runs",
            ) from error
        if not response.is_success:
            raise _problem(response)
        return response

    def _json(self, response: httpx.Response) -> Any:  # noqa: ANN401 - JSON
        try:
            return response.json()
        except ValueError as error:
            raise LinkError(
                "did not answer in JSON",
                value=str(self._client.base_url),
                todo="check that the address is that of a Roadworthy server",
            ) from error


def _context(ca: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise InputError(f"can't be read ({error})", value=str(ca)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _problem(response: httpx.Response) -> RoadworthyError:
    try:
        body = response.json()
        happened, value, todo = (str(body.get(name, "")) for name in ("happened", "value", "todo"))
    except (ValueError, AttributeError):
        happened, value, todo = f"answered {response.status_code}", "server", ""
    kind = _BY_STATUS.get(response.status_code, RoadworthyError)
    return kind(happened or f"answered {response.status_code}", value=value, todo=todo)
