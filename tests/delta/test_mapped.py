"""Searching a mapped file finds what searching bytes finds."""

import mmap
from pathlib import Path

import pytest

from roadworthy.delta.mapped import find, forget, is_mapped_file

WINDOW = 1 << 24


@pytest.mark.parametrize("at", [0, 5, WINDOW - 2, WINDOW - 1, WINDOW, 2 * WINDOW + 9])
def test_what_lies_across_windows_is_found(tmp_path: Path, at: int) -> None:
    data = bytearray(2 * WINDOW + 100)
    data[at : at + 3] = b"abc"
    (tmp_path / "image").write_bytes(data)
    with (tmp_path / "image").open("rb") as file:
        image = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert is_mapped_file(image)
        assert find(image, b"abc", 0, len(image)) == at  # type: ignore[arg-type]
        assert find(image, b"abc", at + 1, len(image)) == -1  # type: ignore[arg-type]
        assert find(image, b"abc", 0, at + 2) == -1  # type: ignore[arg-type]
        forget(image)
        assert image[at : at + 3] == b"abc"


def test_a_private_copy_keeps_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(bytes(100))
    with (tmp_path / "image").open("rb") as file:
        image = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        image[:3] = b"abc"
        assert not is_mapped_file(image)
        forget(image)
        assert image[:3] == b"abc"
