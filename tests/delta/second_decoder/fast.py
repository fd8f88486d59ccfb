"""The walk of the fast back end ("The fast back end")."""

from tests.delta.second_decoder.coder import U32, Coder, fresh_slots, hash_of
from tests.delta.second_decoder.container import Header
from tests.delta.second_decoder.cursor import Cursor
from tests.delta.second_decoder.literals import SHARES, Literals
from tests.delta.second_decoder.places import Cover, Places
from tests.delta.second_decoder.predictor import four

REFERENCE, OTHER, CORRECTED, REPLACED, BYTE, TOKEN, EQUAL, NUMBERS = (
    *(0, 1024, 1056, 1088, 1120, 1184, 1200, 1456),
)
FIXED = 2992
RUN, LENGTH, DISTANCE = range(3)
IN_WORD, IN_UNIT, IN_GAP = range(3)
MATCH_MIN = 4


def log2(n: int) -> int:
    return max(0, n.bit_length() - 1)


class FastWalk(Cursor):
    def __init__(self, header: Header, base: bytes, coder: Coder, places: Places) -> None:
        super().__init__(header, base, coder, places)
        self.slots = fresh_slots(FIXED)
        self.word_count = header.slot_count // 64
        left = header.slot_count - FIXED - SHARES - 2 * self.word_count
        self.literals = Literals(coder, left // 8 & ~1)
        self.words = [(1 << 31, 1 << 31)] * self.word_count
        self.run: int | None = None
        self.run_size = self.tokens = self.replaced = 0
        self.match_left = self.match_distance = 0
        self.pending = bytearray()

    # Decisions.

    def one(self, place: int) -> int:
        return self.coder.one(self.slots[place])

    def number(self, kind: int, context: int) -> int:
        return self.coder.quick_number(self.slots, NUMBERS + kind * 512, context)

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
            second = hash_of(0x28 + lane, order >> 24 & 255)
            third = hash_of(0x23, order & 0xFFFF)
            self.keep(self.literals.read(IN_GAP, (first, second, third)))

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
        return guess if guess is not None else self.bytes_of(kind, lane, old)

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

    def bytes_of(self, kind: int, lane: int, old: bytes) -> bytes:
        made = bytearray()
        misses = 0
        for i, p in enumerate(old):
            tag = kind << 2 | lane + i & 3
            hit = 0
            if i + 1 < len(old) or misses > 0:
                hit = self.one(BYTE + tag * 2 + (misses > 0))
            if hit:
                made.append(p)
            else:
                last_two = int.from_bytes((self.target[-2:] + made)[-2:], "big")
                contexts = hash_of(0x40 + tag, p), hash_of(0x23, last_two)
                made.append(self.literals.read(IN_UNIT if kind > 0 else IN_WORD, contexts))
                misses += 1
        name, at = self.word(kind, old)
        self.words[at] = name, int.from_bytes(made, "little")
        return bytes(made)
