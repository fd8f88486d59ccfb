"""`roadworthy ledger`: every decision, and the proof of it that needs no server."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from roadworthy.base.errors import InputError, TrustError
from roadworthy.cli.commands import Command
from roadworthy.cli.files import FILE, read_file, write_output
from roadworthy.cli.output import Output, local_time
from roadworthy.cli.session import Session, path_of, session
from roadworthy.cli.settings import settings_of
from roadworthy.compliance.ledger import BUNDLE_BYTES_MAX, Entry, verify_bundle
from roadworthy.trust.errors import MalformedError
from roadworthy.trust.keys import key_from_json
from roadworthy.trust.tuf import Key

__all__ = ["ledger"]

_PAGE = 200
_HEX = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{4,}\b")
_OUTPUT_OPTION = click.option(
    "-o", "to", required=True, type=FILE, help="File to write; - for standard output."
)


@click.command("list", cls=Command)
@click.option("--subject", default="", help="Only about this, such as campaign/spring.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most.")
@click.pass_context
def list_all(context: click.Context, *, subject: str, limit: int) -> None:
    """List entries, newest first."""
    with session(context) as here:
        found = list(itertools.islice(_entries(here, subject, limit), limit))
        if here.settings.is_json:
            here.output.json(found)
            return
        here.output.table(
            [">Index", "Time", "What", "Subject", "By", "Details"],
            [
                (
                    item["index"],
                    local_time(item["time"]),
                    item["type"],
                    item["subject"],
                    item["actor"],
                    _HEX.sub(r"\1…", _gist(item["data"])),
                )
                for item in found
            ],
        )


@click.command("proof", cls=Command)
@click.argument("index", type=click.IntRange(min=0))
@_OUTPUT_OPTION
@click.pass_context
def proof(context: click.Context, *, index: int, to: Path) -> None:
    """Fetch the proof of entry INDEX, to be checked anywhere at any time."""
    with session(context) as here:
        write_output(to, here.client.get_bytes(path_of("ledger", index, "proof")))


@click.command("key", cls=Command)
@_OUTPUT_OPTION
@click.pass_context
def key(context: click.Context, *, to: Path) -> None:
    """Fetch the ledger's public key; compare it with the one of the ceremony."""
    with session(context) as here:
        write_output(to, here.client.get_bytes("/ledger/key"))


@click.command("verify", cls=Command)
@click.argument("file", type=FILE)
@click.option("--key", "key_file", required=True, type=FILE, help="The ledger's public key (JSON).")
@click.pass_context
def verify(context: click.Context, *, file: Path, key_file: Path) -> None:
    """Check the proof in FILE without any server; status 7 if it does not verify."""
    public = _public_key(key_file)
    entry = _verified(file, read_file(file, size_bytes_max=BUNDLE_BYTES_MAX), public)
    output = Output(settings_of(context))
    shown = {
        "index": entry.index,
        "time": entry.time.isoformat(),
        "type": entry.type,
        "actor": entry.actor,
        "subject": entry.subject,
        "data": dict(entry.data),
    }
    if output.settings.is_json:
        output.json({"verified": True, "keyid": public.keyid, "entry": shown})
        return
    output.fields(
        {
            "Entry": entry.index,
            "Time": local_time(entry.time.isoformat()),
            "What": entry.type,
            "Subject": entry.subject,
            "By": entry.actor,
            "Details": _details(shown["data"]),
            "Signed with": public.keyid,
        }
    )
    output.message("The proof verifies: this entry is in the ledger.")


def _verified(file: Path, data: bytes, public: Key) -> Entry:
    try:
        return verify_bundle(data, public)
    except InputError as error:
        raise TrustError(error.happened, value=f"{file}: {error.value}", todo=error.todo) from error


def _public_key(file: Path) -> Key:
    try:
        return key_from_json(read_file(file))
    except MalformedError as error:
        raise InputError(
            "is not a public key", value=str(file), todo="give keys/ledger.pub.json of the ceremony"
        ) from error


def _entries(here: Session, subject: str, limit: int) -> Iterator[dict[str, Any]]:
    query: dict[str, str | int] = {"limit": min(limit, _PAGE)}
    if subject:
        query["subject"] = subject
    while True:
        page = here.client.get("/ledger", **query)
        yield from page["items"]
        if page["next"] is None:
            return
        query["before"] = page["next"]


def _details(data: object) -> str:
    """Return all that an entry says."""
    if not isinstance(data, dict):
        return ""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in data.items()
    }
    return ", ".join(f"{name} {text}" for name, text in texts.items())


def _gist(data: object) -> str:
    """Return what fits into a list: numbers of things instead of the things."""
    if not isinstance(data, dict):
        return ""
    short = {name: len(value) if _is_long(value) else value for name, value in data.items()}
    return _details({name: value for name, value in short.items() if value != ""})


def _is_long(value: object) -> bool:
    if isinstance(value, list):
        return any(isinstance(item, dict) for item in value)
    return isinstance(value, dict)


ledger = click.Group(
    "ledger",
    help="Read decisions and prove them offline.",
    commands=[list_all, proof, key, verify],
)
