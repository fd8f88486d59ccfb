"""`roadworthy campaign`: plan, steer and follow rollouts."""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from roadworthy.cli.campaign_view import campaign_lines, member_rows
from roadworthy.cli.campaign_watch import watch
from roadworthy.cli.commands import Command
from roadworthy.cli.files import FILE, load_toml
from roadworthy.cli.output import Output, local_time, state_text
from roadworthy.cli.session import path_of, session
from roadworthy.updates.gate import FAILED, Gate, MemberStage

__all__ = ["campaign"]

_CREATE_HELP = """Draft a campaign by PLAN, a TOML file.

\b
id = "spring-2026"
name = "Spring 2026"
release = "spring-2026"
vehicle_types = ["truck-40t"]
[gate]
failure_share_max = 0.1
reached_min = 3
soak_s = 3600
[[wave]]
name = "canary"
size = 2
[[wave]]
name = "early"
share = 0.2
[[wave]]
name = "rest"
"""


class WavePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wave: a number of vehicles or a share of all; named vehicles come first."""

    name: str
    size: int = 0
    share: float = 0.0
    vehicles: list[str] = []


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign; release: the id of what it brings."""

    id: str
    name: str
    release: str
    wave: list[WavePlan]
    gate: Gate = Gate()
    vehicle_types: list[str] = []
    offers_open_max: int = 1000


@click.command("create", cls=Command, help=_CREATE_HELP)
@click.argument("plan", type=FILE)
@click.pass_context
def create(context: click.Context, *, plan: Path) -> None:
    """Draft a campaign."""
    wanted = load_toml(plan, Plan)
    body: dict[str, Any] = msgspec.to_builtins(wanted)
    body["release_id"] = body.pop("release")
    body["waves"] = body.pop("wave")
    with session(context) as here:
        answer = here.client.post("/campaigns", body)
        _show(here.output, answer)
        if answer["state"] == "draft":
            here.output.message(f"Next: roadworthy campaign start {wanted.id}")


@click.command("list", cls=Command)
@click.pass_context
def list_all(context: click.Context) -> None:
    """List campaigns, newest first."""
    with session(context) as here:
        found = list(here.client.pages("/campaigns"))
        if here.settings.is_json:
            here.output.json(found)
            return
        here.output.table(
            ["Id", "Name", "Release", "State", ">Wave", ">Vehicles", ">Failed", "Changed"],
            [
                (
                    item["id"],
                    item["name"],
                    item["release_id"],
                    state_text(item["state"]),
                    f"{item['wave']}/{len(item['waves'])}",
                    sum(item["counts"].values()),
                    sum(item["counts"].get(stage, 0) for stage in FAILED),
                    local_time(item["changed_at"]),
                )
                for item in found
            ],
        )


@click.command("show", cls=Command)
@click.argument("campaign_id", metavar="ID")
@click.pass_context
def show(context: click.Context, *, campaign_id: str) -> None:
    """Show campaign ID: its waves, its gate and where its vehicles stand."""
    with session(context) as here:
        _show(here.output, here.client.get(path_of("campaigns", campaign_id)))


@click.command("vehicles", cls=Command)
@click.argument("campaign_id", metavar="ID")
@click.option("--stage", type=click.Choice([it.value for it in MemberStage]), help="Only these.")
@click.pass_context
def vehicles(context: click.Context, *, campaign_id: str, stage: str | None) -> None:
    """List the vehicles of campaign ID, failed ones first."""
    with session(context) as here:
        path = path_of("campaigns", campaign_id, "vehicles")
        found = list(here.client.pages(path, **({"stage": stage} if stage else {})))
        if here.settings.is_json:
            here.output.json(found)
            return
        columns = [">Wave", "Vehicle", "Stage", ">%", "ECU", ">Received", "Code", "Why"]
        here.output.table(columns, member_rows(found))


def _action(name: str, summary: str, *, asks: bool = False) -> click.Command:
    def change(context: click.Context, campaign_id: str, reason: str) -> None:
        if asks and sys.stdin.isatty():
            click.confirm(f"End {campaign_id} for good?", abort=True, err=True)
        with session(context) as here:
            path = path_of("campaigns", campaign_id, name)
            _show(here.output, here.client.post(path, {"reason": reason}))

    return Command(
        name,
        callback=click.pass_context(change),
        help=summary,
        params=[
            click.Argument(["campaign_id"], metavar="ID"),
            click.Option(["--reason"], default="", help="Why; stands in the ledger."),
        ],
    )


def _show(output: Output, item: dict[str, Any]) -> None:
    if output.settings.is_json:
        output.json(item)
        return
    output.out.print(campaign_lines(item, ()))


campaign = click.Group(
    "campaign",
    help="Plan, steer and follow rollouts.",
    commands=[
        create,
        list_all,
        show,
        _action("start", "Start campaign ID; from now on vehicles get offers."),
        _action("pause", "Stop new offers of campaign ID; vehicles at work go on."),
        _action("resume", "Go on with campaign ID and accept its failures so far."),
        _action("abort", "End campaign ID early and withdraw its open offers.", asks=True),
        vehicles,
        watch,
    ],
)
