"""Makes deltas in a process of their own.

Minutes of work and gigabytes of memory for large images must neither delay a vehicle's
request nor take the server down with them.
"""

import asyncio
import contextlib
import os
import struct
import sys
from tempfile import TemporaryFile

from typing_extensions import Buffer

from roadworthy import delta
from roadworthy.base.errors import StoreError
from roadworthy.delta.scratch import Scratch

__all__ = ["make_in_child"]

_HEAD = struct.Struct(">BQQ")
_NICENESS = 10
_LOG_BYTES = 500
_PIECE_BYTES = 1 << 20


async def make_in_child(
    base: bytes, target: bytes, back_end: delta.BackEnd = delta.BackEnd.MIXING
) -> bytes:
    """Return the patch from `base` to `target`, made in a child process.

    Args:
        base: the image that the vehicle has.
        target: the image that it shall have.
        back_end: whether bytes or the vehicle's processor time matter more.

    Raises:
        StoreError: the child died, for example of too little memory; says what it said last.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roadworthy.adapters.delta_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        asked = _HEAD.pack(back_end, len(base), len(target)) + base + target
        patch, log = await child.communicate(asked)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()  # to the end of its pipes, which closes them
        raise
    if child.returncode:
        last = log[-_LOG_BYTES:].decode(errors="replace").strip()
        raise StoreError(f"the delta process ended with {child.returncode}: {last}", value="delta")
    return patch


def _serve() -> None:
    os.nice(_NICENESS)
    back_end, *lengths = _HEAD.unpack(sys.stdin.buffer.read(_HEAD.size))
    base, target = (_received(length) for length in lengths)
    # Nobody knows which version of the Zstandard library a vehicle has.
    options = delta.MakeOptions(back_end=delta.BackEnd(back_end), zstd=False, scratch=TemporaryFile)
    sys.stdout.buffer.write(delta.make(base, target, options).data)


def _received(length: int) -> Buffer:
    """Return the next bytes of standard input, in a mapped file that need not stay in memory."""
    with Scratch(TemporaryFile) as scratch:
        while length > 0:
            piece = sys.stdin.buffer.read(min(length, _PIECE_BYTES))
            if not piece:
                raise StoreError("the images are cut short", value="delta", todo="ask again")
            scratch.append(piece)
            length -= len(piece)
        return scratch.image()


if __name__ == "__main__":
    _serve()
