"""Becomes another program that the kernel kills as soon as the starting process is gone.

Run as a script: `python -I -S _exec_guard.py PARENT_PID PROGRAM [ARGUMENT...]`. It asks
Linux for the signal (prctl PR_SET_PDEATHSIG survives execve), makes sure that the parent is
still there, and turns into PROGRAM under the same process id. A small program of its own is
safer than `preexec_fn`, which runs Python between fork and exec of a threaded process.
"""

import ctypes
import os
import signal
import sys

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
_EXIT_ORPHAN = 125


def main(arguments: list[str]) -> None:
    """Replace this process by `arguments[1]`; exit with 125 if the parent has gone already."""
    parent_pid, program = int(arguments[0]), arguments[1]
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise SystemExit(_EXIT_ORPHAN)
    if os.getppid() != parent_pid:
        raise SystemExit(_EXIT_ORPHAN)
    os.execv(program, arguments[1:])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
