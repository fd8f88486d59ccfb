"""Seals: what the target has of its own first bytes ("Seals")."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from tests.delta.second_decoder.coder import Coder

NO_OTHER = 64512
SEALS_MAX = 2
SHA256, CRC32_LITTLE, CRC32_BIG = range(3)


@dataclass(frozen=True)
class Seal:
    kind: int
    end: int
    at: int

    @property
    def after(self) -> int:
        return self.at + (32 if self.kind == SHA256 else 4)

    def of(self, target: bytes | bytearray) -> bytes:
        if self.kind == SHA256:
            return hashlib.sha256(target[: self.end]).digest()
        crc = zlib.crc32(target[: self.end])
        return crc.to_bytes(4, "little" if self.kind == CRC32_LITTLE else "big")


def read_seals(coder: Coder, target_length: int) -> list[Seal]:
    seals: list[Seal] = []
    after = 0
    while len(seals) < SEALS_MAX and not coder.decide(NO_OTHER):
        kind = coder.raw(2)
        assert kind in (SHA256, CRC32_LITTLE, CRC32_BIG)
        at = target_length - Seal(kind, 0, 0).after - coder.number(7, 3)
        seal = Seal(kind, at - coder.number(7, 4), at)
        assert after <= seal.end <= seal.at
        after = seal.after
        seals.append(seal)
    return seals


def with_seals(target: bytes | bytearray, seals: Sequence[Seal]) -> bytes:
    """Return the first bytes of the target, as given out, of what the walk has made."""
    whole = bytearray(target)
    for seal in seals:
        if seal.end <= len(whole):
            room = len(whole) - seal.at
            whole[seal.at : seal.after] = seal.of(whole)[: max(0, room)]
    return bytes(whole)
