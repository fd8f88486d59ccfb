"""`/api/v1/tokens`: make, list and revoke the tokens of people and programs."""

from datetime import timedelta
from typing import Any

from litestar import Request, Router, delete, get, post
from litestar.params import FromPath, JSONBody

from roadworthy.base.errors import InputError, NotFoundError
from roadworthy.cloud.access import LINK_LIFE, check_scopes, issue, require, revoke_token
from roadworthy.cloud.api.guards import account_of
from roadworthy.cloud.api.inject import GivenDesk
from roadworthy.cloud.api.schemas import AccountOut, SignInOut, TokenIn, TokenOut
from roadworthy.cloud.ports import Tables
from roadworthy.cloud.records import record

__all__ = ["tokens"]

_DAYS_MAX = 730
_SECRET_BYTES = 32
_NAME_MAX = 80
_NAMES_TAKEN = frozenset({"engine"})


@post("/", opt={"scope": "tokens"})
async def make(
    desk: GivenDesk, request: Request[Any, Any, Any], data: JSONBody[TokenIn]
) -> TokenOut:
    """Make a token; nobody can give scopes that it lacks itself."""
    scopes, account, now = check_scopes(data.scopes), account_of(request), desk.now()
    for scope in scopes:
        require(account, scope)
    if not 1 <= data.days <= _DAYS_MAX:
        raise InputError(f"must be 1 to {_DAYS_MAX}", value="days")
    _check_name(data.name)
    secret = desk.chance.token(_SECRET_BYTES)

    def work(tables: Tables) -> str:
        """Store the token."""
        details = {"name": data.name, "scopes": list(scopes), "days": data.days}
        subjects = (f"token/{data.name}",)
        record(tables, "token-made", actor=account.name, subjects=subjects, data=details, now=now)
        return issue(
            tables.accounts,
            secret=secret,
            name=data.name,
            kind="token",
            scopes=scopes,
            life=timedelta(days=data.days),
            now=now,
        )

    return TokenOut(token=await desk.write(work), name=data.name, scopes=list(scopes))


@post("/sign-in", opt={"scope": "tokens"})
async def make_link(desk: GivenDesk, request: Request[Any, Any, Any]) -> SignInOut:
    """Make a link that opens a browser session with this token's scopes, once.

    Link and session end with the token at the latest.
    """
    account, now, secret = account_of(request), desk.now(), desk.chance.token(_SECRET_BYTES)

    def work(tables: Tables) -> str:
        """Store the link."""
        details = {"scopes": list(account.scopes)}
        subjects = (f"token/{account.name}",)
        record(tables, "sign-in-link", actor=account.name, subjects=subjects, data=details, now=now)
        return issue(
            tables.accounts,
            secret=secret,
            name=account.name,
            kind="link",
            scopes=account.scopes,
            life=LINK_LIFE,
            now=now,
            made_with=account.token_sha256,
        )

    return SignInOut(path=f"/sign-in?token={await desk.write(work)}")


@get("/", opt={"scope": "tokens"})
async def list_all(desk: GivenDesk) -> list[AccountOut]:
    """List tokens; the tokens themselves are not kept."""
    return [AccountOut.of(account) for account in desk.tables().accounts.page("token")]


@delete("/{token_id:str}", opt={"scope": "tokens"})
async def revoke(desk: GivenDesk, request: Request[Any, Any, Any], token_id: FromPath[str]) -> None:
    """Take a token out of use at once."""
    now, actor = desk.now(), account_of(request).name

    def work(tables: Tables) -> None:
        """Take the token out of use."""
        known = tables.accounts.get(token_id)
        if known is None or known.kind != "token":
            raise NotFoundError("no such token", value=token_id, todo="list the tokens")
        revoke_token(tables.accounts, token_id)
        subjects = (f"token/{known.name}",)
        details = {"name": known.name}
        record(tables, "token-revoked", actor=actor, subjects=subjects, data=details, now=now)

    await desk.write(work)


def _check_name(name: str) -> None:
    """Refuse a name that would pass for another one in the ledger."""
    is_plain = name.isprintable() and "/" not in name and name == name.strip()
    if not 1 <= len(name) <= _NAME_MAX or not is_plain or name.casefold() in _NAMES_TAKEN:
        raise InputError(
            f"must have 1 to {_NAME_MAX} printable characters without a slash, and not be "
            f"{' or '.join(sorted(_NAMES_TAKEN))}",
            value="name",
            todo="give the name of the person or program",
        )


tokens = Router("/tokens", route_handlers=[make, make_link, list_all, revoke], tags=["Tokens"])
