"""A compressed stream inside an image."""

from dataclasses import dataclass

from roadworthy.delta.containers.recipe import Kind

__all__ = ["Piece"]

_METADATA_HEAD_BYTES = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """`length` bytes at `offset`; those of metadata include the two bytes of their length."""

    offset: int
    length: int
    kind: Kind

    @property
    def body(self) -> int:
        """Offset of the stream itself."""
        return self.offset + (_METADATA_HEAD_BYTES if self.kind.is_metadata else 0)

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.length
