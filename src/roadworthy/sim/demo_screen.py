"""What the demo shows in the terminal: live on a terminal, plain lines elsewhere."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

__all__ = ["Screen"]

_ENDED_WELL = ("confirmed", "current")
_ENDED_ILL = ("failed", "rolled-back", "silent")
_WIDTH = 30


class Screen:
    """Tells a person what the demo does and how the rollout goes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._last = ""

    def step(self, text: str) -> None:
        """Say what was just done."""
        self._console.print(f"[green]✓[/] {text}", highlight=False)

    def link(self, url: str) -> None:
        """Show where to look."""
        self._console.print(f"  Live in the browser: [bold cyan]{url}", soft_wrap=True)

    def rollout(self, campaign: Mapping[str, Any]) -> None:
        """Show how far the rollout is."""
        if not self._console.is_terminal:
            text = _line(campaign)
            if text != self._last:
                self._console.print(text, highlight=False)
                self._last = text
            return
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.start()
        self._live.update(_table(campaign))

    def end_live(self) -> None:
        """Leave the last state of the rollout on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def problem(self, text: str) -> None:
        """Say what went wrong."""
        self._console.print(f"[red]✗[/] {text}", highlight=False)


def _numbers(campaign: Mapping[str, Any]) -> tuple[int, int, int]:
    counts: Mapping[str, int] = campaign["counts"]
    well = sum(counts.get(stage, 0) for stage in _ENDED_WELL)
    ill = sum(counts.get(stage, 0) for stage in _ENDED_ILL)
    return well, ill, sum(counts.values())


def _line(campaign: Mapping[str, Any]) -> str:
    well, ill, total = _numbers(campaign)
    wave = campaign["waves"][campaign["wave"] - 1]["name"]
    where = f"{campaign['state']}, wave {campaign['wave']} ({wave})"
    return f"{where}: {well} of {total} confirmed, {ill} failed"


def _table(campaign: Mapping[str, Any]) -> Table:
    well, ill, total = _numbers(campaign)
    table = Table.grid(padding=(0, 2))
    for index, wave in enumerate(campaign["waves"]):
        state = "passed" if wave["ended_at"] else "running" if wave["started_at"] else "waiting"
        style = {"passed": "green", "running": "yellow", "waiting": "dim"}[state]
        table.add_row(
            f"wave {index + 1}",
            wave["name"],
            str(wave["size"]),
            Text(state, style),
            wave["verdict"],
        )
    bar = ProgressBar(total=total or 1, completed=well + ill, width=_WIDTH)
    table.add_row("", "all", str(total), bar, f"{well} confirmed, {ill} failed")
    counts = "  ".join(f"{stage} {number}" for stage, number in campaign["counts"].items())
    table.add_row("", "", "", Text(campaign["state"], "bold"), Text(counts, "dim"))
    return table
