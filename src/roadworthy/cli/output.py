"""Says things: data on stdout, messages on stderr, tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from roadworthy.cli.settings import Settings

__all__ = ["Cell", "Column", "Output", "json_line", "local_time", "make_table", "state_text"]

_WIDTH_WITHOUT_TERMINAL = 160
_UNSEEN = "\N{REPLACEMENT CHARACTER}"

Cell = Text | str | int | None
Column = str
"""A heading; one that starts with `>` is of numbers, aligned to the right."""


class Output:
    """The two streams of one run.

    Args:
        settings: how to answer.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.out = _console(settings, is_error=False)
        self.err = _console(settings, is_error=True)

    def json(self, value: object) -> None:
        """Print one value as one line of JSON on stdout, at once."""
        click.echo(json_line(value))

    def message(self, text: str) -> None:
        """Tell a person what was done, on stderr; nothing with `--quiet` or for programs."""
        if not self.settings.quiet and not self.settings.is_json:
            self.err.print(Text(text), highlight=False)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
        """Print rows under headings; with no row, only say so on stderr."""
        listed = list(rows)
        if not listed:
            self.message("nothing to show")
            return
        self.out.print(make_table(columns, listed))

    def gap(self) -> None:
        """Leave a line between two tables."""
        self.out.print()

    def fields(self, pairs: Mapping[str, Cell]) -> None:
        """Print names and values, one below the other; empty values are left out."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs.items():
            if value is not None and str(value):
                grid.add_row(name, _text(value))
        self.out.print(grid)


def make_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> Table:
    """Return a table without frames; where it is narrow, the last column is wrapped first."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for number, column in enumerate(columns, start=1):
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            overflow="fold",
            no_wrap=number < len(columns),
        )
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    return table


def json_line(value: object) -> str:
    """Return a value as one line of JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def local_time(moment: str | None) -> str:
    """Return a time of the API as the reader's wall clock shows it; empty for none."""
    if not moment:
        return ""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return moment


_STYLES = {
    "signed": "green",
    "running": "cyan",
    "finished": "green",
    "confirmed": "green",
    "current": "green",
    "paused": "yellow",
    "failed": "red",
    "rolled-back": "red",
    "silent": "red",
    "aborted": "red",
    "revoked": "red",
    "draft": "dim",
    "waiting": "dim",
    "withdrawn": "dim",
}


def state_text(state: str) -> Text:
    """Return a state or stage in its colour; the word alone says it too."""
    return Text(state, style=_STYLES.get(state, ""))


def _text(cell: Cell) -> Text:
    if isinstance(cell, Text):
        return cell
    return Text("" if cell is None else str(cell))


class _PlainConsole(Console):
    """Prints no character that steers a terminal, whoever wrote the text: a vehicle may have."""

    @override
    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_plain(segment.text), segment.style)


def _plain(text: str) -> str:
    """Return text with a replacement for every character that is neither seen nor a line end."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _console(settings: Settings, *, is_error: bool) -> Console:
    stream: Any = sys.stderr if is_error else sys.stdout
    is_terminal = stream.isatty()
    return _PlainConsole(
        file=stream,
        no_color=True if settings.no_color else None,
        width=None if is_terminal else _WIDTH_WITHOUT_TERMINAL,
        highlight=False,
        soft_wrap=False,
    )
