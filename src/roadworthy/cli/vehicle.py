"""`roadworthy vehicle`: the registry of vehicles."""

from typing import Any

import click
from rich.text import Text

from roadworthy.cli.commands import Command
from roadworthy.cli.enroll import enroll
from roadworthy.cli.output import Output, local_time, state_text
from roadworthy.cli.session import path_of, session
from roadworthy.cli.simulate import simulate

__all__ = ["vehicle"]

_SHORT = 12


@click.command("list", cls=Command)
@click.option("--text", default="", help="Only those with this in VIN, key or type.")
@click.pass_context
def list_all(context: click.Context, *, text: str) -> None:
    """List vehicles by VIN."""
    with session(context) as here:
        found = list(here.client.pages("/vehicles", **({"text": text} if text else {})))
        if here.settings.is_json:
            here.output.json(found)
            return
        here.output.table(
            ["Vehicle", "VIN", "Type", ">ECUs", "Last seen", "State"],
            [
                (
                    item["key"],
                    item["vin"],
                    item["type"],
                    len(item["ecus"]),
                    local_time(item["last_seen_at"]) or "never",
                    _state(item),
                )
                for item in found
            ],
        )


@click.command("show", cls=Command)
@click.argument("key", metavar="VEHICLE")
@click.pass_context
def show(context: click.Context, *, key: str) -> None:
    """Show VEHICLE (its key, v and 16 hex digits) and what its ECUs run."""
    with session(context) as here:
        _show(here.output, here.client.get(path_of("vehicles", key)))


@click.command("revoke", cls=Command)
@click.argument("key", metavar="VEHICLE")
@click.option("--reason", default="", help="Why; stands in the ledger.")
@click.pass_context
def revoke(context: click.Context, *, key: str, reason: str) -> None:
    """Take the certificate of VEHICLE out of use, at once and for good."""
    with session(context) as here:
        _show(here.output, here.client.post(path_of("vehicles", key, "revoke"), {"reason": reason}))


def _show(output: Output, item: dict[str, Any]) -> None:
    if output.settings.is_json:
        output.json(item)
        return
    output.fields(
        {
            "Vehicle": Text(item["key"], style="bold"),
            "VIN": item["vin"],
            "Type": item["type"],
            "State": _state(item),
            "Enrolled": local_time(item["enrolled_at"]),
            "Revoked": local_time(item["revoked_at"]),
            "Last seen": local_time(item["last_seen_at"]) or "never",
            "Last inventory": local_time(item["reported_at"]) or "none yet",
        }
    )
    if not item["ecus"]:
        return
    output.gap()
    output.table(
        [
            *(">Address", "ECU", "Hardware", "Domain", "Version", ">Counter", "Slot"),
            *(">Slot bytes", "SHA-256"),
        ],
        [
            (
                f"0x{ecu['address']:04X}",
                ecu["serial"],
                ecu["hardware_id"],
                ecu["domain"],
                ecu["version"],
                ecu["release_counter"],
                f"{ecu['running']} on trial" if ecu["trial"] else ecu["running"],
                f"{ecu['slot_size_bytes']:,}" if ecu["slot_size_bytes"] else "",
                ecu["sha256"][:_SHORT],
            )
            for ecu in item["ecus"]
        ],
    )


def _state(item: dict[str, Any]) -> Text:
    return state_text("revoked" if item["revoked_at"] else "enrolled")


vehicle = click.Group(
    "vehicle",
    help="Enrol, see, revoke and simulate vehicles.",
    commands=[list_all, show, enroll, revoke, simulate],
)
