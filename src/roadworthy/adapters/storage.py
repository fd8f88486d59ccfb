"""The vehicle's files in a folder, and the twin in memory: the `Storage` port.

Written for power cuts: `write` replaces a file as a whole or not at all; `append` is durable
on return, and a cut may leave only a first part of it. All calls end on the disk (fsync of
file and folder) before they return.
"""

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from roadworthy.adapters.files import sync_folder
from roadworthy.base.errors import InputError, StoreError

__all__ = ["FolderStorage", "MemoryStorage"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,1}")
_UNFINISHED = ".unfinished"

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class FolderStorage:
    """Files in one folder, which one agent uses at a time.

    A name is one or two parts of letters, digits, `.`, `_`, `-`, joined by `/`; it never
    leaves the folder.

    Raises:
        StoreError: the folder can't be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path in folder.glob(f"*{_UNFINISHED}"):
                path.unlink()
        except OSError as error:
            raise _store_error(error, "storage") from error

    async def read(self, name: str) -> bytes | None:
        """Return the content; None when there is no such file."""
        return await _on_disk(_read, self._path(name))

    async def write(self, name: str, data: bytes) -> None:
        """Replace the whole file, atomically and durably."""
        await _on_disk(_write, self._path(name), data)

    async def append(self, name: str, data: bytes) -> None:
        """Add to the end, durably; a power cut may leave only a first part of `data`."""
        await _on_disk(_append, self._path(name), data)

    async def delete(self, name: str) -> None:
        """Remove the file if it is there."""
        await _on_disk(_delete, self._path(name))

    async def size(self, name: str) -> int:
        """Return the length in bytes; 0 when there is no such file."""
        return await _on_disk(_size, self._path(name))

    def _path(self, name: str) -> Path:
        # "%" can't occur in a name, so one flat folder is enough and one sync makes it durable.
        return self._folder / _checked(name).replace("/", "%")


class MemoryStorage:
    """The twin: files in memory, gone with the process."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    async def read(self, name: str) -> bytes | None:
        """Return the content; None when there is no such file."""
        return self._files.get(_checked(name))

    async def write(self, name: str, data: bytes) -> None:
        """Replace the whole file."""
        self._files[_checked(name)] = bytes(data)

    async def append(self, name: str, data: bytes) -> None:
        """Add to the end."""
        self._files[_checked(name)] = self._files.get(name, b"") + data

    async def delete(self, name: str) -> None:
        """Remove the file if it is there."""
        self._files.pop(_checked(name), None)

    async def size(self, name: str) -> int:
        """Return the length in bytes; 0 when there is no such file."""
        return len(self._files.get(_checked(name), b""))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or name.endswith(_UNFINISHED):
        raise InputError(
            "is not a file name", value="name", todo="use letters, digits, dots, hyphens, one slash"
        )
    return name


async def _on_disk(
    work: Callable[Given, Answer], *arguments: Given.args, **named: Given.kwargs
) -> Answer:
    try:
        return await asyncio.to_thread(work, *arguments, **named)
    except OSError as error:
        raise _store_error(error, "storage") from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, data: bytes) -> None:
    unfinished = path.with_name(path.name + _UNFINISHED)
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def _append(path: Path, data: bytes) -> None:
    is_new = not path.exists()
    with path.open("ab", buffering=0) as file:
        size_before = file.tell()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size_before)
            raise
    if is_new:
        sync_folder(path.parent)


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _store_error(error: OSError, value: str) -> StoreError:
    return StoreError(
        f"the disk failed ({error.strerror or error})",
        value=value,
        todo="check free space and rights of the folder",
    )
