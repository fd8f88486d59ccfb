"""Decisions about bytes, and where the latest ones stood before ("Literals", "History")."""

from tests.delta.second_decoder.coder import U32, Coder, Input, hash_of
from tests.delta.second_decoder.container import Header
from tests.delta.second_decoder.contexts import (
    NOTHING,
    ONLY_RUNS,
    RUNS_BESIDE,
    RUNS_IF_SMALL,
    Latest,
    Scene,
    contexts_of,
    sets_of,
)
from tests.delta.second_decoder.cursor import Cursor
from tests.delta.second_decoder.drift import Drift
from tests.delta.second_decoder.places import Places

LARGEST_CLASS = 2
DRIFT = 8  # number of the context that it takes the place of


def bucket(n: int) -> int:
    if n < 4:
        return n
    log2 = n.bit_length() - 1
    return 2 * log2 + (n >> log2 - 1 & 1) if n < 256 else 17


class Decisions(Cursor):
    def __init__(self, header: Header, base: bytes, coder: Coder, places: Places) -> None:
        super().__init__(header, base, coder, places)
        self.difference = 0
        self.drift = Drift()
        self.miss_distance = self.miss_distance_last = 0
        self.index: dict[int, int] = {}
        self.match_at = self.match_length = 0

    # What was seen before.

    def history(self, place: int) -> int:
        if place < len(self.base):
            return self.base_byte(place)
        return self.window[(place - len(self.base)) % len(self.window)]

    def expect(self, ahead: int = 0) -> tuple[int, int]:
        n = self.match_length
        if n == 0:
            return NOTHING, 0
        confidence = 1 + n // 4 if n < 16 else 5 if n < 32 else 6 if n < 64 else 7
        return self.history(self.match_at + ahead), confidence

    def follow(self, byte: int, here: int) -> None:
        if self.header.index_bits > 0:
            same = self.match_length > 0 and self.history(self.match_at) == byte
            self.follow_unit(1, here, same=same)

    def follow_unit(self, length: int, here: int, *, same: bool) -> None:
        if self.header.index_bits == 0:
            return
        if self.match_length > 0 and same:
            self.match_length = min(255, self.match_length + length)
            self.match_at += length
        else:
            self.match_length = 0
        if here < 6:
            return
        place = hash_of(self.order & U32, self.order >> 32 & 0xFF) >> 32 - self.header.index_bits
        if self.match_length == 0 and place in self.index:
            self.match_at = self.index[place]
            self.match_length = 1
        in_target = self.match_at >= len(self.base)
        if self.match_length > 0 and in_target and here - self.match_at >= len(self.window) - 1:
            self.match_length = 0
        self.index[place] = here

    # Decisions.

    def flag(self, scene: Scene, group: int) -> int:
        s, f, p, o = scene, self.flags & U32, scene.predicted, self.order & U32
        tag = group << 7 | (1 - s.covered) << 6 | s.tag
        agree = 0
        if s.expected != NOTHING:
            agree = s.confidence + (0 if s.expected == p else 8)
        known, trust = self.predictor.last_class, self.predictor.trust
        contexts = [
            hash_of(0x10, tag << 8 | f & 255),
            hash_of(0x18, agree << 8 | tag | (f & 3) << 16 | self.drift.carry << 18),
            hash_of(0x1A + 256 * known, tag << 8 | (f & 15) << 4 | trust[known] + 16 >> 2),
        ]
        distances = bucket(self.miss_distance) << 16 | bucket(self.miss_distance_last) << 8
        contexts += [
            hash_of(0x11 + 16 * s.lane + 64 * (f & 15), s.word),
            hash_of(0x12 + (o & 0xFF00), p << 16 | s.around & 0xFF00 | o & 255),
            hash_of(0x13, p << 16 | o & 0xFFFF),
            hash_of(0x14, distances | tag),
            hash_of(0x15 + (f & 3), s.around ^ p << 24),
            hash_of(0x16, (self.difference << 16 | p << 8 | tag) & U32),
            hash_of(0x17, bucket(s.start) << 8 | tag | (f & 3) << 16),
            hash_of(0x19, f & 0xFFFF),
        ]
        first = 112 + (s.kind << 1 | f & 1) if group else s.kind << 3 | s.lane << 1 | f & 1
        second = 64 + (0 if agree == 0 else 16 if agree < 8 else 32) + (f & 15)
        hit = self.coder.mix(contexts, (first, second))
        self.flags = self.flags << 1 | hit
        return hit

    def literal(self, s: Scene, taught: int | None = None) -> int:
        if s.may_drift and self.drift.latest:
            expected = s.predicted + self.drift.latest & 255
            if self.drifted(s, expected):
                return expected
        return self.bits(s, taught)

    def drifted(self, s: Scene, expected: int) -> int:
        drift = self.drift
        agree = 0 if s.expected == NOTHING else 1 if s.expected == expected else 2
        contexts = [
            hash_of(0x38, drift.same & 15),
            hash_of(0x39, (drift.same & 255) << 8 | drift.here),
            hash_of(0x3A, drift.here << 8 | drift.latest),
            hash_of(0x3B, agree << 8 | s.confidence << 4 | drift.same & 3),
            hash_of(0x3C, s.predicted << 8 | drift.latest),
        ]
        same = self.coder.mix(contexts, (254, 255))
        drift.same = drift.same << 1 | same
        return same

    def bits(self, s: Scene, taught: int | None) -> int:
        latest = Latest(
            self.order, self.difference, self.flags, self.flow, self.header.instruction_set
        )
        contexts = contexts_of(latest, s)
        wide = self.header.ram_class == LARGEST_CLASS
        only = ONLY_RUNS if wide else ONLY_RUNS | RUNS_IF_SMALL
        if s.may_drift:
            only = only - {DRIFT}
        runs = {
            k: self.coder.run(hash_of(0x50, context))
            for k, context in enumerate(contexts)
            if k in only | RUNS_BESIDE
        }
        node = 1
        for done in range(8):
            inputs = []
            for k, context in enumerate(contexts):
                if s.may_drift and k == DRIFT:
                    hint = self.drift.hint(s.predicted, node, 7 - done)
                    inputs.append(Input(None, hint=hint))
                elif k not in only:
                    inputs.append(Input(self.coder.slot(hash_of(context, node))))
                if k in runs:
                    inputs.append(Input(None, hint=runs[k].hint(node, 7 - done)))
            inputs += self.coder.guesses(guesses_of(s, node, done))
            known = None if taught is None else taught >> 7 - done & 1
            sets = sets_of(latest, s, node, done)
            node = node << 1 | self.coder.mix_twice(inputs, sets, s.lane, known)
        for run in runs.values():
            run.keep(node & 255)
        return node & 255


def guesses_of(s: Scene, node: int, done: int) -> list[tuple[int, int]]:
    """Contexts and bits of the guesses that the bits so far agree with."""
    bit = 7 - done
    return [
        (hash_of(0x70 + k, guess.kind << 8 | bit), guess.byte >> bit & 1)
        for k, guess in enumerate(s.guesses)
        if guess is not None and done < guess.bits and (guess.byte | 256) >> bit + 1 == node
    ]
