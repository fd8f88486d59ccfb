"""The program `roadworthy`: its commands and global options."""

from importlib.metadata import version

import click

from roadworthy.cli.commands import Later, Root
from roadworthy.cli.settings import global_options

__all__ = ["PROGRAM", "root"]

PROGRAM = "roadworthy"
_HERE = "roadworthy.cli"

_COMMANDS = {
    "demo": Later(f"{_HERE}.demo", "demo", "Show a whole rollout to a simulated fleet."),
    "serve": Later(f"{_HERE}.serve", "serve", "Run the server."),
    "keys": Later(f"{_HERE}.keys", "keys", "Make and list keys; open the pages."),
    "release": Later(f"{_HERE}.release", "release", "Draft, sign and look at releases."),
    "campaign": Later(f"{_HERE}.campaign", "campaign", "Plan, steer and follow rollouts."),
    "vehicle": Later(f"{_HERE}.vehicle", "vehicle", "Enrol, see, revoke and simulate vehicles."),
    "agent": Later(f"{_HERE}.agent", "agent", "Run the agent inside a vehicle."),
    "ledger": Later(f"{_HERE}.ledger", "ledger", "Read decisions and prove them offline."),
    "delta": Later(f"{_HERE}.delta", "delta", "Make, apply, inspect and compare patches."),
    "token": Later(f"{_HERE}.token", "token", "Make, list and revoke tokens."),
    "completion": Later(
        f"{_HERE}.completion",
        "completion",
        "Print the script that completes commands and options in your shell.",
    ),
}

_HELP = """Keep every vehicle's software current.

\b
Exit status
  0  done
  1  failed
  2  invalid input or wrong use
  3  no or not enough rights
  4  not found
  5  the state does not allow it
  6  the server can't be reached
  7  a signature, hash or proof does not verify
  8  a campaign has more failures than its gate allows
  130  interrupted
"""


def _show_version(context: click.Context, _: click.Parameter, value: object) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"{PROGRAM} {version(PROGRAM)}")
        context.exit()


root = Root(
    PROGRAM,
    help=_HELP,
    later=_COMMANDS,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        *global_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Print the version.",
        ),
    ],
)
