"""The walk of the fast back end ("The fast back end")."""

from dataclasses import dataclass, field

from tests.delta.second_decoder.coder import (
    STRETCH,
    STRETCH_MAX,
    U32,
    WEIGHT_MAX,
    Coder,
    fresh_slots,
    hash_of,
    squash,
)
from tests.delta.second_decoder.container import Header
from tests.delta.second_decoder.cursor import Cursor
from tests.delta.second_decoder.places import Cover, Places
from tests.delta.second_decoder.predictor import four

REFERENCE, OTHER, CORRECTED, REPLACED, BYTE, TOKEN, EQUAL, NUMBERS = (
    *(0, 1024, 1056, 1088, 1120, 1184, 1200, 1456),
)
LITERALS = 2992
RUN, LENGTH, DISTANCE = range(3)
EVIDENCE = (2, 7, 10, 12, 13, 14, 15, 16, 17, 18, 18, 19, *[20] * 13)
MATCH_MIN = 4


@dataclass
class Line:
    """Slots of half a byte in one context: probability and count of each."""

    name: int = 0
    slots: list[list[int]] = field(default_factory=lambda: fresh_slots(16))


def log2(n: int) -> int:
    return max(0, n.bit_length() - 1)


class FastWalk(Cursor):
    def __init__(self, header: Header, base: bytes, coder: Coder, places: Places) -> None:
        super().__init__(header, base, coder, places)
        slots = header.slot_count
        self.slots = fresh_slots(LITERALS)
        self.word_count = slots // 64
        self.lines = [
            Line(1 << 31) for _ in range((slots - 2 * self.word_count - LITERALS) // 16 & ~1)
        ]
        self.words = [(1 << 31, 1 << 31)] * self.word_count
        self.weights = [[28000, 28000] for _ in range(48)]
        self.run: int | None = None
        self.run_size = self.tokens = self.replaced = 0
        self.match_left = self.match_distance = 0
        self.pending = bytearray()

    # Decisions.

    def one(self, place: int) -> int:
        return self.coder.one(self.slots[place])

    def two(self, pair: tuple[list[int], list[int]], number: int) -> int:
        weights = self.weights[number]
        inputs = [STRETCH[p >> 4] * EVIDENCE[count] >> 4 for p, count in pair]
        x = sum(w * i >> 8 for w, i in zip(weights, inputs, strict=True)) >> 8
        p = max(1, min(65535, squash(max(-STRETCH_MAX, min(STRETCH_MAX, x)))))
        bit = self.coder.decide(p)
        error = (65535 if bit else 0) - p >> 2
        for at, value in enumerate(inputs):
            weight = weights[at] + (value * error + 1024 >> 11)
            weights[at] = max(-WEIGHT_MAX, min(WEIGHT_MAX, weight))
        for slot in pair:
            self.coder.learn(slot, bit)
        return bit

    def number(self, kind: int, context: int) -> int:
        return self.coder.quick_number(self.slots, NUMBERS + kind * 512, context)

    def line(self, context: int) -> int:
        i = context * len(self.lines) >> 32
        name = context * 0x9E3779B1 & U32
        a, b = self.lines[i], self.lines[i ^ 1]
        if name in (a.name, b.name):
            return i if a.name == name else i ^ 1
        at = i ^ 1 if b.slots[1][1] < a.slots[1][1] else i
        self.lines[at] = Line(name)
        return at

    def half(self, contexts: tuple[int, int], number: int) -> int:
        at = [self.line(context) for context in contexts]
        # The second one may have taken the place of the first.
        first, second = self.lines[at[0]].slots, self.lines[at[1]].slots
        node = 1
        for i in reversed(range(4)):
            node = node << 1 | self.two((first[node], second[node]), number + i)
        return node & 15

    def literal(self, first: int, second: int, number: int) -> int:
        high = self.half((first, second), number + 4)
        low = self.half((hash_of(first, 1 + high), hash_of(second, 1 + high)), number)
        return high << 4 | low

    # Bytes.

    def step(self) -> None:
        cover = self.cover()
        if self.pending:
            self.keep(self.pending.pop(0))
            return
        if cover is None:
            self.gap()
            return
        if self.equal_left == 0 and self.opens(cover):
            place = EQUAL + log2(cover.length) * 8 + (self.equal_history & 7)
            equal = self.one(place)
            self.equal_history = self.equal_history << 1 | equal
            self.equal_left = cover.length if equal else 0
        if self.equal_left > 0:
            self.match_left = 0
            self.equal_left -= 1
            self.keep(self.base_byte(cover.base + len(self.target) - cover.target))
            return
        self.pending = bytearray(self.group(cover))
        self.keep(self.pending.pop(0))

    def gap(self) -> None:
        covers, number = self.places.covers, self.cover_number
        end = covers[number].target if number < len(covers) else self.header.target_length
        self.match_left = min(self.match_left, end - len(self.target))
        if self.match_left == 0 and self.token():
            self.match_left = min(self.match_left, end - len(self.target))
        if self.match_left > 0:
            self.match_left -= 1
            at = len(self.target) - self.match_distance & U32
            self.keep(self.window[at % len(self.window)])
        else:
            lane, order = len(self.target) & 3, self.order
            first = hash_of(0x22, order & 255)
            second = hash_of(0x23 + lane, order >> 24 & 255)
            self.keep(self.literal(first, second, 16 + 8 * lane))

    def token(self) -> bool:
        if self.header.window_bits == 0:
            self.tokens <<= 1
            return False
        repeated = self.tokens & 1
        match = self.one(TOKEN + (self.tokens & 15))
        self.tokens = self.tokens << 1 | match
        if match:
            length = self.number(LENGTH, repeated)
            self.match_left = MATCH_MIN + length
            self.match_distance = 1 + self.number(DISTANCE, length)
        return bool(match)

    def group(self, cover: Cover) -> bytes:
        position = len(self.target)
        base = cover.base + position - cover.target
        if self.unit is None:
            self.unit = self.predictor.predict(base, cover.base + cover.length, position)
            self.made = bytearray()
        length = self.group_length(cover)
        if self.unit is not None:
            kind, lane = self.unit.kind, self.unit.used
            guess = self.reference(length)
            old = self.unit.taken[lane : lane + length]
        else:
            kind, lane = 0, base & 3
            old = bytes(self.base_byte(base + i) for i in range(length))
            guess = old if self.in_run() else None
        if guess is None:
            guess = self.replacement(kind, old)
        return guess if guess is not None else self.bytes_of(base, kind, lane, old)

    def reference(self, length: int) -> bytes | None:
        unit, predictor = self.unit, self.predictor
        assert unit is not None
        at, known = unit.used, unit.trust_class
        trust = predictor.trust[known]
        right = self.one(REFERENCE + (known * 8 + (trust + 16 >> 2)) * 4 + (self.flags & 3))
        self.flags = self.flags << 1 | right
        if right:
            return unit.taken[at : at + length]
        if unit.moved[: unit.length] != unit.old[: unit.length] and self.one(OTHER + known):
            return (unit.moved if trust < 0 else unit.old)[at : at + length]
        correction = predictor.correction[known]
        if correction == 0 or not self.one(CORRECTED + known):
            return None
        return four(int.from_bytes(unit.moved, "little") + correction)[at : at + length]

    def in_run(self) -> bool:
        if self.run is None:
            self.run = self.number(RUN, self.run_size)
            self.run_size = log2(self.run + 1)
        if self.run > 0:
            self.run -= 1
            return True
        self.run = None
        return False

    def word(self, kind: int, old: bytes) -> tuple[int, int]:
        """The name of these bytes, and where their replacement is kept."""
        name = hash_of(int.from_bytes(old, "little"), kind << 3 | len(old))
        return name, name * self.word_count >> 32

    def replacement(self, kind: int, old: bytes) -> bytes | None:
        name, at = self.word(kind, old)
        if self.words[at][0] != name:
            return None
        same = self.one(REPLACED + kind * 4 + (self.replaced & 3))
        self.replaced = self.replaced << 1 | same
        return four(self.words[at][1])[: len(old)] if same else None

    def bytes_of(self, base: int, kind: int, lane: int, old: bytes) -> bytes:
        made = bytearray()
        word, within = self.base_word(base & ~3, 4), 0
        misses = 0
        for i, p in enumerate(old):
            here = lane + i & 3
            tag = kind << 2 | here
            hit = 0
            if i + 1 < len(old) or misses > 0:
                hit = self.one(BYTE + tag * 2 + (misses > 0))
            if hit:
                made.append(p)
            else:
                first = hash_of(0x20 + tag, p)
                second = hash_of(0x21 + (here << 8) + within * 4096 & U32, word)
                made.append(self.literal(first, second, 8 if kind > 0 else 0))
                misses += 1
            within = (within << 8 | made[-1]) & U32
        name, at = self.word(kind, old)
        self.words[at] = name, int.from_bytes(made, "little")
        return bytes(made)
