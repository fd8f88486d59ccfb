"""`/api/v1/ledger`: entries, the signed head, and proofs to check offline."""

from litestar import Response, Router, get
from litestar.params import FromPath, FromQuery

from roadworthy.base.errors import InputError
from roadworthy.cloud.api.inject import GivenDesk
from roadworthy.cloud.api.paging import LIMIT_MAX
from roadworthy.cloud.api.schemas import EntryOut, Page, entry_out
from roadworthy.cloud.records import entry_at, proof_bundle, tree_head
from roadworthy.compliance.ledger import parse_entry
from roadworthy.trust.keys import key_of, key_to_json

__all__ = ["ledger"]

_JSON = "application/json"
_INDEX_MAX = 2**53


@get("/")
async def entries(
    desk: GivenDesk,
    subject: FromQuery[str] = "",
    before: FromQuery[int | None] = None,
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> Page[EntryOut]:
    """List entries, newest first; of one subject such as `campaign/spring`, or of all.

    `before` is the index that the list ends in front of; `after` takes the `next` of a page.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise InputError(f"must be 1 to {LIMIT_MAX}", value="limit")
    end = _index(after) if after else before
    if end is not None and not 0 <= end <= _INDEX_MAX:
        raise InputError("is no index", value="before", todo="give the index of an entry")
    found = desk.tables().ledger.entries(subject=subject, before=end, limit=limit)
    items = [entry_out(parse_entry(item.data)) for item in found]
    more = len(found) == limit and found[-1].index > 0
    return Page(items, str(found[-1].index) if more else None)


def _index(after: str) -> int:
    if not after.isdecimal() or len(after) > len(str(_INDEX_MAX)):
        raise InputError("is not a cursor", value="after", todo="give `next` of the page before")
    return int(after)


@get("/head", media_type=_JSON)
async def head(desk: GivenDesk) -> Response[bytes]:
    """Return the signed state of the whole ledger."""
    found = tree_head(desk.tables().ledger, desk.authority, now=desk.now())
    return Response(found.sealed, media_type=_JSON)


@get("/key", media_type=_JSON)
async def key(desk: GivenDesk) -> Response[bytes]:
    """Return the public key that checks heads and proofs; compare it with the ceremony's."""
    return Response(key_to_json(key_of(desk.authority.ledger)), media_type=_JSON)


@get("/{index:int}")
async def show(desk: GivenDesk, index: FromPath[int]) -> EntryOut:
    """Return an entry."""
    return entry_out(entry_at(desk.tables().ledger, index))


@get("/{index:int}/proof", media_type=_JSON)
async def proof(desk: GivenDesk, index: FromPath[int]) -> Response[bytes]:
    """Return the bundle that `roadworthy ledger verify` checks without any server."""
    found = proof_bundle(desk.tables().ledger, desk.authority, index, now=desk.now())
    name = f"ledger-entry-{index}.json"
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(found, media_type=_JSON, headers=disposition)


ledger = Router("/ledger", route_handlers=[entries, head, key, show, proof], tags=["Ledger"])
