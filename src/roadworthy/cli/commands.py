"""The three kinds of commands, and the one place where errors become exit statuses."""

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from roadworthy.base.errors import RoadworthyError
from roadworthy.cli.output import Output, json_line
from roadworthy.cli.settings import Settings, inherited_options, settings_of

__all__ = ["INTERRUPTED", "Command", "EndsWith", "Later", "Root"]

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Later:
    """A command that is loaded when it is asked for.

    module, name: where it is. help: the line about it in the list of all commands.
    """

    module: str
    name: str
    help: str


class EndsWith(click.exceptions.Exit):
    """Ends the program with this status; what there was to say has been said."""


class Command(click.Command):
    """A command that also takes the global options."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **options)
        self.params += inherited_options()

    @override
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the hint on global options below the help."""
        super().format_epilog(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text("Global options such as --output work here too: roadworthy --help")


class Root(click.Group):
    """The program: knows where its commands are, and ends with the status of an error."""

    def __init__(self, *args: Any, later: Mapping[str, Later], **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self._later = later

    def summary(self, name: str) -> str:
        """Return the line about a command that the list of commands shows."""
        return self._later[name].help

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of their use."""
        return list(self._later)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, loaded only now."""
        place = self._later.get(cmd_name)
        if place is None:
            return None
        found = getattr(importlib.import_module(place.module), place.name)
        assert isinstance(found, click.Command)  # noqa: S101 - our own table
        return found

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in self._later.items()])

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands and options."""
        named = [
            CompletionItem(name, help=place.help)
            for name, place in self._later.items()
            if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    @override
    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Make the context, and tell what is wrong with the words of the call."""
        extra.setdefault("default_map", {})
        with _translated(None):
            return super().make_context(info_name, args, parent, **extra)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn each error into a message and an exit status."""
        with _translated(ctx):
            return super().invoke(ctx)


@contextlib.contextmanager
def _translated(context: click.Context | None) -> Iterator[None]:
    try:
        yield
    except RoadworthyError as error:
        _tell(error, settings_of(context) if context else Settings())
        raise EndsWith(error.exit_status) from error
    except KeyboardInterrupt as error:
        click.echo("\ninterrupted", err=True)
        raise EndsWith(INTERRUPTED) from error


def _tell(error: RoadworthyError, settings: Settings) -> None:
    """Print an error on stderr: a sentence for people, an object for programs."""
    if settings.is_json:
        told: dict[str, str | int] = {"code": error.code, "title": error.title}
        told |= {"happened": error.happened, "value": error.value, "todo": error.todo}
        told["exit_status"] = error.exit_status
        click.echo(json_line({"error": told}), err=True)
        return
    err = Output(settings).err
    err.print(error.title, style="bold red", end="")
    about = f" ({error.value})" if error.value else ""
    err.print(f"{about}: {error.happened}", markup=False)
    if error.todo:
        err.print(f"  {error.todo}", style="dim", markup=False)
