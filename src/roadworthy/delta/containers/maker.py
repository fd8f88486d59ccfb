"""Making a packed patch: a recipe, and a plain patch between the images that it unpacks."""

import hashlib
from dataclasses import dataclass, replace
from mmap import mmap
from typing import cast

from typing_extensions import Buffer

from roadworthy.base.ids import Sha256
from roadworthy.delta.containers.header import PackedHeader, write_header
from roadworthy.delta.containers.plan import plan
from roadworthy.delta.containers.recipe import Recipe, pack
from roadworthy.delta.containers.zstd import library_version
from roadworthy.delta.header import RamClass
from roadworthy.delta.maker import MakeOptions, make

__all__ = ["Packed", "make_packed"]

_MEMORY_SHARE = 12
_REPACKING_BYTES = 8_000_000
_INTERPRETER_BYTES = 28_000_000
_BESIDE_BYTES = 2_000_000
_SMALL_BYTES = 64_000_000
_MEMORY_BYTES_MIN = 6_000_000


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed patch.

    is_shortest: whether it is so much shorter than the new blocks it stands for that the plain
        patch need not be made to compare.
    """

    data: bytes
    header: PackedHeader
    is_shortest: bool


def make_packed(base: Buffer, target: Buffer, options: MakeOptions | None = None) -> Packed | None:
    """Return a patch that unpacks what is compressed in the images, None where that gains nothing.

    The same arguments always give the same patch.

    Args:
        base: the image that the receiving side has.
        target: the image that it shall have.
        options: how to make the plain patches; packed ones are for the largest RAM class and for
            a target with a place of its own only.

    Raises:
        PatchError: an unpacked image is longer than 1.75 GiB.
        StoreError: there is not enough memory, or a scratch file fails.
    """
    chosen = options or MakeOptions()
    if chosen.region_bytes is not None or chosen.ram_class is not RamClass.RAM_4M:
        return None
    base, target = _searchable(base), _searchable(target)
    zstd = library_version() > 0 if chosen.zstd is None else chosen.zstd
    found = plan(base, target, zstd=zstd, scratch=chosen.scratch)
    if found is None:
        return None
    recipe = make(b"", pack(found.recipe), replace(chosen, progress=None)).data
    memory_bytes = _memory_bytes(len(base))
    image = make(found.virtual_base, found.virtual_target, chosen, memory_bytes)
    header = PackedHeader(
        image.header.back_end,
        image.header.ram_class,
        image.header.architecture,
        image.header.step_bytes,
        len(base),
        len(target),
        len(recipe),
        len(image.data),
        _largest(found.recipe),
        image.header.cover_count,
        Sha256(hashlib.sha256(base).hexdigest()),
        Sha256(hashlib.sha256(target).hexdigest()),
    )
    data = write_header(header) + recipe + image.data
    return Packed(data, header, is_shortest=len(data) < found.block_bytes // 2)


def _memory_bytes(base_bytes: int) -> int:
    """Return what the plain patch may take, so that all takes twelve times the packed base.

    The interpreter counts for large images, and stands beside that for small ones. The least is
    what the models of the decoder take anyway, after the search.
    """
    whole = _MEMORY_SHARE * base_bytes
    return max(
        whole - _REPACKING_BYTES - _INTERPRETER_BYTES,
        min(whole - _BESIDE_BYTES, _SMALL_BYTES),
        _MEMORY_BYTES_MIN,
    )


def _searchable(data: Buffer) -> bytes:
    """Copy only what can't be searched: mapped files need not be in memory as a whole."""
    return cast("bytes", data) if isinstance(data, bytes | bytearray | mmap) else bytes(data)


def _largest(recipe: Recipe) -> int:
    lengths = (part.length for part in recipe.target if part.kind.is_packed)
    blocks = (part.content for part in recipe.base if part.kind.is_block)
    return max(*lengths, *blocks, 0, 0)
