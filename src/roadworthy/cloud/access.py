"""Who may do what on the operator's side: tokens with scopes, and the sign-in link.

A token is 32 random bytes; the store keeps only its SHA-256. A link is a token that works
once and for a short time; following it opens a session in the browser.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import AccessError, InputError
from roadworthy.cloud.ports import Account, AccountTable

__all__ = [
    "SCOPES",
    "TOKEN_PREFIX",
    "NotSignedInError",
    "check_scopes",
    "issue",
    "require",
    "revoke_token",
    "use_link",
    "who",
]

SCOPES = {
    "read": "see everything",
    "releases": "upload images, draft releases and add signatures",
    "campaigns": "create, start, pause, resume and abort campaigns",
    "vehicles": "enrol and revoke vehicles",
    "tokens": "make and revoke tokens",
}
TOKEN_PREFIX = "rw_"  # noqa: S105 - the visible part that tells what it is, no secret
SESSION_LIFE = timedelta(hours=12)
LINK_LIFE = timedelta(minutes=15)


class NotSignedInError(AccessError):
    """No valid token or session came with the request."""

    code = "not-signed-in"
    title = "Sign in first"
    http_status = 401


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes, sorted; raise InputError for one that does not exist."""
    found = tuple(sorted(set(scopes)))
    unknown = [scope for scope in found if scope not in SCOPES]
    if unknown or not found:
        raise InputError(
            f"must be of {', '.join(SCOPES)}", value="scopes", todo="name at least one of them"
        )
    return found


def issue(  # noqa: PLR0913 - the fields of an account
    table: AccountTable,
    *,
    secret: str,
    name: str,
    kind: str,
    scopes: Iterable[str],
    life: timedelta,
    now: datetime,
    made_with: str = "",
) -> str:
    """Store an account and return its token; the only time anyone sees it.

    Args:
        table: the accounts.
        secret: 32 random bytes as hex.
        name: who or what uses it; shown in the ledger.
        kind: `token`, `link` or `session`.
        scopes: of `SCOPES`.
        life: how long it works.
        now: the time.
        made_with: SHA-256 of the token that it ends with, if there is one.
    """
    token = TOKEN_PREFIX + secret
    account = Account(
        token_sha256=sha256_hex(token.encode()),
        name=name,
        kind=kind,
        scopes=check_scopes(scopes),
        expires_at=(now + life).timestamp(),
        made_with=made_with,
    )
    table.put(account)
    return token


def who(table: AccountTable, token: str, *, kind: str, now: datetime) -> Account:
    """Return the account of a token.

    Raises:
        NotSignedInError: unknown, of another kind, expired or used up, or the token that it was
            made with is.
    """
    account = table.get(sha256_hex(token.encode())) if token else None
    if account is None or account.kind != kind or account.used_at:
        raise NotSignedInError("is not valid", value=kind, todo="sign in or give a valid token")
    if now.timestamp() >= account.expires_at:
        raise NotSignedInError("has expired", value=kind, todo="sign in again or get a new token")
    if account.made_with:
        maker = table.get(account.made_with)
        if maker is None or now.timestamp() >= maker.expires_at:
            raise NotSignedInError("has ended with its token", value=kind, todo="sign in again")
    return account


def use_link(table: AccountTable, token: str, *, secret: str, now: datetime) -> str:
    """Use up a sign-in link and return the session token that it opens."""
    link = who(table, token, kind="link", now=now)
    table.put(msgspec.structs.replace(link, used_at=now.timestamp()))
    return issue(
        table,
        secret=secret,
        name=link.name,
        kind="session",
        scopes=link.scopes,
        life=SESSION_LIFE,
        now=now,
        made_with=link.made_with,
    )


def require(account: Account, scope: str) -> None:
    """Raise AccessError unless the account has the scope."""
    if scope not in account.scopes:
        raise AccessError(
            f"may not {SCOPES[scope]}", value=account.name, todo=f"use a token with scope {scope}"
        )


def revoke_token(table: AccountTable, token_sha256: str) -> None:
    """Take a token out of use."""
    table.delete(token_sha256)
