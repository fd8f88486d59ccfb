"""`roadworthy campaign watch`: follows a rollout and ends with a status that says how it went."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.live import Live

from roadworthy.base.clock import SystemClock
from roadworthy.base.errors import LinkError
from roadworthy.cli.campaign_view import campaign_lines, failed_share
from roadworthy.cli.commands import Command, EndsWith
from roadworthy.cli.session import Session, path_of, session
from roadworthy.updates.gate import FAILED

__all__ = ["ABOVE_GATE", "watch"]

ABOVE_GATE = 8
_ENDED_EARLY = 1
_TRIES = 5
_TRY_AGAIN_S = 2.0
_FAILED_MAX = 200
_FIELDS = ("id", "state", "reason", "changed_by", "changed_at", "wave", "counts", "ended_at")

Snapshot = dict[str, Any]


@click.command("watch", cls=Command)
@click.argument("campaign_id", metavar="ID")
@click.option("--until-ended", is_flag=True, help="Go on while a gate holds the campaign paused.")
@click.pass_context
def watch(context: click.Context, *, campaign_id: str, until_ended: bool) -> None:
    """Follow campaign ID until it ends.

    Draws it on a terminal, else prints one line of JSON per change. Ends with status 0 when
    the campaign finished, 8 when a gate paused it or more vehicles failed than the gate
    allows, 1 when a person aborted it.
    """
    with session(context) as here, _shown(here, campaign_id) as show:
        for item in _snapshots(here, campaign_id):
            show(item)
            status = status_of(item, until_ended=until_ended)
            if status is not None:
                break
        else:
            raise LinkError("ended before the campaign", value="stream", todo="watch it again")
    raise EndsWith(status)


def status_of(item: Snapshot, *, until_ended: bool) -> int | None:
    """Return the exit status that a campaign's state stands for; None to go on."""
    above = failed_share(item) > item["gate"]["failure_share_max"]
    match item["state"]:
        case "finished":
            return ABOVE_GATE if above else 0
        case "aborted":
            return ABOVE_GATE if above else _ENDED_EARLY
        case "paused" if item["changed_by"] == "gate" and not until_ended:
            return ABOVE_GATE
        case _:
            return None


def _snapshots(here: Session, campaign_id: str) -> Iterator[Snapshot]:
    """Yield the campaign after each change; a broken stream is opened again."""
    path = path_of("campaigns", campaign_id, "events")
    failures = 0
    while True:
        try:
            for text in here.client.events(path):
                failures = 0
                yield _parse(text)
        except LinkError:
            failures += 1
            if failures == _TRIES:
                raise
            here.output.message("the connection broke; trying again")
            asyncio.run(SystemClock().sleep(_TRY_AGAIN_S))
        else:
            return


def _parse(text: str) -> Snapshot:
    try:
        item = json.loads(text)
    except ValueError as error:
        raise LinkError("sent no JSON", value="server", todo="check what answers there") from error
    if not isinstance(item, dict):
        raise LinkError("sent no campaign", value="server", todo="check what answers there")
    return item


@contextlib.contextmanager
def _shown(here: Session, campaign_id: str) -> Iterator[Callable[[Snapshot], None]]:
    """Yield a function that shows a snapshot: drawn in place, or as a line of JSON."""
    if here.settings.is_json or not here.output.out.is_terminal:
        yield lambda item: here.output.json({name: item[name] for name in _FIELDS})
        return
    failed: list[dict[str, Any]] = []
    with Live(console=here.output.out, auto_refresh=False, transient=False) as live:

        def draw(item: Snapshot) -> None:
            if sum(item["counts"].get(stage, 0) for stage in FAILED) != len(failed):
                failed[:] = _failed(here, campaign_id)
            live.update(campaign_lines(item, failed), refresh=True)

        yield draw


def _failed(here: Session, campaign_id: str) -> list[dict[str, Any]]:
    path = path_of("campaigns", campaign_id, "vehicles")
    return [
        item
        for stage in FAILED
        for item in here.client.get(path, stage=stage.value, limit=_FAILED_MAX)["items"]
    ]
