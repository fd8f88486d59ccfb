"""Artifacts in a folder, named by the SHA-256 of their content, and the twin in memory.

A file gets its name only when it is whole and on the disk: it is written beside, synced,
renamed, and the folder synced. So a name either leads to the right bytes or to nothing,
whatever died in between. What a killed process left unfinished is removed when the folder is
opened next; a lock on each unfinished file protects those of living processes.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path
from typing import Self

from roadworthy.base.errors import InputError, NotFoundError, StoreError
from roadworthy.base.ids import Sha256, parse_sha256

__all__ = ["FolderArtifacts", "MemoryArtifacts", "sync_folder"]

_CHUNK_BYTES = 1 << 18
_ARTIFACT_BYTES_MAX = 8 << 30


class FolderArtifacts:
    """Artifacts in a folder; several processes may share it.

    Args:
        folder: made if it is not there.
        size_bytes_max: larger artifacts are refused.

    Raises:
        StoreError: the folder can't be made or read.
    """

    def __init__(self, folder: Path, *, size_bytes_max: int = _ARTIFACT_BYTES_MAX) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._size_bytes_max = size_bytes_max
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._incoming.mkdir(exist_ok=True, mode=0o700)
            _remove_abandoned(self._incoming)
        except OSError as error:
            raise _store_error(error, "artifacts") from error

    async def put(self, chunks: AsyncIterable[bytes]) -> Sha256:
        """Store the bytes; on return they are durable under their own hash.

        Raises:
            InputError: more bytes than allowed.
            StoreError: the disk failed or is full.
        """
        digest, size_bytes = hashlib.sha256(), 0
        try:
            with _Unfinished(self._incoming) as unfinished:
                async for chunk in chunks:
                    size_bytes += len(chunk)
                    _limit(size_bytes, self._size_bytes_max)
                    digest.update(chunk)
                    await asyncio.to_thread(unfinished.file.write, chunk)
                sha256 = Sha256(digest.hexdigest())
                await asyncio.to_thread(unfinished.become, self._path(sha256))
        except OSError as error:
            raise _store_error(error, "artifact") from error
        return sha256

    async def size(self, sha256: Sha256) -> int:
        """Return the length in bytes; NotFoundError when there is none."""
        try:
            return (await asyncio.to_thread(self._path(sha256).stat)).st_size
        except FileNotFoundError:
            raise _missing(sha256) from None
        except OSError as error:
            raise _store_error(error, sha256) from error

    async def exists(self, sha256: Sha256) -> bool:
        """Return whether the artifact is here."""
        return await asyncio.to_thread(self._path(sha256).is_file)

    async def open_range(
        self, sha256: Sha256, *, offset: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes]:
        """Yield `length` bytes from `offset`, or all that follow, in pieces.

        Raises:
            NotFoundError: there is no such artifact.
            InputError: the range lies outside of it.
            StoreError: the disk failed.
        """
        left = _range_length(await self.size(sha256), offset, length)
        try:
            with await asyncio.to_thread(self._path(sha256).open, "rb") as file:
                file.seek(offset)
                while left:
                    chunk = await asyncio.to_thread(file.read, min(left, _CHUNK_BYTES))
                    if not chunk:
                        raise StoreError("is shorter than it was", value=sha256)
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise _store_error(error, sha256) from error

    async def read(self, sha256: Sha256) -> bytes:
        """Return the whole artifact, its hash checked.

        Raises:
            NotFoundError: there is no such artifact.
            StoreError: the disk failed, or gave other bytes than were stored.
        """
        data = b"".join([chunk async for chunk in self.open_range(sha256)])
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(
                "has changed on the disk", value=sha256, todo="restore it from a backup"
            )
        return data

    def _path(self, sha256: Sha256) -> Path:
        name = parse_sha256(sha256)
        return self._folder / name[:2] / name


class MemoryArtifacts:
    """The twin: artifacts in memory, gone with the process."""

    def __init__(self, *, size_bytes_max: int = _ARTIFACT_BYTES_MAX) -> None:
        self._content: dict[Sha256, bytes] = {}
        self._size_bytes_max = size_bytes_max

    async def put(self, chunks: AsyncIterable[bytes]) -> Sha256:
        """Store the bytes under their own hash; InputError when they are too many."""
        data = bytearray()
        async for chunk in chunks:
            _limit(len(data) + len(chunk), self._size_bytes_max)
            data += chunk
        sha256 = Sha256(hashlib.sha256(data).hexdigest())
        self._content[sha256] = bytes(data)
        return sha256

    async def size(self, sha256: Sha256) -> int:
        """Return the length in bytes; NotFoundError when there is none."""
        return len(self._get(sha256))

    async def exists(self, sha256: Sha256) -> bool:
        """Return whether the artifact is here."""
        return parse_sha256(sha256) in self._content

    async def open_range(
        self, sha256: Sha256, *, offset: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes]:
        """Yield `length` bytes from `offset`, or all that follow; InputError when outside."""
        data = self._get(sha256)
        end = offset + _range_length(len(data), offset, length)
        for start in range(offset, end, _CHUNK_BYTES):
            yield data[start : min(start + _CHUNK_BYTES, end)]

    async def read(self, sha256: Sha256) -> bytes:
        """Return the whole artifact."""
        return self._get(sha256)

    def _get(self, sha256: Sha256) -> bytes:
        found = self._content.get(parse_sha256(sha256))
        if found is None:
            raise _missing(sha256)
        return found


class _Unfinished:
    """A locked file without a final name; it is gone at the end unless it got one."""

    def __init__(self, folder: Path) -> None:
        descriptor, name = tempfile.mkstemp(dir=folder)
        self._path = Path(name)
        self.file = open(descriptor, "wb")  # noqa: PTH123, SIM115 - closed in __exit__
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.file.close()

    def become(self, path: Path) -> None:
        """Make the content durable, then give it its name."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True, mode=0o700)
            sync_folder(path.parent.parent)
        self._path.replace(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in the folder durable (POSIX: a rename lasts when its folder is synced)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    for path in folder.iterdir():
        with contextlib.suppress(BlockingIOError, FileNotFoundError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _range_length(size_bytes: int, offset: int, length: int | None) -> int:
    wanted = size_bytes - offset if length is None else length
    if offset < 0 or wanted < 0 or offset + wanted > size_bytes:
        raise InputError(f"lies outside of the {size_bytes} bytes", value="range")
    return wanted


def _limit(size_bytes: int, size_bytes_max: int) -> None:
    if size_bytes > size_bytes_max:
        raise InputError(f"has more than {size_bytes_max} bytes", value="artifact")


def _missing(sha256: Sha256) -> NotFoundError:
    return NotFoundError("is not stored here", value=f"artifact {sha256}")


def _store_error(error: OSError, value: str) -> StoreError:
    return StoreError(
        f"the disk failed ({error.strerror or error})",
        value=value,
        todo="check free space and rights of the folder",
    )
