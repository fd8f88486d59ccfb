"""Deltas are applied off the event loop, with the same answers and errors as at once."""

import asyncio

import pytest

from roadworthy.adapters.delta_process import make_in_child
from roadworthy.adapters.delta_thread import DirectCodec, ThreadCodec
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


async def test_a_child_process_makes_the_same_patch() -> None:
    assert await make_in_child(BASE, TARGET) == make(BASE, TARGET).data
    fast = MakeOptions(back_end=BackEnd.FAST)
    assert await make_in_child(BASE, TARGET, BackEnd.FAST) == make(BASE, TARGET, fast).data
