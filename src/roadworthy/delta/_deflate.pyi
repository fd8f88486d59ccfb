from typing import TypeAlias

class DeflateError(ValueError): ...

_Rule: TypeAlias = tuple[int, int, int, int, int, int, int, int, int]

def unpack(
    data: bytes | memoryview, bit: int, window: bytes, stop: int, most: int, /
) -> tuple[bytes, int, bool]: ...
def describe(
    data: bytes | memoryview,
    bit: int,
    bit_end: int,
    window: bytes,
    content: bytes,
    rule: _Rule,
    last: bool,
    /,
) -> bytes: ...
def rebuild(
    content: bytes | memoryview,
    window: bytes,
    rule: _Rule,
    corrections: bytes,
    last: bool,
    hold: int,
    held: int,
    /,
) -> tuple[bytes, int, int]: ...
def sha256_begin() -> bytes: ...
def sha256_update(state: bytes, data: bytes, /) -> bytes: ...
def sha256_digest(state: bytes, /) -> bytes: ...
