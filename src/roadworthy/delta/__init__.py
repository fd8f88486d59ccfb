"""Delta: the smallest patch between two firmware images, applied in a bootloader's memory.

A patch is made once (`make`) and applied as a stream (`apply`, or `Decoder` where the power may
fail on the way). The codec is C (`csrc/`); the part that decodes has no malloc and no I/O, so
the same files go into a bootloader. Its format and its rules stand in `csrc/rw_format.h` and
docs/delta.md.
"""

from roadworthy.delta.errors import JournalError, PatchError, TargetMismatchError, WrongBaseError
from roadworthy.delta.header import Architecture, BackEnd, PatchHeader, RamClass
from roadworthy.delta.maker import MakeOptions, Patch
from roadworthy.delta.patch_decoder import ReadBase
from roadworthy.delta.patching import HEADER_BYTES_MAX, PATCH_FORMAT, Decoder, apply, inspect, make

__all__ = [
    "HEADER_BYTES_MAX",
    "PATCH_FORMAT",
    "Architecture",
    "BackEnd",
    "Decoder",
    "JournalError",
    "MakeOptions",
    "Patch",
    "PatchError",
    "PatchHeader",
    "RamClass",
    "ReadBase",
    "TargetMismatchError",
    "WrongBaseError",
    "apply",
    "inspect",
    "make",
]
