"""`roadworthy demo` as a person runs it: to its end, and interrupted in the middle."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.processes import Child, is_running

DEMO = ("roadworthy", "demo", "--pace", "20")
INTERRUPTED = 130
Start = Callable[..., Child]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Start]:
    """Start a demo whose temporary folders are below `tmp_path`; end what it leaves."""
    running: list[Child] = []
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def start(*arguments: str) -> Child:
        surroundings = os.environ | {"TMPDIR": str(temporary), "COLUMNS": "400"}  # noqa: TID251 - a person's
        child = Child("demo", [*DEMO, *arguments], tmp_path, environment=surroundings)
        running.append(child)
        return child

    yield start
    for child in running:
        child.kill_all()
    assert list(temporary.iterdir()) == []


def test_the_demo_converges_and_says_what_failed_and_why(demo: Start) -> None:
    child = demo("--once", "--vehicles", "12")
    assert child.wait() == 0, child.told()
    told = child.told()
    assert "Converged: 11 vehicles run the release, by hash on every ECU" in told
    failures = re.findall(r"(v[0-9a-f]{16}) failed at (\S+) \(ecu-rejected\): (.+)", told)
    assert len(failures) == 1, told
    assert "The gate paused the campaign: 1 of" in told


@pytest.mark.parametrize("words", ["Signed 2 releases", "running, wave 1"])
def test_an_interrupted_demo_leaves_nothing_behind(demo: Start, words: str) -> None:
    child = demo("--once", "--vehicles", "2")
    child.wait_for(words)
    family = child.family()
    assert len(family) > 2, "a demo that started nothing can't leave anything"
    assert child.end(signal.SIGINT) == INTERRUPTED, child.told()
    assert not any(map(is_running, family))
