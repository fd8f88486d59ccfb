"""What a vehicle or a stranger wrote can't steer the operator's terminal."""

import json

import pytest

from roadworthy.cli.output import Output, json_line
from roadworthy.cli.settings import Settings

STEERING = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp[bold]x[/nothing] ü 漢"


def test_tables_fields_and_messages_show_no_character_that_steers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = Output(Settings())
    output.table(("Reason", "More"), [(STEERING, STEERING)])
    output.fields({"reason": STEERING})
    output.message(STEERING)
    output.err.print(STEERING, markup=False)
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert text.count("owned") == 5
    assert "[bold]x[/nothing] ü 漢" in text
    assert text.replace("\n", "").isprintable()


def test_a_line_of_json_escapes_them_and_says_the_same() -> None:
    line = json_line({"detail": STEERING})
    assert line.isprintable()
    assert json.loads(line) == {"detail": STEERING}
