"""A child process restarts when it dies, and dies with its parent."""

import asyncio
import errno
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from roadworthy.adapters.processes import ChildProcess, ChildSettings
from roadworthy.base.clock import SystemClock
from roadworthy.base.errors import ConflictError

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {}; time.sleep(99)"
PARENT = """
import asyncio, sys
from pathlib import Path
from roadworthy.adapters.processes import ChildProcess, ChildSettings
from roadworthy.base.clock import SystemClock

async def main():
    settings = ChildSettings("sleeper", Path(sys.argv[1]))
    command = [sys.executable, "-c", sys.argv[2]]
    child = ChildProcess(settings, lambda: command, SystemClock())
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(99)

asyncio.run(main())
"""

Make = Callable[..., ChildProcess]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[ChildProcess] = []

    def child(command: Sequence[str], **changes: float) -> ChildProcess:
        settings = ChildSettings("sleeper", tmp_path, restart_pause_s=0.01, **changes)
        made.append(ChildProcess(settings, lambda: command, SystemClock()))
        return made[-1]

    yield child
    for each in made:
        await each.stop()


async def until(condition: Callable[[], bool]) -> None:
    clock = SystemClock()
    async with asyncio.timeout(30):
        while not condition():
            await clock.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def test_a_child_that_ends_is_started_again_until_stopped(make: Make) -> None:
    child = make([sys.executable, "-c", "print('here', flush=True)"])
    await child.start()
    await until(lambda: child.starts >= 3)
    await child.stop()
    starts = child.starts
    await asyncio.sleep(0.1)
    assert child.starts == starts
    assert child.pid is None
    assert "here" in child.log_tail()


async def deaf_child(make: Make, stop_timeout_s: float) -> tuple[ChildProcess, int]:
    """Return a child that ignores the polite signal, and its number."""
    ready = "print('deaf', flush=True)"
    child = make([sys.executable, "-c", STUBBORN.format(ready)], stop_timeout_s=stop_timeout_s)
    await child.start()
    await until(lambda: "deaf" in child.log_tail())
    assert child.pid is not None
    return child, child.pid


async def test_a_child_that_ignores_the_polite_signal_is_killed(make: Make) -> None:
    child, pid = await deaf_child(make, stop_timeout_s=0.2)
    await child.stop()
    assert not is_running(pid)


async def test_two_children_never_share_a_folder(make: Make) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(99)"]
    first, second = make(command), make(command, lock_timeout_s=0.1)
    await first.start()
    with pytest.raises(ConflictError, match="another sleeper"):
        await second.start()
    await first.stop()
    await second.start()


async def test_who_is_cancelled_while_the_folder_is_taken_gives_its_lock_back(
    make: Make, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(99)"]
    first, second = make(command), make(command)
    await first.start()
    before = open_files(tmp_path)
    starting = asyncio.create_task(second.start())
    await until(lambda: open_files(tmp_path) > before)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert open_files(tmp_path) == before


def open_files(folder: Path) -> int:
    """Return how many files below the folder this process has open."""
    found = Path("/proc/self/fd").iterdir()
    return sum(link.is_symlink() and link.resolve().is_relative_to(folder) for link in found)


async def test_a_stop_that_is_cancelled_kills_the_child_at_once(make: Make) -> None:
    child, pid = await deaf_child(make, stop_timeout_s=60.0)
    stopping = asyncio.create_task(child.stop())
    await asyncio.sleep(0.05)
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    await until(lambda: not is_running(pid))


async def test_a_stop_that_is_cancelled_at_once_is_cancelled_and_leaves_no_child(
    make: Make,
) -> None:
    child = make([sys.executable, "-c", "import time; time.sleep(99)"])
    await child.start()
    pid = child.pid
    assert pid is not None
    stopping = asyncio.create_task(child.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait((stopping,))
    assert stopping.cancelled()
    await until(lambda: not is_running(pid))


async def test_a_child_is_started_again_although_files_ran_out_meanwhile(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(99)"]
    child = make(command)
    await child.start()
    real_open, refused = os.open, asyncio.Event()

    def none_left(path: str | Path, *flags: int) -> int:
        if str(path).endswith("sleeper.lock") and not refused.is_set():
            refused.set()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real_open(path, *flags)

    monkeypatch.setattr(os, "open", none_left)
    killed = child.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await until(lambda: child.pid not in (None, killed))
    assert refused.is_set()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_child_dies_with_its_parent_and_frees_the_folder(
    make: Make, tmp_path: Path, how: signal.Signals
) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(tmp_path), STUBBORN.format("pass")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 30))
    assert is_running(pid)
    parent.send_signal(how)
    await parent.wait()
    await until(lambda: not is_running(pid))
    successor = make([sys.executable, "-c", "import time; time.sleep(99)"])
    await successor.start()
    assert successor.pid is not None


async def test_a_child_whose_parent_has_gone_does_not_begin() -> None:
    guard = Path(__file__).parents[2] / "src/roadworthy/adapters/_exec_guard.py"
    not_the_parent = str(os.getppid())
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(guard), not_the_parent, "/bin/true")
    )
    assert await child.wait() == 125
