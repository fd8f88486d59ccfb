"""What a packed patch says about itself in its first bytes.

    offset size field
         0    4 magic "RWDC"
         4    1 format version (1)
         5    3 zero
         8    8 length of the base
        16    8 length of the target
        24    4 length of the recipe patch, which follows the header
        28    4 length of the image patch, which follows the recipe patch
        32    4 content of the largest stream that is packed at once
        36    4 zero
        40   32 SHA-256 of the base
        72   32 SHA-256 of the target
       104    8 first eight bytes of the SHA-256 of bytes 0..103
       112      recipe patch, then image patch

All numbers are little-endian.
"""

import hashlib
import struct
from dataclasses import dataclass

from typing_extensions import Buffer

from roadworthy.base.ids import Sha256
from roadworthy.delta.containers.recipe import SEGMENT_BYTES_MAX
from roadworthy.delta.errors import PatchError

__all__ = ["MAGIC", "PACKED_HEADER_SIZE_BYTES", "PackedHeader", "inspect_packed", "write_header"]

MAGIC = b"RWDC"
_VERSION = 1
_FIELDS = struct.Struct("<4sB3sQQIIII32s32s")
_CHECK_BYTES = 8
_IMAGE_BYTES_MAX = 1 << 40
PACKED_HEADER_SIZE_BYTES = _FIELDS.size + _CHECK_BYTES


@dataclass(frozen=True, slots=True)
class PackedHeader:
    """Header of a packed patch; all of it was checked.

    recipe_length_bytes, image_length_bytes: the two patches that it holds.
    patch_length_bytes: the whole, header included.
    stream_bytes_max: content of the largest stream that is packed at once; a decoder takes
        about three times that beside the memory of the plain patches.
    """

    version: int
    base_length_bytes: int
    target_length_bytes: int
    recipe_length_bytes: int
    image_length_bytes: int
    stream_bytes_max: int
    base_sha256: Sha256
    target_sha256: Sha256

    @property
    def patch_length_bytes(self) -> int:
        """Length of the whole patch."""
        return PACKED_HEADER_SIZE_BYTES + self.recipe_length_bytes + self.image_length_bytes


def write_header(header: PackedHeader) -> bytes:
    """Return the header as bytes."""
    fields = _FIELDS.pack(
        MAGIC,
        header.version,
        b"\0\0\0",
        header.base_length_bytes,
        header.target_length_bytes,
        header.recipe_length_bytes,
        header.image_length_bytes,
        header.stream_bytes_max,
        0,
        bytes.fromhex(header.base_sha256),
        bytes.fromhex(header.target_sha256),
    )
    return fields + hashlib.sha256(fields).digest()[:_CHECK_BYTES]


def inspect_packed(data: Buffer) -> PackedHeader:
    """Read the header of a packed patch; `data` may be the whole patch or its first bytes.

    Raises:
        PatchError: `data` is not the start of a packed patch that this decoder knows.
    """
    head = bytes(memoryview(data).cast("B")[:PACKED_HEADER_SIZE_BYTES])
    fields, check = head[: _FIELDS.size], head[_FIELDS.size :]
    whole = len(check) == _CHECK_BYTES and fields.startswith(MAGIC)
    if not whole or hashlib.sha256(fields).digest()[:_CHECK_BYTES] != check:
        raise PatchError("is no packed patch, or is damaged", value="patch", todo="fetch it again")
    _, version, zeros, base, target, recipe, image, largest, zero, *hashes = _FIELDS.unpack(fields)
    known = version == _VERSION and not any(zeros) and not zero
    if not known or max(base, target) > _IMAGE_BYTES_MAX or largest > SEGMENT_BYTES_MAX:
        raise PatchError(
            "needs a format version or size that this decoder does not know",
            value="patch",
            todo="make the patch with the version of the receiving side",
        )
    base_sha256, target_sha256 = (Sha256(each.hex()) for each in hashes)
    return PackedHeader(version, base, target, recipe, image, largest, base_sha256, target_sha256)
