"""Writes files that only their owner may read, whole or not at all."""

import os
from pathlib import Path

from roadworthy.base.errors import ConflictError, StoreError

__all__ = ["replace_private", "write_new"]


def write_new(path: Path, data: bytes, *, is_secret: bool = True) -> None:
    """Write a file that must not exist yet.

    Raises:
        ConflictError: it exists.
        StoreError: it can't be written.
    """
    try:
        _write(path, data, 0o600 if is_secret else 0o644)
    except FileExistsError as error:
        raise ConflictError(
            "exists already", value=str(path), todo="remove it or choose another name"
        ) from error
    except OSError as error:
        raise StoreError(f"can't be written ({error.strerror})", value=str(path)) from error


def replace_private(path: Path, data: bytes) -> None:
    """Write a file in place of the one before, at once; nobody sees half of it.

    Raises:
        StoreError: it can't be written.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        _write(fresh, data, 0o600)
        fresh.replace(path)
    except OSError as error:
        raise StoreError(f"can't be written ({error.strerror})", value=str(path)) from error


def _write(path: Path, data: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(file, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
