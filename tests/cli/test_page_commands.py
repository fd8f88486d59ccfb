"""What the pages tell people to type is what the command line takes."""

import re
from pathlib import Path

import click
import pytest

from roadworthy.cli import root

TEMPLATES = Path("src/roadworthy/cloud/web/templates")
_SHOWN = re.compile(r"<code>roadworthy ([^<]+)</code>")


def shown() -> list[tuple[str, str]]:
    return [
        (path.relative_to(TEMPLATES).as_posix(), re.sub(r"{{.*?}}", "ID", line))
        for path in sorted(TEMPLATES.rglob("*.html"))
        for line in _SHOWN.findall(path.read_text())
    ]


def test_pages_show_commands() -> None:
    assert len(shown()) > 8


@pytest.mark.parametrize(("page", "line"), shown())
def test_a_command_on_a_page_is_whole(page: str, line: str) -> None:
    command: click.Command = root
    context, words = click.Context(root, **root.context_settings), line.split()
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"{page}: {line}"
        command = found
    command.make_context(line, words, parent=context)
