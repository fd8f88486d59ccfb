"""Walks through all commands; makes docs/cli.md of their help.

`python -m tests.cli.help_text` writes the file anew.
"""

from pathlib import Path

import click
from click.testing import CliRunner

from roadworthy.cli import root

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_INTRODUCTION = """# The command line

This page is made from the program's own help by `python -m tests.cli.help_text`; a test holds
both to each other.

Data goes to standard output, everything else to standard error. With `--output json` each
command prints JSON, errors too. `campaign watch` draws on a terminal and prints one line of
JSON per change elsewhere. Settings come from options, then from the environment, then from a
profile in `~/.config/roadworthy/config.toml`:

```toml
profile = "works"

[profiles.works]
server = "https://cloud.example:8080"
token-file = "~/works.token"
ca = "~/works-ca.pem"
```

## First steps

```sh
roadworthy keys init server --offline stick
roadworthy serve --folder server
export ROADWORTHY_TOKEN_FILE=server/operator.token    # in another terminal
roadworthy release create release.toml
roadworthy release sign spring-2026 --key stick/targets-1.pem --key stick/targets-2.pem
roadworthy campaign create plan.toml
roadworthy campaign start spring-2026
roadworthy campaign watch spring-2026
```

## A machine without a network signs

```sh
roadworthy release payload spring-2026 -o payload.json
roadworthy release sign-payload payload.json --key targets-1.pem -o signature.json    # over there
roadworthy release add-signature spring-2026 signature.json
```

## A proof that needs no server

```sh
roadworthy ledger list --subject campaign/spring-2026
roadworthy ledger proof 17 -o proof.json
roadworthy ledger verify proof.json --key ledger.pub.json
```

## A patch without a server

```sh
roadworthy delta make old.bin new.bin -o new.patch --ram 60K
roadworthy delta apply old.bin new.patch -o new.bin --journal new.journal  # call again
roadworthy delta compare old.bin new.bin    # beside the tools that are installed
```
"""


def commands_of(path: tuple[str, ...]) -> click.Command:
    """Return the command that these words name."""
    command: click.Command = root
    for word in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return command


def _walk(path: tuple[str, ...]) -> list[tuple[str, ...]]:
    command = commands_of(path)
    if not isinstance(command, click.Group):
        return [path]
    names = command.list_commands(click.Context(command))
    return [path, *(found for name in names for found in _walk((*path, name)))]


COMMANDS = _walk(())


def page() -> str:
    """Return the page: the help of every command, as the program prints it."""
    parts = [_INTRODUCTION]
    for path in COMMANDS:
        arguments = [*path, "--help"]
        result = CliRunner().invoke(
            root, arguments, prog_name="roadworthy", env={"COLUMNS": "80"}, terminal_width=80
        )
        level = "##" if len(path) < 2 else "###"
        title = " ".join(("roadworthy", *path))
        parts.append(f"{level} `{title}`\n\n```text\n{result.stdout.rstrip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
