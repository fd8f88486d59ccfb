"""`roadworthy completion`: names and options at the touch of Tab."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from roadworthy.cli.commands import Command

__all__ = ["completion"]

_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}
_HELP = """Print the script that completes commands and options in your shell.

\b
bash  echo 'eval "$(roadworthy completion bash)"' >> ~/.bashrc
zsh   echo 'eval "$(roadworthy completion zsh)"' >> ~/.zshrc
fish  roadworthy completion fish > ~/.config/fish/completions/roadworthy.fish
"""


@click.command(cls=Command, help=_HELP)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the script of a shell."""
    program = context.find_root().command
    made = _SHELLS[shell](program, {}, program.name or "", "_ROADWORTHY_COMPLETE")
    click.echo(made.source_template % made.source_vars())
