"""The header of a patch (docs/delta-format.md, "Container")."""

import hashlib
from dataclasses import dataclass

HASH_BYTES = (32, 8, 3)
TINY_BYTES = 3
STORED, MIXING, FAST = 0, 1, 2
MEMO_BITS = (9, 12, 16)
WINDOW_BITS = ((11, 14, 18), (12, 16, 20))  # with mixing, with fast
INDEX_BITS = (9, 12, 17)
SLOT_BITS = (12, 14, 19)


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


@dataclass(frozen=True)
class Sizes:
    step_bits: int
    window_bits: int
    index_bits: int
    memo_bits: int
    slot_count: int


def usual_sizes(
    back_end: int,
    ram_class: int,
    base_length: int,
    target_length: int,
    *,
    code: bool,
    in_place: bool,
) -> Sizes:
    step_bits = 16 if in_place else 22
    if back_end == STORED:
        return Sizes(step_bits, 0, 0, 0, 16)
    fast = back_end == FAST
    slots = min(target_length * (16 if fast else 64) + 16384, 1 << SLOT_BITS[ram_class])
    return Sizes(
        step_bits,
        min((target_length + 64).bit_length(), WINDOW_BITS[fast][ram_class]),
        0 if fast else min((target_length + base_length + 64).bit_length(), INDEX_BITS[ram_class]),
        min((target_length // 16 + 64).bit_length(), MEMO_BITS[ram_class]) if code else 0,
        slots - slots % 16,
    )


def read_sizes(reader: Reader, *, code: bool) -> Sizes:
    return Sizes(
        reader.byte() + 12,
        reader.byte(),
        reader.byte(),
        reader.byte() if code else 0,
        reader.number() * 16,
    )


def read_difference(reader: Reader) -> int:
    folded = reader.number()
    assert folded > 0
    return ~(folded >> 1) if folded & 1 else folded >> 1


def read_base_hash(reader: Reader, hash_bytes: int) -> bytes:
    """Read the base's hash, and what checks the header."""
    mask = hashlib.sha256(reader.patch[: reader.at]).digest()
    base_hash = reader.take(hash_bytes)
    if hash_bytes == TINY_BYTES:
        return bytes(a ^ b for a, b in zip(base_hash, mask, strict=False))
    check = hashlib.sha256(reader.patch[: reader.at]).digest()[:4]
    assert reader.take(4) == check
    return base_hash


def read_header(patch: bytes) -> Header:
    reader = Reader(patch)
    assert reader.take(2) == b"RW"
    kind, code = reader.take(2)
    assert kind & 15 == 5
    back_end, ram_class, instruction_set = kind >> 4 & 3, kind >> 6, code & 7
    in_place = bool(code & 128)
    hash_bytes = HASH_BYTES[code >> 4 & 3]
    base_length = reader.number()
    covers = reader.number()
    difference = read_difference(reader) if covers & 1 else 0
    target_length = base_length + difference & 0xFFFFFFFF
    payload_length = reader.number()
    is_code = instruction_set > 0
    usual = usual_sizes(
        back_end, ram_class, base_length, target_length, code=is_code, in_place=in_place
    )
    sizes = usual if code & 8 else read_sizes(reader, code=is_code)
    assert code & 8 or sizes != usual
    header = Header(
        back_end=back_end,
        ram_class=ram_class,
        instruction_set=instruction_set,
        step_bytes=1 << sizes.step_bits,
        primed=bool(code & 64),
        in_place=in_place,
        memo_bits=sizes.memo_bits,
        window_bits=sizes.window_bits,
        index_bits=sizes.index_bits,
        base_length=base_length,
        target_length=target_length,
        payload_length=payload_length,
        cover_count=covers >> 1,
        slot_count=sizes.slot_count,
        shift=reader.number() if in_place else 0,
        target_hash=reader.take(hash_bytes),
        base_hash=read_base_hash(reader, hash_bytes),
        length=reader.at,
    )
    assert header.back_end == MIXING or not (header.primed or header.index_bits)
    return header
