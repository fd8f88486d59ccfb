"""Unpacked images grow in memory or in a file, come out the same and fail with an error of ours."""

import tempfile
import tracemalloc
from errno import ENOSPC
from typing import BinaryIO

import pytest
from tests.delta.containers.images import Writer, gzipped

from roadworthy import delta
from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import StoreError
from roadworthy.delta.containers.plan import plan
from roadworthy.delta.mapped import is_mapped_file
from roadworthy.delta.scratch import OpenScratch, Scratch

CHANCE = SeededChance("scratch").random
WORDS = [CHANCE.randbytes(6) for _ in range(200)]
OLD = b"".join(CHANCE.choice(WORDS) for _ in range(30_000))
NEW = OLD[:70_000] + b"new" * 20 + OLD[70_000:]


@pytest.mark.parametrize("open_file", [None, tempfile.TemporaryFile])
def test_what_was_appended_is_the_image(open_file: OpenScratch | None) -> None:
    with Scratch(open_file) as scratch:
        for at in range(0, len(OLD), 7001):
            scratch.append(memoryview(OLD)[at : at + 7001])
        image = scratch.image()
    assert bytes(image) == OLD
    assert is_mapped_file(image) == (open_file is not None)


@pytest.mark.parametrize("open_file", [None, tempfile.TemporaryFile])
def test_an_image_of_nothing_is_empty(open_file: OpenScratch | None) -> None:
    with Scratch(open_file) as scratch:
        scratch.append(b"")
        assert bytes(scratch.image()) == b""


def test_a_scratch_file_changes_no_byte_of_a_patch() -> None:
    base, target = gzipped(OLD), gzipped(NEW)
    files: list[BinaryIO] = []

    def open_file() -> BinaryIO:
        files.append(tempfile.TemporaryFile())  # noqa: SIM115 - closed by who asked for it
        return files[-1]

    patch = delta.make(base, target, delta.MakeOptions(scratch=open_file))
    assert patch.header.packed
    assert patch == delta.make(base, target)
    assert len(files) == 2
    assert all(file.closed for file in files)


class FullDisk:
    """A scratch file with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.closed = False

    def write(self, content: bytes | memoryview) -> int:
        self.room -= len(content)
        if self.room < 0:
            raise OSError(ENOSPC, "No space left on device")
        return len(content)

    def flush(self) -> None:
        raise OSError(ENOSPC, "No space left on device")

    def fileno(self) -> int:
        raise AssertionError

    def close(self) -> None:
        """Close, and fail to write what is left, as a buffered file does."""
        self.closed = True
        raise OSError(ENOSPC, "No space left on device")


@pytest.mark.parametrize("room", [0, 50_000, 1 << 30])
def test_a_full_disk_is_told_and_the_file_closed(room: int) -> None:
    file = FullDisk(room)
    options = delta.MakeOptions(scratch=lambda: file)
    with pytest.raises(StoreError, match="No space left on device"):
        delta.make(gzipped(OLD), gzipped(NEW), options)
    assert file.closed


def test_a_file_that_fails_when_it_is_closed_is_told() -> None:
    with (
        pytest.raises(StoreError, match="No space left on device"),
        Scratch(lambda: FullDisk(9)) as scratch,
    ):
        scratch.append(b"nine byte")


@pytest.mark.parametrize(("open_file", "share"), [(None, 1.3), (tempfile.TemporaryFile, 0.2)])
def test_unpacking_holds_each_image_once_or_in_its_file(
    open_file: OpenScratch | None, share: float
) -> None:
    chance = SeededChance("memory").random
    files = [chance.randbytes(400) * 400 for _ in range(40)]
    base = Writer().image({f"file {n}": content for n, content in enumerate(files)})
    files = [content[:399] + b"x" + content[400:-1] + b"y" for content in files]
    target = Writer().image({f"file {n}": content[9:] for n, content in enumerate(files)})
    tracemalloc.start()
    try:
        found = plan(base, target, zstd=False, scratch=open_file)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    unpacked_bytes = memoryview(found.virtual_base).nbytes + memoryview(found.virtual_target).nbytes
    assert unpacked_bytes > 10_000_000
    assert peak_bytes < share * unpacked_bytes + 2_000_000
