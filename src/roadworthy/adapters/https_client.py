"""The vehicle's way to metadata and artifacts: HTTPS with TLS 1.3 and its certificate.

Answers are limited in size before they are read into memory and never decompressed, so that
no answer can exhaust the vehicle. A download goes on where it stopped (RFC 9110 ranges).
The server's problems (RFC 9457) become errors of our tree; a TLS refusal is told in words.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from roadworthy.adapters.tls import TlsClient, ask_tls_reason, client_context, tls_reason
from roadworthy.base.encoding import parse_json_object
from roadworthy.base.errors import (
    AccessError,
    InputError,
    LinkError,
    NotFoundError,
    RoadworthyError,
)
from roadworthy.base.ids import Sha256

__all__ = ["HttpsCloud", "HttpsSettings"]

_PROBLEM_BYTES_MAX = 1 << 16
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_HTTPS_PORT = 443
_UNAUTHORISED = (401, 403)


@dataclass(frozen=True, slots=True)
class HttpsSettings:
    """Where the cloud is and who we are.

    url: such as `https://localhost:8443`; the server's certificate must carry that name.
    timeout_s: for connecting, and without any byte arriving.
    metadata_timeout_s: for a whole metadata file (against an endless slow answer).
    metadata_bytes_max, artifact_bytes_max: larger answers are refused.
    """

    url: str
    tls: TlsClient
    timeout_s: float = 20.0
    metadata_timeout_s: float = 60.0
    metadata_bytes_max: int = 8 << 20
    artifact_bytes_max: int = 8 << 30


class HttpsCloud:
    """Implements the vehicle's `Cloud` port."""

    def __init__(self, settings: HttpsSettings) -> None:
        self._settings = settings
        self._context = client_context(settings.tls)
        self._client = httpx.AsyncClient(
            base_url=settings.url,
            verify=self._context,
            timeout=settings.timeout_s,
            trust_env=False,
            headers={"accept-encoding": "identity"},
            limits=httpx.Limits(max_connections=4, keepalive_expiry=30),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def metadata(self, repository: str, name: str) -> bytes | None:
        """Return a metadata file of `director` or `images`, None if there is none.

        Raises:
            AccessError: the cloud does not serve this vehicle.
            InputError: the answer is too large or not what was asked for.
            LinkError: no connection, or the cloud is out of order.
        """
        limit = self._settings.metadata_bytes_max
        try:
            async with asyncio.timeout(self._settings.metadata_timeout_s):
                async with self._get(f"/vehicle/v1/{repository}/{name}", {}) as answer:
                    return await _read(answer, limit, f"{repository}/{name}")
        except NotFoundError:
            return None
        except TimeoutError as error:
            raise LinkError("takes too long", value=f"{repository}/{name}") from error

    async def artifact(self, sha256: Sha256, offset: int) -> AsyncGenerator[bytes]:
        """Yield the artifact's bytes from `offset`; after a LinkError ask again from there.

        Raises:
            AccessError: the artifact is not in this vehicle's offer.
            NotFoundError: there is no such artifact.
            InputError: the answer is too large or not the range that was asked for.
            LinkError: no connection, it was lost, or the cloud is out of order.
        """
        headers = {"range": f"bytes={offset}-"} if offset else {}
        received = offset
        async with self._get(f"/vehicle/v1/artifacts/{sha256}", headers) as answer:
            if offset:
                _check_range(answer, offset)
            async for chunk in answer.aiter_raw():
                received += len(chunk)
                if received > self._settings.artifact_bytes_max:
                    raise InputError("is larger than any artifact may be", value=sha256)
                yield chunk

    @asynccontextmanager
    async def _get(self, path: str, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
        is_answered = False
        try:
            async with self._client.stream("GET", path, headers=headers) as answer:
                is_answered = True
                if not answer.is_success:
                    raise await _problem(answer)
                yield answer
        except httpx.TimeoutException as error:
            raise LinkError("does not answer in time", value="cloud") from error
        except httpx.TransportError as error:
            reason = tls_reason(error)
            if reason is None and not is_answered:
                url = self._client.base_url
                reason = await ask_tls_reason(url.host, url.port or _HTTPS_PORT, self._context)
            words = str(error) or type(error).__name__
            raise LinkError(reason or f"connection failed ({words})", value="cloud") from error


async def _read(answer: httpx.Response, size_bytes_max: int, name: str) -> bytes:
    data = bytearray()
    async for chunk in answer.aiter_raw():
        data += chunk
        if len(data) > size_bytes_max:
            raise InputError(f"has more than {size_bytes_max} bytes", value=name)
    return bytes(data)


def _check_range(answer: httpx.Response, offset: int) -> None:
    header = answer.headers.get("content-range", "")
    found = _CONTENT_RANGE.fullmatch(header)
    if answer.status_code != httpx.codes.PARTIAL_CONTENT or found is None:
        raise InputError("was not sent from where it was asked for", value="range")
    if int(found.group(1)) != offset:
        raise InputError(f"starts at {found.group(1)} instead of {offset}", value="range")


async def _problem(answer: httpx.Response) -> RoadworthyError:
    """Return the error that an unsuccessful answer stands for."""
    status = answer.status_code
    detail, code = f"the cloud answered with status {status}", ""
    try:
        body = await _read(answer, _PROBLEM_BYTES_MAX, "problem")
        problem = parse_json_object(body, name="problem", size_bytes_max=_PROBLEM_BYTES_MAX)
        detail = str(problem.get("detail") or detail)[:500]
        code = str(problem.get("code") or "")[:50]
    except InputError:
        pass
    words = f"{detail} ({code})" if code else detail
    if status in _UNAUTHORISED:
        return AccessError(words, value="cloud")
    if status == httpx.codes.NOT_FOUND:
        return NotFoundError(words, value="cloud")
    if httpx.codes.is_client_error(status) and status != httpx.codes.TOO_MANY_REQUESTS:
        return InputError(words, value="cloud")
    return LinkError(words, value="cloud")
