"""Making a patch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from typing_extensions import Buffer

from roadworthy.base.errors import InputError
from roadworthy.delta import _codec
from roadworthy.delta.errors import error_of
from roadworthy.delta.header import Architecture, BackEnd, PatchHeader, RamClass, inspect
from roadworthy.delta.mapped import forget, is_mapped_file
from roadworthy.delta.scratch import OpenScratch

__all__ = ["MakeOptions", "Patch", "make"]

_AUTO = 255
_STEP_BYTES_MIN = 1 << 12
_STEP_BYTES_MAX = 1 << 24


@dataclass(frozen=True, slots=True)
class MakeOptions:
    """How to make a patch.

    ram_class: the most memory that the receiving side has.
    back_end: MIXING makes the smallest patches; FAST ones are a tenth to a third longer and
        take a small part of the time to apply. In RAM classes below 4 MiB they may be the shorter
        ones; None takes the shorter.
    architecture: instruction set; None finds it from the images.
    step_bytes: target bytes between hashes, a power of two from 4 KiB to 16 MiB; None takes
        64 KiB where the target is replaced in place, and else from 64 KiB to 4 MiB, so that an
        image has about 128 steps at most and hashes take about 1 % of the patch at most.
    region_bytes: size of the one slot in which the target replaces the base in place; the base
        is moved to its end first, by a multiple of the step size, which should therefore be a
        multiple of the size of an erase sector. None for a target with a place of its own.
    zstd: whether the receiving side has the Zstandard library in the version that is installed
        here; else changed Zstandard blocks of a squashfs image are not unpacked. None counts on
        it wherever the library is installed here.
    scratch: opens a file for each unpacked image, such as `tempfile.TemporaryFile`, so that it need
        not stay in memory; None keeps it there.
    progress: called now and then with the share that is done, in thousandths.
    """

    ram_class: RamClass = RamClass.RAM_4M
    back_end: BackEnd | None = None
    architecture: Architecture | None = None
    step_bytes: int | None = None
    region_bytes: int | None = None
    zstd: bool | None = None
    scratch: OpenScratch | None = None
    progress: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        """Refuse a step size that the format can't say.

        Raises:
            InputError: the step size is not a power of two from 4 KiB to 16 MiB.
        """
        size = _STEP_BYTES_MIN if self.step_bytes is None else self.step_bytes
        if size & (size - 1) != 0 or not _STEP_BYTES_MIN <= size <= _STEP_BYTES_MAX:
            raise InputError(
                "is not a step size",
                value="step_bytes",
                todo="give a power of two from 4096 to 16777216",
            )


@dataclass(frozen=True, slots=True)
class Patch:
    """What turns one image into another.

    data: the patch as it is sent, header included.
    header: what its first bytes say.
    """

    data: bytes
    header: PatchHeader


def make(
    base: Buffer, target: Buffer, options: MakeOptions | None = None, memory_bytes: int = 0
) -> Patch:
    """Return the plain patch; its errors and other arguments are those of `roadworthy.delta.make`.

    Up to 64 MiB the work takes about eight times the base in memory; above, what is equal is left
    out first and the rest is matched in parts, within 400 MB beside the images. Images that are
    read-only mapped files are let go of as the work goes on, so they hardly count.

    Args:
        base: the image that the receiving side has.
        target: the image that it shall have.
        options: how to make the patch.
        memory_bytes: what the search for equal bytes may take, pages of mapped images included and
            the images themselves, where they are not mapped, not; 0 for no limit. Less than one and
            a half times the base and some MB is not kept to. The patch depends on it.
    """
    chosen = options or MakeOptions()
    told = chosen.progress
    if any(is_mapped_file(image) for image in (base, target)):
        told = partial(_forget_pages, (base, target), told)
    back_end = _AUTO if chosen.back_end is None else chosen.back_end
    architecture = _AUTO if chosen.architecture is None else chosen.architecture
    try:
        data = _codec.encode(
            base,
            target,
            (
                back_end,
                chosen.ram_class,
                architecture,
                0 if chosen.step_bytes is None else chosen.step_bytes.bit_length() - 1,
                chosen.region_bytes or 0,
                memory_bytes,
            ),
            told,
        )
    except _codec.CodecError as error:
        raise error_of(error.args[0]) from None
    return Patch(data, inspect(data))


def _forget_pages(
    images: tuple[Buffer, ...], told: Callable[[int], None] | None, permille: int
) -> None:
    """Drop what was read of mapped files, and pass the progress on."""
    for image in images:
        forget(image)
    if told is not None:
        told(permille)
