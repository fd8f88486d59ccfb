"""Where content stands in a virtual image: code is put where its addresses fit.

The plain patch predicts instructions, which stand at multiples of 2 or 4, and page addresses,
which count from multiples of 4096. Code of a stream is meant for an address of its own, so its
content begins on a page; bytes of the image itself keep their place in the page. The bytes that
are skipped for it are zero and stand in the recipe as gaps. The head of an image that is one gzip
file stands in the recipe, so that the content is at 0, where an ELF header is looked for and
addresses may count from. Only makers know these rules.
"""

from roadworthy.delta.containers.pieces import Piece
from roadworthy.delta.containers.recipe import GAP_BYTES_MAX, Kind
from roadworthy.delta.scratch import Scratch

__all__ = ["VirtualImage", "is_head"]

_PAGE_BYTES = GAP_BYTES_MAX + 1
_HEAD_BYTES_MAX = 64


def is_head(before: Piece | None, after: Piece | None) -> bool:
    """Whether what stands between two pieces is the head of a gzip file that is the image."""
    if before is not None or after is None:
        return False
    return after.kind is Kind.DEFLATE and after.offset <= _HEAD_BYTES_MAX


class VirtualImage:
    """A virtual image that grows; what is shorter than a page follows without a gap.

    Args:
        content: where its bytes are kept.
    """

    def __init__(self, content: Scratch) -> None:
        self._content = content
        self._length_bytes = 0

    def append(self, content: bytes | memoryview) -> None:
        """Put bytes behind those that are there.

        Raises:
            StoreError: the scratch file can't be opened or written.
        """
        self._content.append(content)
        self._length_bytes += len(content)

    def stream_gap(self, content_bytes: int) -> int:
        """Skip to where a stream's content of so many bytes begins; returns the bytes skipped."""
        return self._skip_to(0) if content_bytes >= _PAGE_BYTES else 0

    def raw_gap(self, offset: int, length_bytes: int, after: Kind | None) -> int:
        """Skip to where bytes of the image at `offset` begin; returns the bytes skipped.

        Args:
            offset: where they stand in the image.
            length_bytes: how many they are.
            after: kind of the stream before them. What follows a data block of a squashfs is
                mostly a block that did not shrink, whose offset means nothing.
        """
        is_block = after is not None and after.is_block and not after.is_metadata
        return 0 if is_block or length_bytes < _PAGE_BYTES else self._skip_to(offset)

    def _skip_to(self, place: int) -> int:
        gap_bytes = (place - self._length_bytes) % _PAGE_BYTES
        self.append(bytes(gap_bytes))
        return gap_bytes
