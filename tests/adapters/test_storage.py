"""The vehicle's files: one contract for the folder and its twin, then what a disk does."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.adapters.storage import FolderStorage, MemoryStorage
from roadworthy.base.errors import InputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable

Store = FolderStorage | MemoryStorage


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FolderStorage(tmp_path / "files") if request.param == "folder" else MemoryStorage()


async def test_what_is_not_there_reads_as_none_with_size_zero(store: Store) -> None:
    assert await store.read("journal") is None
    assert await store.size("journal") == 0
    await store.delete("journal")


async def test_write_replaces_and_append_adds(store: Store) -> None:
    await store.write("a.json", b"long first content")
    await store.write("a.json", b"second")
    await store.append("a.json", b"+more")
    await store.append("log", b"new")
    assert await store.read("a.json") == b"second+more"
    assert await store.size("a.json") == 11
    assert await store.read("log") == b"new"


async def test_an_empty_file_is_there(store: Store) -> None:
    await store.write("empty", b"")
    await store.append("empty", b"")
    assert await store.read("empty") == b""


async def test_a_deleted_file_is_gone(store: Store) -> None:
    await store.write("staging/engine-1", b"x")
    await store.delete("staging/engine-1")
    assert await store.read("staging/engine-1") is None


async def test_names_of_two_parts_do_not_collide_with_one(store: Store) -> None:
    await store.write("a", b"1")
    await store.write("a/b", b"2")
    await store.write("a_b", b"3")
    assert [await store.read(name) for name in ("a", "a/b", "a_b")] == [b"1", b"2", b"3"]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


UNSAFE = ["", ".", "..", "../x", "/x", "a/../b", "a//b", "a/b/c", "a%b", "x\0", ".hidden", "é"]


@pytest.mark.parametrize("name", [*UNSAFE, "x" * 101, "a.unfinished", "a\n"])
async def test_an_unsafe_name_is_refused(store: Store, name: str) -> None:
    calls: list[Awaitable[object]] = [store.read(name), store.size(name), store.delete(name)]
    for call in (*calls, store.write(name, b""), store.append(name, b"")):
        with pytest.raises(InputError, match="file name"):
            await call


async def test_files_survive_a_restart_and_unfinished_ones_are_removed(tmp_path: Path) -> None:
    await FolderStorage(tmp_path).write("kept", b"1")
    (tmp_path / "kept.unfinished").write_bytes(b"half")
    again = FolderStorage(tmp_path)
    assert await again.read("kept") == b"1"
    assert names(tmp_path) == ["kept"]


async def test_a_failed_write_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStorage(tmp_path)
    await store.write("file", b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        await store.write("file", b"new")
    with pytest.raises(StoreError, match="No space left"):
        await store.append("file", b"+new")
    monkeypatch.undo()
    assert await FolderStorage(tmp_path).read("file") == b"old"


async def test_a_folder_that_cannot_be_made_is_a_store_error() -> None:
    with pytest.raises(StoreError):
        FolderStorage(Path("/proc/none"))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("wad"), st.binary(max_size=9)), max_size=20))
async def test_the_twin_does_what_the_folder_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]]
) -> None:
    real, twin = FolderStorage(tmp_path_factory.mktemp("twin")), MemoryStorage()
    for kind, data in steps:
        for store in (real, twin):
            if kind == "w":
                await store.write("f", data)
            elif kind == "a":
                await store.append("f", data)
            else:
                await store.delete("f")
        assert await real.read("f") == await twin.read("f")
        assert await real.size("f") == await twin.size("f")
