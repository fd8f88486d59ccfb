"""Compressed containers inside images: unpacked for the patch, packed again bit by bit.

A changed file in a squashfs or a gzip archive changes every compressed byte after it, so a patch
between the images as they are is about as long as the new streams. A packed patch unpacks the
streams that changed in both images, holds a plain patch between the results, and a recipe by
which the receiving side packs them again exactly. The format stands in docs/delta-containers.md.
"""

from roadworthy.delta.containers.decoder import JOURNAL_MAGIC, PackedDecoder
from roadworthy.delta.containers.header import (
    MAGIC,
    PACKED_FORMAT_VERSION,
    PACKED_HEADER_SIZE_BYTES,
    PackedHeader,
    inspect_packed,
)
from roadworthy.delta.containers.maker import Packed, make_packed

__all__ = [
    "JOURNAL_MAGIC",
    "MAGIC",
    "PACKED_FORMAT_VERSION",
    "PACKED_HEADER_SIZE_BYTES",
    "Packed",
    "PackedDecoder",
    "PackedHeader",
    "inspect_packed",
    "make_packed",
]
