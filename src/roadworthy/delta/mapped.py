"""Images that are mapped files: what was read of them need not stay in memory."""

from mmap import MADV_DONTNEED, mmap

from typing_extensions import Buffer

__all__ = ["find", "forget", "is_mapped_file"]

_WINDOW_BYTES = 1 << 24


def is_mapped_file(image: Buffer) -> bool:
    """Whether pages of the image may be dropped, because the file still has them."""
    return isinstance(image, mmap) and memoryview(image).readonly


def forget(image: Buffer) -> None:
    """Drop what was read of a mapped file; anything else stays as it is."""
    if isinstance(image, mmap) and is_mapped_file(image):
        image.madvise(MADV_DONTNEED)


def find(image: bytes, wanted: bytes, start: int, end: int) -> int:
    """Return where `wanted` is in image[start:end], or -1; a mapped file is let go of meanwhile."""
    found = -1
    while found < 0 and start < end:
        window = start // _WINDOW_BYTES
        stop = (window + 1) * _WINDOW_BYTES
        found = image.find(wanted, start, min(end, stop + len(wanted) - 1))
        start = stop
        if found < 0 or found // _WINDOW_BYTES > window:
            forget(image)
    return found
