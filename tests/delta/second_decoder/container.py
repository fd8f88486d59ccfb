"""The header of a patch (docs/delta-format.md, "Container")."""

import hashlib
from dataclasses import dataclass

HEADER_BYTES = 108


@dataclass(frozen=True)
class Header:
    back_end: int
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
    base_sha256: bytes
    target_sha256: bytes


def read_header(patch: bytes) -> Header:
    head = patch[:HEADER_BYTES]
    assert head[:5] == b"RWDP\x01"
    assert head[104:] == hashlib.sha256(head[:104]).digest()[:4]
    words = [int.from_bytes(head[at : at + 4], "little") for at in range(16, 40, 4)]
    return Header(
        back_end=head[5],
        instruction_set=head[7],
        step_bytes=1 << head[8],
        primed=bool(head[9] & 1),
        in_place=bool(head[9] & 2),
        memo_bits=head[10],
        window_bits=head[11],
        index_bits=head[12],
        base_length=words[0],
        target_length=words[1],
        payload_length=words[2],
        cover_count=words[3],
        slot_count=words[4],
        shift=words[5],
        base_sha256=head[40:72],
        target_sha256=head[72:104],
    )
