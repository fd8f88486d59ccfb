"""From a base and a patch to the target ("Container", "Payload")."""

import hashlib

from tests.delta.second_decoder.coder import Coder
from tests.delta.second_decoder.container import HEADER_BYTES, read_header
from tests.delta.second_decoder.places import Places, read_covers, read_segments
from tests.delta.second_decoder.walk import FAST, Walk

STORED = 0


def decode(base: bytes, patch: bytes) -> bytes:
    header = read_header(patch)
    assert header.payload_length == len(patch) - HEADER_BYTES
    assert (len(base), hashlib.sha256(base).digest()) == (header.base_length, header.base_sha256)
    coder = Coder(patch[HEADER_BYTES:], header.slot_count, fast=header.back_end == FAST)
    if header.back_end == STORED:
        places = Places(([], []), [], 0)
    else:
        segments = read_segments(coder, 0), read_segments(coder, 1)
        places = Places(segments, read_covers(coder, header.cover_count), header.memo_bits)
    walk = Walk(header, base, coder, places)
    if header.primed:
        walk.prime()
    walk.started = True
    while len(walk.target) < header.target_length:
        if walk.target and len(walk.target) % header.step_bytes == 0:
            compare_hash(coder, walk.target)
        if header.back_end == STORED:
            walk.target.append(coder.raw(8))
        else:
            walk.step()
    assert hashlib.sha256(walk.target).digest() == header.target_sha256
    return bytes(walk.target)


def compare_hash(coder: Coder, target: bytearray) -> None:
    """Read and compare eight bytes of the SHA-256 of the target so far."""
    assert coder.raw(64).to_bytes(8, "big") == hashlib.sha256(target).digest()[:8]
