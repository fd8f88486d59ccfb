"""Reads the files that a person names, and writes files whole or not at all."""

import os
import tomllib
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from roadworthy.base.errors import ConflictError, InputError, StoreError

__all__ = [
    "FILE",
    "FOLDER",
    "load_toml",
    "read_file",
    "replace_file",
    "write_new",
    "write_output",
]

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False, resolve_path=True)
_STDOUT = Path("-")
_OURS, _EVERYONES = 0o600, 0o644
_FILE_BYTES_MAX = 1 << 20

Form = TypeVar("Form")


def read_file(path: Path, *, size_bytes_max: int = _FILE_BYTES_MAX) -> bytes:
    """Return the content of a file.

    Raises:
        InputError: it is not there, can't be read, or is larger than allowed.
    """
    try:
        with path.open("rb") as file:
            data = file.read(size_bytes_max + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"can't be read ({why})", value=str(path), todo="check the name of the file"
        ) from error
    if len(data) > size_bytes_max:
        raise InputError(f"has more than {size_bytes_max} bytes", value=str(path))
    return data


def load_toml(path: Path, form: type[Form]) -> Form:
    """Return the content of a TOML file in a form; unknown names are mistakes.

    Raises:
        InputError: it can't be read, is no TOML, or a name or value in it is not right.
    """
    data = read_file(path)
    try:
        return msgspec.convert(tomllib.loads(data.decode()), form)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"is not right ({error})",
            value=str(path),
            todo="compare it with the example that --help of this command shows",
        ) from error


def write_new(path: Path, data: bytes, *, is_secret: bool = True) -> None:
    """Write a file that must not exist yet.

    Raises:
        ConflictError: it exists.
        StoreError: it can't be written.
    """
    try:
        _write(path, data, _OURS if is_secret else _EVERYONES)
    except FileExistsError as error:
        raise ConflictError(
            "exists already", value=str(path), todo="remove it or choose another name"
        ) from error
    except OSError as error:
        raise StoreError(f"can't be written ({error.strerror})", value=str(path)) from error


def replace_file(path: Path, data: bytes, *, is_secret: bool = False) -> None:
    """Write a file in place of the one before, if any; nobody sees half of it.

    Raises:
        StoreError: it can't be written.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        _write(fresh, data, _OURS if is_secret else _EVERYONES)
        fresh.replace(path)
    except OSError as error:
        raise StoreError(f"can't be written ({error.strerror})", value=str(path)) from error


def write_output(to: Path, data: bytes) -> None:
    """Write what a command made to a file, or to standard output for `-`."""
    if to == _STDOUT:
        click.echo(data, nl=False)
    else:
        replace_file(to, data)


def _write(path: Path, data: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(file, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
