"""docs/cli.md is the program's own help."""

from tests.cli.help_text import PAGE, page


def test_the_page_about_the_command_line_is_what_the_program_says() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.cli.help_text"
