"""What every decoder of patches does: bytes of a patch go in, bytes of the target come out.

`PlainDecoder` and `PackedDecoder` each decode one kind of patch, `roadworthy.delta.Decoder` takes
either. They differ in how they decode; how they are used is said here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from typing_extensions import Buffer

from roadworthy.delta.errors import PatchError
from roadworthy.delta.header import PatchHeader

__all__ = ["PatchDecoder", "Progress", "ReadBase"]

ReadBase = Callable[[int, int], bytes]
"""Returns exactly `length` bytes of the base at `offset`: called with (offset, length)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a decoder is.

    header: header of the patch, None until all of it was fed.
    patch_offset: patch bytes taken; after a resume feed from here on.
    target_offset: target bytes that came out; after a resume write from here on.
    steps: steps whose hash was compared.
    done: whether the target is whole and its SHA-256 was compared.
    """

    header: PatchHeader | None = None
    patch_offset: int = 0
    target_offset: int = 0
    steps: int = 0
    done: bool = False


class PatchDecoder(ABC):
    """One patch on its way.

    A decoder is made from the base, or from the base and what `journal()` gave before the power
    cut. The base is the bytes themselves or a function that reads them.
    """

    @abstractmethod
    def progress(self) -> Progress:
        """Return how far the decoder is; the properties give the same one by one."""

    @property
    def header(self) -> PatchHeader | None:
        """Header of the patch, None until all of it was fed."""
        return self.progress().header

    @property
    def patch_offset(self) -> int:
        """Patch bytes taken; after a resume feed from here on."""
        return self.progress().patch_offset

    @property
    def target_offset(self) -> int:
        """Target bytes that came out; after a resume write from here on."""
        return self.progress().target_offset

    @property
    def steps(self) -> int:
        """Steps whose hash was compared: a change is a good moment to journal."""
        return self.progress().steps

    @property
    def done(self) -> bool:
        """Whether the target is whole and its SHA-256 was compared."""
        return self.progress().done

    def feed(self, patch_chunk: Buffer) -> bytes:
        """Take the next patch bytes and return the target bytes they make.

        Raises:
            PatchError: the patch is malformed, goes on after its end, or needs a library or
                version that is not here.
            WrongBaseError: the base is not the one that the patch names.
            TargetMismatchError: what came out is not the target.
            StoreError: the base gave another number of bytes than asked for.
        """
        return b"".join(self.stream(patch_chunk))

    @abstractmethod
    def stream(self, patch_chunk: Buffer) -> Iterator[bytes]:
        """Like `feed`, in pieces of at most 64 KiB; those of a plain patch end where a step ends.

        A journal may be taken between pieces; `patch_offset` then counts only what was taken.
        """

    def finish(self) -> None:
        """Confirm that the target is whole.

        Raises:
            PatchError: the patch was cut short.
        """
        progress = self.progress()
        if not progress.done:
            raise PatchError(
                f"ends after {progress.patch_offset} bytes, before the target is whole",
                value="patch",
                todo="feed the rest of it",
            )

    @abstractmethod
    def journal(self) -> bytes:
        """Return the whole state, from which another decoder of the same class goes on."""
