"""Deltas are applied off the event loop, with the same answers and errors as at once."""

import asyncio
import gc
import gzip
import struct
import subprocess
import sys

import pytest

from roadworthy.adapters.delta_process import make_in_child
from roadworthy.adapters.delta_thread import DirectCodec, ThreadCodec
from roadworthy.base.clock import SeededChance
from roadworthy.delta import BackEnd, MakeOptions, PatchError, WrongBaseError, make

BASE = bytes(range(256)) * 64
TARGET = BASE[:5000] + b"new code" * 40 + BASE[5100:]


@pytest.mark.parametrize("codec", [DirectCodec(), ThreadCodec()])
async def test_a_delta_makes_the_target(codec: DirectCodec | ThreadCodec) -> None:
    assert await codec.apply(BASE, make(BASE, TARGET).data) == TARGET


@pytest.mark.parametrize("codec", [DirectCodec(), ThreadCodec()])
async def test_what_is_wrong_is_said(codec: DirectCodec | ThreadCodec) -> None:
    with pytest.raises(WrongBaseError):
        await codec.apply(TARGET, make(BASE, TARGET).data)
    with pytest.raises(PatchError):
        await codec.apply(BASE, b"no patch")


async def test_many_deltas_are_applied_at_once() -> None:
    patch = make(BASE, TARGET).data
    images = await asyncio.gather(*(ThreadCodec().apply(BASE, patch) for _ in range(16)))
    assert set(images) == {TARGET}


def test_a_child_process_that_is_not_told_all_says_so() -> None:
    asked = struct.pack(">BQQ", BackEnd.MIXING, 10, 10) + bytes(15)
    command = [sys.executable, "-m", "roadworthy.adapters.delta_process"]
    child = subprocess.run(command, input=asked, capture_output=True, check=False)  # noqa: S603
    assert child.returncode == 1
    assert b"the images are cut short" in child.stderr.splitlines()[-1]


async def test_a_child_process_makes_the_same_patch() -> None:
    assert await make_in_child(b"", TARGET) == make(b"", TARGET).data
    old, new = (gzip.compress(image * 9, mtime=0) for image in (BASE, TARGET))
    assert await make_in_child(old, new) == make(old, new).data
    assert await make_in_child(BASE, TARGET) == make(BASE, TARGET).data
    fast = MakeOptions(back_end=BackEnd.FAST)
    assert await make_in_child(BASE, TARGET, BackEnd.FAST) == make(BASE, TARGET, fast).data


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.5])
async def test_who_is_cancelled_while_a_child_works_leaves_no_process_and_no_pipe(
    after_s: float,
) -> None:
    work_for_long = SeededChance("child").random.randbytes(8 << 20)
    making = asyncio.create_task(make_in_child(work_for_long, work_for_long[::-1]))
    await asyncio.sleep(after_s)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    gc.collect()
