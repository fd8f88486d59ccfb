"""Where unpacked images are kept while a patch is made: in memory, or in a file of the caller's.

Such an image is written once, from its front, and read afterwards. In a file that is mapped it
hardly counts as memory, since the codec lets go of mapped pages as the work goes on.
"""

from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from typing import Protocol, Self

from typing_extensions import Buffer

from roadworthy.base.errors import StoreError

__all__ = ["OpenScratch", "Scratch", "ScratchFile"]


class ScratchFile(Protocol):
    """What is asked of a scratch file; one of `tempfile.TemporaryFile` is right."""

    def write(self, content: bytes | memoryview, /) -> int:
        """Append all of the bytes."""

    def flush(self) -> None:
        """Hand what was written to the system, so that a mapping shows it."""

    def fileno(self) -> int:
        """Descriptor of an open file of the system."""

    def close(self) -> None:
        """Close the file; a mapping of it stays."""


OpenScratch = Callable[[], ScratchFile]
"""Opens an empty file for writing and reading, which nobody else sees."""


class Scratch:
    """An image that grows until it is read.

    Used in a `with` block, at whose end the file is closed; the image stays. A file that can't be
    closed is a StoreError, unless the block ends with another error.

    Args:
        open_file: opens the file for the first bytes; None keeps the image in memory.
    """

    def __init__(self, open_file: OpenScratch | None = None) -> None:
        self._open_file = open_file
        self._file: ScratchFile | None = None
        self._content = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            # A file that could not be written fails once more when it is closed.
            if kind is None:
                raise _unkept(error) from error

    def append(self, content: bytes | memoryview) -> None:
        """Put bytes behind those that are there.

        Raises:
            StoreError: the file can't be opened or written.
        """
        if self._open_file is None:
            self._content += content
            return
        if not content:
            return
        try:
            if self._file is None:
                self._file = self._open_file()
            self._file.write(content)
        except OSError as error:
            raise _unkept(error) from error

    def image(self) -> Buffer:
        """Return all bytes; nothing is appended any more.

        Raises:
            StoreError: the file can't be written or mapped.
        """
        if self._file is None:
            return self._content
        try:
            self._file.flush()
            return mmap(self._file.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError) as error:
            raise _unkept(error) from error


def _unkept(error: OSError | ValueError) -> StoreError:
    return StoreError(
        f"an unpacked image can't be kept ({getattr(error, 'strerror', None) or error})",
        value="scratch",
        todo="make room in the folder for temporary files",
    )
