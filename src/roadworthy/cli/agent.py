"""`roadworthy agent`: what runs on the telematics unit of a vehicle."""

import asyncio
from pathlib import Path

import click

from roadworthy.cli.commands import Command
from roadworthy.cli.files import FILE
from roadworthy.cli.output import Output
from roadworthy.cli.settings import settings_of
from roadworthy.cli.signals import log_to_stderr, stopped_by_signal
from roadworthy.vehicle.config import VehicleConfig, load_config

__all__ = ["agent"]


@click.command("run", cls=Command)
@click.option("--config", "file", required=True, type=FILE, help="The vehicle's TOML or JSON file.")
@click.pass_context
def run(context: click.Context, *, file: Path) -> None:
    """Run the agent of one vehicle until SIGINT or SIGTERM.

    Stopping at any moment is safe; an installation goes on with the next start.
    """
    config = load_config(file)
    settings = settings_of(context)
    log_to_stderr(is_verbose=settings.verbose)
    Output(settings).message(f"The agent of {config.vehicle} runs; Ctrl-C stops it.")
    asyncio.run(_run(config))


async def _run(config: VehicleConfig) -> None:
    from roadworthy.vehicle.main import run as run_agent  # noqa: PLC0415 - a typo must be told fast

    with stopped_by_signal() as stop:
        await run_agent(config, stop)


agent = click.Group("agent", help="Run the agent inside a vehicle.", commands=[run])
