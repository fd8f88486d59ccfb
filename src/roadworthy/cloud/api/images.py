"""`/api/v1/images`: upload an image; it is named by its own hash."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, Router, get, put
from litestar.exceptions import InternalServerException
from litestar.params import FromPath

from roadworthy.base.errors import InputError, RoadworthyError, TrustError
from roadworthy.base.ids import Sha256, parse_sha256
from roadworthy.cloud.api.guards import account_of
from roadworthy.cloud.api.inject import GivenDesk
from roadworthy.cloud.api.schemas import ImageOut
from roadworthy.cloud.desk import Desk
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.records import record

__all__ = ["images"]

_IMAGE_BYTES_MAX = 4 << 30


class UploadHashError(TrustError):
    """What arrived is not what the sender named."""

    code = "upload-hash"
    title = "Upload damaged"


@put("/{sha256:str}", opt={"scope": "releases"}, request_max_body_size=_IMAGE_BYTES_MAX)
async def upload(
    desk: GivenDesk, request: Request[Any, Any, Any], sha256: FromPath[str]
) -> ImageOut:
    """Store the request's body if its SHA-256 is the one in the address.

    An image that vehicles run already is worth uploading too: deltas are made from it.
    """
    wanted = parse_sha256(sha256)
    try:
        found = await desk.artifacts.put(_checked(request, wanted))
    except (InputError, TrustError) as error:
        await _tell(desk, account_of(request).name, wanted, error)
        raise
    length_bytes = await desk.artifacts.size(found)
    await desk.write(lambda tables: tables.releases.put_image(found, length_bytes))
    return ImageOut(sha256=found, length_bytes=length_bytes)


@get("/{sha256:str}")
async def describe(desk: GivenDesk, sha256: FromPath[str]) -> ImageOut:
    """Return the length of an image that the server holds."""
    wanted = parse_sha256(sha256)
    return ImageOut(sha256=wanted, length_bytes=await desk.artifacts.size(wanted))


async def _checked(request: Request[Any, Any, Any], wanted: Sha256) -> AsyncIterator[bytes]:
    """Yield the body; its end raises unless the whole has the hash, so that nothing is kept."""
    digest = hashlib.sha256()
    try:
        async for chunk in request.stream():
            digest.update(chunk)
            yield chunk
    except InternalServerException as error:
        raise InputError("broke off", value="upload", todo="send the file again") from error
    if (found := digest.hexdigest()) != wanted:
        raise UploadHashError(
            f"has the hash {found}", value=wanted, todo="upload the file again; nothing was kept"
        )


async def _tell(desk: Desk, actor: str, wanted: Sha256, error: RoadworthyError) -> None:
    now = desk.now()
    data = {"code": error.code, "detail": str(error)}
    subjects = (f"image/{wanted}",)

    def work(tables: Tables) -> None:
        """Record that nothing of the upload was kept."""
        record(tables, "upload-refused", actor=actor, subjects=subjects, data=data, now=now)

    await desk.write(work)


images = Router("/images", route_handlers=[upload, describe], tags=["Images"])
