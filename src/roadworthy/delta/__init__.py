"""Delta: the smallest patch between two firmware images, applied in a bootloader's memory.

A patch is made once (`encode`) and applied as a stream (`Decoder`). The codec is C
(`csrc/`); the part that decodes has no malloc and no I/O, so the same files go into a
bootloader. Its format and its rules stand in `csrc/rw_format.h` and docs/delta.md.
"""

from roadworthy.delta.decoder import Decoder, decode
from roadworthy.delta.encoder import EncodeOptions, encode
from roadworthy.delta.errors import JournalError, PatchError, TargetMismatchError, WrongBaseError
from roadworthy.delta.header import (
    HEADER_SIZE_BYTES,
    Architecture,
    BackEnd,
    PatchHeader,
    RamClass,
    inspect,
)

__all__ = [
    "HEADER_SIZE_BYTES",
    "Architecture",
    "BackEnd",
    "Decoder",
    "EncodeOptions",
    "JournalError",
    "PatchError",
    "PatchHeader",
    "RamClass",
    "TargetMismatchError",
    "WrongBaseError",
    "decode",
    "encode",
    "inspect",
]
