"""The header of a patch (docs/delta-format.md, "Container")."""

import hashlib
from dataclasses import dataclass

HALF_HASH_BYTES, SHORT_HASH_BYTES, WHOLE_HASH_BYTES = 4, 8, 32
HALF = 32
MIXING = 1


@dataclass(frozen=True)
class Header:
    back_end: int
    ram_class: int
    instruction_set: int
    step_bytes: int
    primed: bool
    in_place: bool
    memo_bits: int
    window_bits: int
    index_bits: int
    base_length: int
    target_length: int
    payload_length: int
    cover_count: int
    slot_count: int
    shift: int
    base_hash: bytes
    target_hash: bytes
    length: int


class Reader:
    """The bytes of a patch from its start on."""

    def __init__(self, patch: bytes) -> None:
        self.patch = patch
        self.at = 0

    def take(self, count: int) -> bytes:
        taken = self.patch[self.at : self.at + count]
        assert len(taken) == count
        self.at += count
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
        assert value < 1 << 32
        assert byte > 0 or shift == 0, "longer than it need be"
        return value


def read_header(patch: bytes) -> Header:
    reader = Reader(patch)
    assert reader.take(2) == b"RW"
    kind, code, window, index = reader.take(4)
    assert kind & 15 == 1
    instruction_set = code & 15
    in_place = bool(window & 64)
    hash_bytes = SHORT_HASH_BYTES if window & 128 else WHOLE_HASH_BYTES
    if index & HALF:
        assert hash_bytes == SHORT_HASH_BYTES
        hash_bytes = HALF_HASH_BYTES
    memo_bits = reader.byte() if instruction_set else 0
    base_length = reader.number()
    difference = reader.number()
    difference = ~(difference >> 1) if difference & 1 else difference >> 1
    header = Header(
        back_end=kind >> 4 & 3,
        ram_class=kind >> 6,
        instruction_set=instruction_set,
        step_bytes=1 << 12 + (code >> 4),
        primed=bool(window & 32),
        in_place=in_place,
        memo_bits=memo_bits,
        window_bits=window & 31,
        index_bits=index & ~HALF,
        base_length=base_length,
        target_length=base_length + difference & 0xFFFFFFFF,
        payload_length=reader.number(),
        cover_count=reader.number(),
        slot_count=reader.number() * 16,
        shift=reader.number() if in_place else 0,
        base_hash=reader.take(hash_bytes),
        target_hash=reader.take(hash_bytes),
        length=reader.at + 4,
    )
    assert header.back_end == MIXING or not (header.primed or header.index_bits)
    said = patch[: reader.at]
    assert reader.take(4) == hashlib.sha256(said).digest()[:4]
    return header
