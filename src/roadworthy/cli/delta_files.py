"""Images in files: mapped, not read; the new one appears under its name only when it is whole.

With a journal, the new image grows in a hidden file beside it. Whenever enough has come, that
file is made durable first and the journal is replaced after it, so a journal never tells of
bytes that a power cut took. How much is enough follows from the journal's size: what is written
in journals stays below four times what is written of the image.
"""

import fcntl
import hashlib
import mmap
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from typing_extensions import Buffer

from roadworthy import delta
from roadworthy.base.errors import ConflictError, InputError, StoreError
from roadworthy.cli.files import read_file, replace_file

__all__ = ["Rebuilt", "map_file", "rebuild", "refuse_same"]

_JOURNAL_BYTES_MAX = 8 << 20


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of applying a patch.

    resumed_at: target bytes that were there from before.
    sha256: that of the file, in hex; the patch may name only its first bytes.
    """

    resumed_at: int
    sha256: str


def map_file(path: Path) -> Buffer:
    """Return the bytes of a file, which the system reads when they are looked at.

    Raises:
        InputError: it is not there, can't be read, or is not a file of bytes.
    """
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise InputError("is not a file of bytes", value=str(path))
            if state.st_size == 0:
                return b""
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"can't be read ({why})", value=str(path), todo="check the name of the file"
        ) from error


def refuse_same(one: Path, other: Path) -> None:
    """Refuse two names of the same file.

    Raises:
        InputError: they are the same.
    """
    try:
        is_same = one.samefile(other)
    except OSError:
        is_same = one.absolute() == other.absolute()
    if is_same:
        raise InputError(
            "is the same file as the other", value=str(other), todo="name two different files"
        )


def rebuild(
    base: Buffer, patch: Buffer, to: Path, journal: Path | None, progress: Callable[[int], None]
) -> Rebuilt:
    """Apply a patch to a file; with a journal that exists, from where it says.

    Args:
        base: the old image.
        patch: the whole patch.
        to: where the new image goes; a file of that name is replaced.
        journal: file that a later call goes on from; None keeps nothing of a failed run.
        progress: told the number of target bytes that are there.

    Raises:
        PatchError, WrongBaseError, TargetMismatchError: as `delta.apply`.
        JournalError: the journal is damaged, of another patch, or its unfinished image is gone.
        ConflictError: another run is writing this image.
        StoreError: the disk is full or fails.
    """
    header = delta.inspect(patch)
    try:
        if journal is not None and _ended_before(journal, to, header):
            journal.unlink()
            return Rebuilt(header.target_length_bytes, _sha256(to))
        with _Unfinished(to, keep=journal is not None) as file:
            machine = _machine(base, header, journal)
            resumed_at = machine.target_offset
            file.go_to(resumed_at)
            _pump(machine, patch, file, journal, progress)
            sha256 = file.become(header)
        if journal is not None:
            journal.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"can't be written ({error.strerror})",
            value=str(to),
            todo="make room or choose another place, then call again",
        ) from error
    return Rebuilt(resumed_at, sha256)


def _machine(base: Buffer, header: delta.PatchHeader, journal: Path | None) -> delta.Decoder:
    if journal is None or not journal.exists():
        return delta.Decoder(base)
    machine = delta.Decoder(base, read_file(journal, size_bytes_max=_JOURNAL_BYTES_MAX))
    if machine.header not in {None, header}:
        raise delta.JournalError(
            "belongs to another patch", value=str(journal), todo="give the patch it began with"
        )
    return machine


def _pump(
    machine: delta.Decoder,
    patch: Buffer,
    file: "_Unfinished",
    journal: Path | None,
    progress: Callable[[int], None],
) -> None:
    header = delta.inspect(patch)
    every_bytes = max(header.step_bytes, header.workspace_bytes // 4)
    journalled = machine.target_offset
    for piece in machine.stream(memoryview(patch)[machine.patch_offset :]):
        file.write(piece)
        progress(machine.target_offset)
        if journal is not None and machine.target_offset - journalled >= every_bytes:
            file.sync()
            replace_file(journal, machine.journal())
            journalled = machine.target_offset
    machine.finish()


def _ended_before(journal: Path, to: Path, header: delta.PatchHeader) -> bool:
    """Return whether the last run got as far as giving the image its name, and no further."""
    if not journal.exists() or _part_of(to).exists() or not to.exists():
        return False
    return to.stat().st_size == header.target_length_bytes and header.makes(_sha256(to))


def _part_of(to: Path) -> Path:
    return to.with_name(f".{to.name}.part")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Unfinished:
    """An image under a hidden name, of which only one run may write."""

    def __init__(self, to: Path, *, keep: bool) -> None:
        if to.exists() and not to.is_file():
            raise InputError("is not a file of bytes", value=str(to), todo="name a file")
        self._to = to
        self._path = _part_of(to)
        self._keep = keep
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def __enter__(self) -> Self:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise ConflictError(
                "is being written by another run", value=str(self._to), todo="wait for its end"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is not None and not self._keep:
            self._path.unlink(missing_ok=True)
        os.close(self._file)

    def go_to(self, offset: int) -> None:
        """Go on at an offset; what is behind it is dropped."""
        if os.fstat(self._file).st_size < offset:
            raise delta.JournalError(
                f"tells of {offset} bytes that are not in {self._path}",
                value="--journal",
                todo="remove the journal to start again",
            )
        os.ftruncate(self._file, offset)
        os.lseek(self._file, offset, os.SEEK_SET)

    def write(self, data: bytes) -> None:
        """Add bytes; they are durable after `sync`."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]

    def sync(self) -> None:
        """Make what was written survive a power cut."""
        os.fsync(self._file)

    def become(self, header: delta.PatchHeader) -> str:
        """Give the image its name, after a last look at what is really in the file.

        Returns its SHA-256.
        """
        sha256 = _sha256(self._path)
        if not header.makes(sha256):
            raise delta.TargetMismatchError(
                "was changed on the disk between two runs",
                value=str(self._path),
                todo="remove it and the journal, then call again",
            )
        self.sync()
        self._path.replace(self._to)
        folder = os.open(self._to.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return sha256
