"""What a patch says about itself in its first bytes (layout: csrc/rw_format.h)."""

from dataclasses import dataclass
from enum import IntEnum

from typing_extensions import Buffer

from roadworthy.delta import _codec
from roadworthy.delta.errors import error_of

__all__ = [
    "FORMAT_VERSION",
    "HEADER_BYTES_MAX",
    "Architecture",
    "BackEnd",
    "PatchHeader",
    "RamClass",
    "inspect",
]

FORMAT_VERSION = _codec.FORMAT_VERSION
HEADER_BYTES_MAX = _codec.HEADER_MAX
_IN_PLACE = 2


class BackEnd(IntEnum):
    """How the target's bytes are coded."""

    STORED = 0
    MIXING = 1
    FAST = 2


class RamClass(IntEnum):
    """The most memory that a decoder may use, beside reads of the base and writes."""

    RAM_60K = 0
    RAM_240K = 1
    RAM_4M = 2

    @property
    def size_bytes(self) -> int:
        """Size of the workspace."""
        return (60 << 10, 240 << 10, 4 << 20)[self]


class Architecture(IntEnum):
    """Instruction set whose branches and addresses are predicted."""

    NONE = 0
    THUMB = 1
    ARM = 2
    AARCH64 = 3
    RISCV = 4
    XTENSA = 5


@dataclass(frozen=True, slots=True)
class PatchHeader:
    """Header of a patch, its fields in range and not damaged.

    But where it names three bytes of each hash only, damage makes it name another base, and is
    found out by that alone.

    workspace_bytes: memory that the decoder takes, at most the size of `ram_class`.
    step_bytes: target bytes after which a hash is compared.
    header_length_bytes: the header alone; once it is fed, the base is checked.
    patch_length_bytes: the whole patch, header included.
    cover_count: runs of target bytes that come from one place of the base.
    in_place: whether the target may replace the base where it stands.
    shift_bytes: by how much the base must then be moved up first.
    base_sha256, target_sha256: as much of the images' hashes as the patch names, in hex: the first
        `hash_bytes` bytes.
    packed: whether it unpacks what is compressed in the images (`roadworthy.delta.containers`).
    """

    version: int
    back_end: BackEnd
    ram_class: RamClass
    architecture: Architecture
    step_bytes: int
    base_length_bytes: int
    target_length_bytes: int
    header_length_bytes: int
    patch_length_bytes: int
    cover_count: int
    in_place: bool
    shift_bytes: int
    workspace_bytes: int
    base_sha256: str
    target_sha256: str
    packed: bool = False

    @property
    def hash_bytes(self) -> int:
        """How many bytes of each SHA-256 the patch names: 3 or 8 if it is short, else all 32."""
        return len(self.base_sha256) // 2

    def makes(self, sha256: str) -> bool:
        """Return whether an image with this SHA-256, in hex, is the target, so far as is named."""
        return sha256.startswith(self.target_sha256)


def inspect(data: Buffer) -> PatchHeader:
    """Read the header of a patch; `data` may be the whole patch or its first `HEADER_BYTES_MAX`.

    Raises:
        PatchError: `data` is not the start of a patch that this decoder knows.
    """
    try:
        fields = _codec.header(data)
    except _codec.CodecError as error:
        raise error_of(error.args[0]) from None
    version, back_end, ram_class, architecture, step_bits, flags, shift = fields[:7]
    base, target, size, length, covers, workspace, base_sha256, target_sha256 = fields[7:]
    return PatchHeader(
        version=version,
        back_end=BackEnd(back_end),
        ram_class=RamClass(ram_class),
        architecture=Architecture(architecture),
        step_bytes=1 << step_bits,
        base_length_bytes=base,
        target_length_bytes=target,
        header_length_bytes=size,
        patch_length_bytes=length,
        cover_count=covers,
        in_place=bool(flags & _IN_PLACE),
        shift_bytes=shift,
        workspace_bytes=workspace,
        base_sha256=base_sha256.hex(),
        target_sha256=target_sha256.hex(),
    )
