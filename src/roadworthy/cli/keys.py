"""`roadworthy keys`: the key ceremony, what came of it, and the way into the pages."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from roadworthy.base.clock import SystemChance, SystemClock
from roadworthy.base.errors import InputError
from roadworthy.cli.commands import Command
from roadworthy.cli.files import FOLDER
from roadworthy.cli.output import Output, local_time
from roadworthy.cli.session import session
from roadworthy.cli.settings import settings_of
from roadworthy.cloud.authority import OFFLINE, Authority
from roadworthy.cloud.folder import ServerFolder, create_folder
from roadworthy.trust.keys import key_of

__all__ = ["keys"]

_SHORT = 12


@dataclass(frozen=True, slots=True)
class RoleKey:
    """A key and what it may sign; threshold: how many keys of the role must sign."""

    repository: str
    role: str
    keyid: str
    threshold: int
    is_online: bool
    expires: str

    def json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "repository": self.repository,
            "role": self.role,
            "keyid": self.keyid,
            "threshold": self.threshold,
            "online": self.is_online,
            "expires": self.expires,
        }


@click.command("init", cls=Command)
@click.argument("folder", type=FOLDER)
@click.option(
    "--offline",
    required=True,
    type=FOLDER,
    help="Where the keys go that the server must not have: a stick, another machine.",
)
@click.option("--name", "names", multiple=True, metavar="HOST", help="DNS name of the server.")
@click.pass_context
def init(context: click.Context, *, folder: Path, offline: Path, names: Sequence[str]) -> None:
    """Make all keys and certificates of a new server in FOLDER.

    The four offline keys (two for the roots, two for images) stay with people: whoever takes
    over the server can sign neither an image nor a change of keys.
    """
    _keep_apart(folder, offline)
    made = create_folder(
        folder, offline, names=names, chance=SystemChance(), now=SystemClock().now()
    )
    output = Output(settings_of(context))
    told = {
        "folder": str(folder),
        "offline": {name: str(offline / f"{name}.pem") for name in OFFLINE},
        "ledger_key": str(folder / "keys" / "ledger.pub.json"),
        "authority": str(made.tls("ca.pem")),
    }
    if output.settings.is_json:
        output.json(told)
        return
    output.fields(
        {
            "Server's folder": str(folder),
            "Offline keys": ", ".join(f"{name}.pem" for name in OFFLINE) + f" in {offline}",
            "Ledger's public key": str(folder / "keys" / "ledger.pub.json"),
            "Authority": str(made.tls("ca.pem")),
        }
    )
    output.message("Take the offline keys away from this machine; two people should hold them.")


@click.command("list", cls=Command)
@click.argument("folder", type=FOLDER)
@click.pass_context
def list_all(context: click.Context, *, folder: Path) -> None:
    """List who may sign what, by the roots in FOLDER."""
    found = list(_role_keys(ServerFolder(folder).load_authority()))
    output = Output(settings_of(context))
    if output.settings.is_json:
        output.json([item.json() for item in found])
        return
    output.table(
        ["Repository", "Role", "Key", ">Needed", "Where", "Root expires"],
        [
            (
                item.repository,
                item.role,
                item.keyid[:_SHORT],
                item.threshold,
                "server" if item.is_online else "offline",
                local_time(item.expires)[:10],
            )
            for item in found
        ],
    )


@click.command("sign-in", cls=Command)
@click.pass_context
def sign_in(context: click.Context) -> None:
    """Print a link that opens the pages once, within 15 minutes."""
    with session(context) as here:
        answer = here.client.post("/tokens/sign-in")
        link = here.settings.server.rstrip("/") + str(answer["path"])
        if here.settings.is_json:
            here.output.json({"sign_in": link})
        else:
            click.echo(link)


def _role_keys(authority: Authority) -> Iterator[RoleKey]:
    online = {key_of(signer).keyid for signer in (authority.director, authority.images)}
    for repository in ("images", "director"):
        root = json.loads(authority.root(repository))["signed"]
        for role, entry in root["roles"].items():
            for keyid in entry["keyids"]:
                yield RoleKey(
                    repository,
                    role,
                    keyid,
                    entry["threshold"],
                    keyid in online,
                    _iso(root["expires"]),
                )
    ledger = key_of(authority.ledger).keyid
    yield RoleKey("ledger", "heads", ledger, 1, is_online=True, expires="")


def _iso(text: str) -> str:
    return datetime.fromisoformat(text).isoformat()


def _keep_apart(folder: Path, offline: Path) -> None:
    if offline.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            "lies in the server's folder, which must not hold these keys",
            value="--offline",
            todo="choose a folder elsewhere",
        )


keys = click.Group(
    "keys",
    help="Make and list keys; open the pages.",
    commands=[init, list_all, sign_in],
)
