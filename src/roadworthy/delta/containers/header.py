"""What a packed patch says about itself in its first bytes.

    offset size field
         0    4 magic "RWDC"
         4    1 format version (1)
         5    1 back end of the image patch
         6    1 RAM class of both patches
         7    1 instruction set of the image patch
         8    1 log2 of the step size of the image patch
         9    3 zero
        12    4 length of the base
        16    4 length of the target
        20    4 length of the recipe patch, which follows the header
        24    4 length of the image patch, which follows the recipe patch
        28    4 content of the largest stream that is packed at once
        32    4 number of covers of the image patch
        36   32 SHA-256 of the base
        68   32 SHA-256 of the target
       100    8 first eight bytes of the SHA-256 of bytes 0..99
       108      recipe patch, then image patch

All numbers are little-endian.
"""

import hashlib
import struct
from dataclasses import dataclass

from typing_extensions import Buffer

from roadworthy.base.ids import Sha256
from roadworthy.delta.containers.recipe import SEGMENT_BYTES_MAX
from roadworthy.delta.errors import PatchError
from roadworthy.delta.header import Architecture, BackEnd, PatchHeader, RamClass

__all__ = [
    "MAGIC",
    "PACKED_FORMAT_VERSION",
    "PACKED_HEADER_SIZE_BYTES",
    "PackedHeader",
    "inspect_packed",
    "write_header",
]

MAGIC = b"RWDC"
PACKED_FORMAT_VERSION = 1
_FIELDS = struct.Struct("<4sBBBBB3sIIIIII32s32s")
_CHECK_BYTES = 8
_STEP_BITS = range(12, 25)
_UNPACKING_BYTES = 12 << 20
_STREAM_COPIES = 3
PACKED_HEADER_SIZE_BYTES = _FIELDS.size + _CHECK_BYTES


@dataclass(frozen=True, slots=True)
class PackedHeader:
    """Header of a packed patch; all of it was checked.

    back_end, ram_class, architecture, step_bytes, cover_count: those of the image patch.
    recipe_length_bytes, image_length_bytes: the two patches that it holds.
    stream_bytes_max: content of the largest stream that is packed at once.
    """

    back_end: BackEnd
    ram_class: RamClass
    architecture: Architecture
    step_bytes: int
    base_length_bytes: int
    target_length_bytes: int
    recipe_length_bytes: int
    image_length_bytes: int
    stream_bytes_max: int
    cover_count: int
    base_sha256: Sha256
    target_sha256: Sha256

    @property
    def patch_length_bytes(self) -> int:
        """Length of the whole patch."""
        return PACKED_HEADER_SIZE_BYTES + self.recipe_length_bytes + self.image_length_bytes

    @property
    def workspace_bytes(self) -> int:
        """Memory that a decoder takes, beside the recipe."""
        streams = _STREAM_COPIES * self.stream_bytes_max
        return self.ram_class.size_bytes + streams + _UNPACKING_BYTES

    @property
    def summary(self) -> PatchHeader:
        """The same in the words of a plain patch."""
        return PatchHeader(
            version=PACKED_FORMAT_VERSION,
            back_end=self.back_end,
            ram_class=self.ram_class,
            architecture=self.architecture,
            step_bytes=self.step_bytes,
            base_length_bytes=self.base_length_bytes,
            target_length_bytes=self.target_length_bytes,
            header_length_bytes=PACKED_HEADER_SIZE_BYTES,
            patch_length_bytes=self.patch_length_bytes,
            cover_count=self.cover_count,
            in_place=False,
            shift_bytes=0,
            workspace_bytes=self.workspace_bytes,
            base_sha256=self.base_sha256,
            target_sha256=self.target_sha256,
            packed=True,
        )


def write_header(header: PackedHeader) -> bytes:
    """Return the header as bytes."""
    fields = _FIELDS.pack(
        MAGIC,
        PACKED_FORMAT_VERSION,
        header.back_end,
        header.ram_class,
        header.architecture,
        header.step_bytes.bit_length() - 1,
        b"",
        header.base_length_bytes,
        header.target_length_bytes,
        header.recipe_length_bytes,
        header.image_length_bytes,
        header.stream_bytes_max,
        header.cover_count,
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
    _, version, *kinds, step_bits, zeros = _FIELDS.unpack(fields)[:7]
    base, target, recipe, image, largest, covers, *hashes = _FIELDS.unpack(fields)[7:]
    known = version == PACKED_FORMAT_VERSION and not any(zeros) and step_bits in _STEP_BITS
    if not known or not _known(kinds) or largest > SEGMENT_BYTES_MAX:
        raise PatchError(
            "needs a format version or size that this decoder does not know",
            value="patch",
            todo="make the patch with the version of the receiving side",
        )
    back_end, ram_class, architecture = kinds
    base_sha256, target_sha256 = (Sha256(each.hex()) for each in hashes)
    return PackedHeader(
        BackEnd(back_end),
        RamClass(ram_class),
        Architecture(architecture),
        1 << step_bits,
        base,
        target,
        recipe,
        image,
        largest,
        covers,
        base_sha256,
        target_sha256,
    )


def _known(kinds: list[int]) -> bool:
    enumerations = (BackEnd, RamClass, Architecture)
    return all(kind in set(names) for kind, names in zip(kinds, enumerations, strict=True))
