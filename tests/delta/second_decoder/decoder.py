"""From a base and a patch to the target ("Container", "Payload")."""

import hashlib

from tests.delta.second_decoder.coder import Coder
from tests.delta.second_decoder.container import read_header
from tests.delta.second_decoder.fast import FastWalk
from tests.delta.second_decoder.places import Places, read_covers, read_segments
from tests.delta.second_decoder.seals import Seal, read_seals, with_seals
from tests.delta.second_decoder.walk import Walk

STORED, FAST = 0, 2
LARGEST_CLASS = 2


def decode(base: bytes, patch: bytes) -> bytes:
    header = read_header(patch)
    assert header.payload_length == len(patch) - header.length
    assert len(base) == header.base_length
    assert starts_hash(header.base_hash, base)
    coder = Coder(
        patch[header.length :],
        header.slot_count,
        fast=header.back_end == FAST,
        wide=header.ram_class == LARGEST_CLASS,
    )
    seals: list[Seal] = []
    if header.back_end == STORED:
        places = Places(([], []), [], 0)
    else:
        seals = read_seals(coder, header.target_length)
        has_code = header.instruction_set > 0
        segments = [read_segments(coder, side) if has_code else [] for side in range(2)]
        places = Places(
            (segments[0], segments[1]),
            read_covers(coder, header.cover_count, header.target_length),
            header.memo_bits,
        )
    walk: Walk | FastWalk
    if header.back_end == FAST:
        walk = FastWalk(header, base, coder, places)
    else:
        walk = Walk(header, base, coder, places)
        if header.primed:
            walk.prime()
    walk.started = True
    while len(walk.target) < header.target_length:
        if walk.target and len(walk.target) % header.step_bytes == 0:
            compare_hash(coder, with_seals(walk.target, seals))
        if header.back_end == STORED:
            walk.target.append(coder.raw(8))
        else:
            walk.step()
    target = with_seals(walk.target, seals)
    assert starts_hash(header.target_hash, target)
    return target


def starts_hash(named: bytes, image: bytes) -> bool:
    return hashlib.sha256(image).digest().startswith(named)


def compare_hash(coder: Coder, target: bytes) -> None:
    """Read and compare eight bytes of the SHA-256 of the target so far."""
    assert coder.raw(64).to_bytes(8, "big") == hashlib.sha256(target).digest()[:8]
