"""`roadworthy demo`: a whole rollout on this machine."""

import click

from roadworthy.cli.commands import Command, EndsWith

__all__ = ["demo"]


@click.command(cls=Command)
@click.option("--vehicles", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--seed", default=1, show_default=True, help="Decides what goes wrong, and where.")
@click.option("--once", is_flag=True, help="End with the rollout; status 0 if it converged.")
@click.option(
    "--pace",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="How fast: 2 is twice as fast.",
)
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Of the pages; 0: any.")
def demo(*, vehicles: int, seed: int, once: bool, pace: float, port: int) -> None:
    """Show a whole rollout to a simulated fleet.

    Starts a server, a broker and simulated vehicles on this machine, then brings a signed
    release to them in waves, while some of them fail.
    """
    from roadworthy.sim.demo import DemoOptions, run_demo  # noqa: PLC0415 - help must be fast

    options = DemoOptions(vehicles=vehicles, seed=seed, once=once, pace=pace, port=port)
    raise EndsWith(run_demo(options))
