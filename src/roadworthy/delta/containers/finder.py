"""All compressed streams of an image: squashfs first, then gzip members in what is left.

Files that are gzip files themselves are stored as they are in squashfs, so its gaps count as left.
"""

from collections.abc import Iterator

from roadworthy.delta.containers.gzip_members import find_members
from roadworthy.delta.containers.pieces import Piece
from roadworthy.delta.containers.squashfs import MAGIC, Squashfs, find_blocks, open_squashfs
from roadworthy.delta.mapped import find

__all__ = ["find_pieces"]


def find_pieces(data: bytes) -> list[Piece]:
    """Return the compressed streams of an image, in order and without overlap."""
    pieces: list[Piece] = []
    at = 0
    for image in _squashfs_images(data):
        for block in find_blocks(data, image):
            pieces += find_members(data, at, block.offset)
            pieces.append(block)
            at = block.offset + block.length
    pieces += find_members(data, at, len(data))
    return pieces


def _squashfs_images(data: bytes) -> Iterator[Squashfs]:
    at = find(data, MAGIC, 0, len(data))
    while at >= 0:
        image = open_squashfs(data, at)
        if image:
            yield image
        at = find(data, MAGIC, at + (image.length if image else 1), len(data))
