"""`roadworthy demo` as a person runs it: to its end, and interrupted in the middle."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.processes import Child, is_running

DEMO = ("roadworthy", "demo", "--pace", "20")
INTERRUPTED = 130
Start = Callable[..., Child]


@contextmanager
def demos(folder: Path) -> Iterator[Start]:
    """Start demos whose temporary folders are below `folder`; nothing may be left in it."""
    running: list[Child] = []
    temporary = folder / "temporary"
    temporary.mkdir()

    def start(*arguments: str) -> Child:
        surroundings = os.environ | {"TMPDIR": str(temporary), "COLUMNS": "400"}  # noqa: TID251 - a person's
        child = Child("demo", [*DEMO, *arguments], folder, environment=surroundings)
        running.append(child)
        return child

    try:
        yield start
    finally:
        for child in running:
            child.kill_all()
    assert list(temporary.iterdir()) == []


@pytest.fixture(scope="module", autouse=True)
def whole_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A demo that runs to its end, beside those that are interrupted."""
    with demos(tmp_path_factory.mktemp("whole")) as start:
        yield start("--once", "--vehicles", "12")


@pytest.mark.parametrize("words", ["Signed 2 releases", "running, wave 1"])
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path, words: str) -> None:
    with demos(tmp_path) as start:
        child = start("--once", "--vehicles", "2")
        child.wait_for(words)
        family = child.family()
        assert len(family) > 2, "a demo that started nothing can't leave anything"
        assert child.end(signal.SIGINT) == INTERRUPTED, child.told()
        assert not any(map(is_running, family))


def test_the_demo_converges_and_says_what_failed_and_why(whole_demo: Child) -> None:
    assert whole_demo.wait(whole_demo.family()) == 0, whole_demo.told()
    told = whole_demo.told()
    assert "Converged: 11 vehicles run the release, by hash on every ECU" in told
    failures = re.findall(r"v[0-9a-f]{16} failed at (\S+) \(ecu-rejected\): (.+)", told)
    assert len(failures) == 1, told
    assert "The gate paused the campaign: 1 of" in told
