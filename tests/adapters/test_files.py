"""Artifacts: one contract for the folder and its twin, then what only a disk can do."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadworthy.adapters.files import FolderArtifacts, MemoryArtifacts
from roadworthy.base.errors import InputError, NotFoundError, StoreError
from roadworthy.base.ids import Sha256

Store = FolderArtifacts | MemoryArtifacts
ABSENT = Sha256("0" * 64)


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return FolderArtifacts(tmp_path / "artifacts", size_bytes_max=1 << 20)
    return MemoryArtifacts(size_bytes_max=1 << 20)


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


async def collect(
    store: Store, sha256: Sha256, *, offset: int = 0, length: int | None = None
) -> bytes:
    return b"".join([c async for c in store.open_range(sha256, offset=offset, length=length)])


async def test_an_artifact_is_named_by_its_hash_and_comes_back_whole(store: Store) -> None:
    sha256 = await store.put(pieces(b"firm", b"", b"ware"))
    assert sha256 == hashlib.sha256(b"firmware").hexdigest()
    assert await store.size(sha256) == 8
    assert await store.exists(sha256)
    assert await store.read(sha256) == await collect(store, sha256) == b"firmware"


async def test_the_same_content_twice_is_one_artifact(store: Store) -> None:
    assert await store.put(pieces(b"same")) == await store.put(pieces(b"sa", b"me"))


async def test_the_empty_artifact_is_possible(store: Store) -> None:
    assert await collect(store, await store.put(pieces())) == b""


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
@given(data=st.data())
async def test_any_range_equals_the_slice(store: Store, data: st.DataObject) -> None:
    content = data.draw(st.binary(max_size=50))
    offset = data.draw(st.integers(0, len(content)))
    length = data.draw(st.none() | st.integers(0, len(content) - offset))
    sha256 = await store.put(pieces(content))
    end = len(content) if length is None else offset + length
    assert await collect(store, sha256, offset=offset, length=length) == content[offset:end]


async def test_a_large_artifact_comes_in_pieces(store: Store) -> None:
    content = os.urandom(700_000)  # noqa: TID251 - any bytes will do
    sha256 = await store.put(pieces(content))
    chunks = [chunk async for chunk in store.open_range(sha256, offset=1)]
    assert len(chunks) > 1
    assert b"".join(chunks) == content[1:]


@pytest.mark.parametrize(("offset", "length"), [(5, None), (0, 5), (4, 1), (-1, None), (0, -1)])
async def test_a_range_outside_is_refused(store: Store, offset: int, length: int | None) -> None:
    sha256 = await store.put(pieces(b"four"))
    with pytest.raises(InputError, match="outside"):
        await collect(store, sha256, offset=offset, length=length)


async def test_an_unknown_artifact_is_not_found(store: Store) -> None:
    assert not await store.exists(ABSENT)
    for call in (store.size(ABSENT), store.read(ABSENT), collect(store, ABSENT)):
        with pytest.raises(NotFoundError):
            await call


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 63, "AB" * 32, "/" + "0" * 63])
async def test_only_a_hash_names_an_artifact(store: Store, name: str) -> None:
    for call in (store.size(Sha256(name)), store.exists(Sha256(name)), store.read(Sha256(name))):
        with pytest.raises(InputError):
            await call


async def test_too_large_an_artifact_is_refused_and_leaves_nothing(
    store: Store, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="more than"):
        await store.put(pieces(b"x" * (1 << 20), b"y"))
    assert files(tmp_path) == []


async def test_a_broken_upload_leaves_nothing(store: Store, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise InputError("stopped")

    with pytest.raises(InputError, match="stopped"):
        await store.put(broken())
    assert files(tmp_path) == []


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_artifacts_survive_a_restart(tmp_path: Path) -> None:
    sha256 = await FolderArtifacts(tmp_path).put(pieces(b"kept"))
    assert await FolderArtifacts(tmp_path).read(sha256) == b"kept"


async def test_changed_bytes_on_the_disk_are_noticed(tmp_path: Path) -> None:
    store = FolderArtifacts(tmp_path)
    sha256 = await store.put(pieces(b"right"))
    files(tmp_path)[0].write_bytes(b"wrong")
    with pytest.raises(StoreError, match="has changed"):
        await store.read(sha256)


async def test_a_folder_that_cannot_be_made_is_a_store_error() -> None:
    with pytest.raises(StoreError):
        FolderArtifacts(Path("/proc/none"))


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from roadworthy.adapters.files import FolderArtifacts

async def half():
    yield b"half" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(FolderArtifacts(Path(sys.argv[1])).put(half()))
"""


async def test_a_killed_upload_is_cleared_away_and_a_living_one_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    ended = subprocess.run(command, check=False, timeout=60)  # noqa: S603, ASYNC221 - our program
    assert ended.returncode == -signal.SIGKILL
    assert len(files(tmp_path)) == 1
    store = FolderArtifacts(tmp_path)
    assert files(tmp_path) == []

    async def slow() -> AsyncIterator[bytes]:
        yield b"li"
        FolderArtifacts(tmp_path)
        yield b"ve"

    assert await store.read(await store.put(slow())) == b"live"
