"""A compressed stream inside an image."""

from dataclasses import dataclass

from roadworthy.delta.containers.recipe import Kind

__all__ = ["Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """`length` bytes at `offset`; those of metadata include the two bytes of their length."""

    offset: int
    length: int
    kind: Kind

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.length
