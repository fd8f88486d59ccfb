"""`roadworthy token`: who may ask the server for what."""

from collections.abc import Sequence

import click

from roadworthy.base.encoding import sha256_hex
from roadworthy.base.errors import ConflictError
from roadworthy.cli.commands import Command
from roadworthy.cli.output import local_time
from roadworthy.cli.session import Session, path_of, session
from roadworthy.cloud.access import SCOPES, TOKEN_PREFIX

__all__ = ["token"]

_ID_DIGITS = 12
_SCOPE_HELP = "May: " + "; ".join(f"{name}: {text}" for name, text in SCOPES.items()) + "."


@click.command("create", cls=Command)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=["read"],
    show_default=True,
    type=click.Choice(list(SCOPES)),
    help=_SCOPE_HELP,
)
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 730))
@click.pass_context
def create(context: click.Context, *, name: str, scopes: Sequence[str], days: int) -> None:
    """Make a token for NAME, a person or program; it is printed this once.

    It can't do more than the token that makes it.
    """
    with session(context) as here:
        body = {"name": name, "scopes": list(scopes), "days": days}
        made = here.client.post("/tokens", body)
        if here.settings.is_json:
            here.output.json(made)
            return
        click.echo(made["token"])
        here.output.message(f"For {days} days; scopes: {', '.join(made['scopes'])}.")


@click.command("list", cls=Command)
@click.pass_context
def list_all(context: click.Context) -> None:
    """List tokens by their ids; the tokens themselves are kept nowhere."""
    with session(context) as here:
        found = here.client.get("/tokens")
        if here.settings.is_json:
            here.output.json(found)
            return
        here.output.table(
            ["Id", "Name", "Scopes", "Until"],
            [
                (
                    item["id"][:_ID_DIGITS],
                    item["name"],
                    ", ".join(item["scopes"]),
                    local_time(item["expires_at"]),
                )
                for item in found
            ],
        )


@click.command("revoke", cls=Command)
@click.argument("token_id", metavar="ID")
@click.pass_context
def revoke(context: click.Context, *, token_id: str) -> None:
    """Take a token out of use at once, by its id, the first digits of it, or itself."""
    with session(context) as here:
        found = _whole_id(here, token_id)
        here.client.delete(path_of("tokens", found))
        if here.settings.is_json:
            here.output.json({"revoked": found})
        here.output.message(f"{found[:_ID_DIGITS]} is revoked")


def _whole_id(here: Session, text: str) -> str:
    if text.startswith(TOKEN_PREFIX):
        return sha256_hex(text.encode())
    matching = [item["id"] for item in here.client.get("/tokens") if item["id"].startswith(text)]
    if len(matching) > 1:
        raise ConflictError(
            f"begins the ids of {len(matching)} tokens", value=text, todo="give more digits"
        )
    return str(matching[0]) if matching else text


token = click.Group(
    "token", help="Make, list and revoke tokens.", commands=[create, list_all, revoke]
)
