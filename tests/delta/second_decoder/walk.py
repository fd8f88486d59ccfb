"""The walk of the mixing back end ("Target bytes")."""

from dataclasses import dataclass

from tests.delta.second_decoder.coder import U32, Coder, hash_of
from tests.delta.second_decoder.container import Header
from tests.delta.second_decoder.cursor import Cursor
from tests.delta.second_decoder.places import Cover, Places

NOTHING = 256
SURE = 5
ORDERS = 1, 2, 5, 6, 7  # literal contexts of the last one, two, three, four and six bytes


@dataclass
class Scene:
    lane: int
    expected: int
    confidence: int
    covered: int = 0
    base: int = 0
    start: int = 0
    predicted: int = NOTHING
    other: int = 0
    word: int = 0
    around: int = 0
    kind: int = 0

    @property
    def tag(self) -> int:
        return self.kind << 3 | (self.other != self.predicted) << 2 | self.lane


def bucket(n: int) -> int:
    if n < 4:
        return n
    log2 = n.bit_length() - 1
    return 2 * log2 + (n >> log2 - 1 & 1) if n < 256 else 17


class Walk(Cursor):
    def __init__(self, header: Header, base: bytes, coder: Coder, places: Places) -> None:
        super().__init__(header, base, coder, places)
        self.difference = 0
        self.miss_distance = self.miss_distance_last = 0
        self.group_left = self.group_right = self.group_misses = 0
        self.index: dict[int, int] = {}
        self.match_at = self.match_length = 0

    # What was seen before.

    def history(self, place: int) -> int:
        if place < len(self.base):
            return self.base_byte(place)
        return self.window[(place - len(self.base)) % len(self.window)]

    def expect(self) -> tuple[int, int]:
        n = self.match_length
        if n == 0:
            return NOTHING, 0
        confidence = 1 + n // 4 if n < 16 else 5 if n < 32 else 6 if n < 64 else 7
        return self.history(self.match_at), confidence

    def follow(self, byte: int, here: int) -> None:
        if self.header.index_bits == 0:
            return
        if self.match_length > 0 and self.history(self.match_at) == byte:
            self.match_length = min(255, self.match_length + 1)
            self.match_at += 1
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

    # One byte.

    def prime(self) -> None:
        for offset, byte in enumerate(self.base):
            scene = Scene(offset & 3, *self.expect())
            self.literal(scene, taught=byte)
            self.shift_in(byte)
            self.follow(byte, offset + 1)

    def step(self) -> None:
        scene = self.look()
        if self.equal_left > 0:
            self.settle(scene.predicted)
            return
        hit = self.hit(scene) if scene.covered else self.sure(scene)
        byte = scene.predicted if hit else self.literal(scene)
        self.remember(scene, byte, hit=hit)

    def look(self) -> Scene:
        position = len(self.target)
        scene = Scene(position & 3, *self.expect())
        cover = self.cover()
        if cover is None:
            return scene
        scene.covered = 1
        scene.start = position - cover.target
        at = scene.base = cover.base + scene.start
        scene.lane = at & 3
        scene.word = self.base_word(at & ~3, 4)
        scene.around = self.base_word(at + 1, 2) << 8 | self.base_byte(at - 1)
        old = scene.predicted = scene.other = self.base_byte(at)
        self.open_cover(cover)
        if self.equal_left > 0:
            return scene
        if self.unit is None and self.group_left == 0:
            self.unit = self.predictor.predict(at, cover.base + cover.length, position)
            self.made = bytearray()
        if self.unit is not None:
            unit = self.unit
            scene.predicted, moved = unit.taken[unit.used], unit.moved[unit.used]
            scene.other = old if moved == scene.predicted else moved
            scene.kind, scene.lane = unit.kind, unit.used
        return scene

    def open_cover(self, cover: Cover) -> None:
        may_be_equal = self.opens(cover)
        if len(self.target) == cover.target:
            self.group_left = 0
        if not may_be_equal:
            return
        size, last = cover.length.bit_length() - 1, self.equal_history & 7
        contexts = [hash_of(0x30, size), hash_of(0x31, last), hash_of(0x32, size << 8 | last)]
        equal = self.coder.mix(contexts, (252, 253))
        self.equal_history = self.equal_history << 1 | equal
        self.equal_left = cover.length if equal else 0

    def settle(self, byte: int) -> None:
        """A byte of a cover that is equal to the base."""
        self.keep(byte)
        self.miss_distance += 1
        self.match_length = 0
        self.equal_left -= 1

    def hit(self, scene: Scene) -> bool:
        if self.group_left == 0:
            cover = self.places.here
            assert cover is not None
            self.group_left = self.group_length(cover)
            self.group_right = 0
            self.group_misses = int(self.group_left == 1)
            if self.group_left > 1:
                self.group_right = self.flag(scene, group=1)
        self.group_left -= 1
        if self.group_right:
            return True
        if self.group_left == 0 and self.group_misses == 0:
            return False
        hit = self.flag(scene, group=0)
        self.group_misses += 1 - hit
        return bool(hit)

    def sure(self, scene: Scene) -> bool:
        """Whether a byte that no cover holds is the one that a long match expects."""
        if scene.confidence < SURE:
            return False
        scene.predicted = scene.expected
        hit = bool(self.flag(scene, group=0))
        scene.predicted = scene.expected if hit else NOTHING
        return hit

    def flag(self, scene: Scene, group: int) -> int:
        s, f, p, o = scene, self.flags & U32, scene.predicted, self.order & U32
        tag = group << 7 | (1 - s.covered) << 6 | s.tag
        agree = 0
        if s.expected != NOTHING:
            agree = s.confidence + (0 if s.expected == p else 8)
        known, trust = self.predictor.last_class, self.predictor.trust
        contexts = [
            hash_of(0x10, tag << 8 | f & 255),
            hash_of(0x18, agree << 8 | tag | (f & 3) << 16),
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

    def literal_contexts(self, s: Scene) -> list[int]:
        p, o, older = s.predicted, self.order & U32, self.order >> 32
        within = o & (1 << 8 * s.lane) - 1
        contexts = [
            hash_of(0x20 + s.tag, p),
            hash_of(0x22 + s.covered, o & 0xFF),
            hash_of(0x23, o & 0xFFFF),
            hash_of(0x28, s.expected << 8 | s.confidence),
            hash_of(
                0x21 + (s.lane << 8) + within * 4096 & U32, s.word if s.covered else older & 0xFF
            ),
        ]
        guess = p + (self.difference & 255) & 255
        contexts += [
            hash_of(0x24, o & 0xFFFFFF),
            hash_of(0x25, o),
            hash_of(0x26 + (older & 0xFFFF), o),
            hash_of(0x27, guess << 8 | s.tag if s.covered else o & 0xFF00),
            hash_of(0x29 + s.lane, o >> 24),
            hash_of(0x2A, p << 8 | o & 0xFF),
            hash_of(0x2B, s.lane << 16 | o & 0xFF00FF00),
        ]
        contexts += self.halfword_contexts(s)
        if s.covered:
            last = (self.difference & 0xFF) << 1 | self.flags & 1 if s.lane > 0 else 0
            contexts += [
                hash_of(0x2C + s.tag, s.other << 8 | p),
                hash_of(0x2D + s.tag, p << 16 | last),
            ]
        return contexts

    def halfword_contexts(self, s: Scene) -> list[int]:
        odd = s.lane & 1
        begun, order = self.order & 255 if odd else 256, self.order >> 8 * odd
        h0, h1, h2 = ((order >> 16 * i & 255) << 8 | order >> 16 * i + 8 & 255 for i in range(3))
        return [
            hash_of(0x43, begun << 16 | h0 >> 11 << 10 | h1 >> 11 << 5 | h2 >> 11),
            hash_of(0x45, begun << 16 | h1),
            hash_of(0x48, begun << 16 | (h0 & 7) << 8 | (h0 >> 3 & 7) << 4 | h1 & 7),
        ]

    def literal(self, s: Scene, taught: int | None = None) -> int:
        contexts = self.literal_contexts(s)
        runs = [
            self.coder.run(hash_of(0x50, contexts[2])),
            self.coder.run(hash_of(0x51, contexts[12])),
        ]
        if self.header.ram_class == 0:
            del contexts[12:15]
        node, odd, newest = 1, s.lane & 1, self.order & 255
        for i in range(8):
            slots = [self.coder.slot(hash_of(context, node)) for context in contexts]
            known = sum(self.coder.count[slots[k]] > 0 for k in ORDERS)
            sets = (
                128 + i + 8 * (1 + s.kind if s.covered else 0),
                200 + known + 6 * (s.covered + 2 * s.lane),
                256 + 256 * odd + node,
                768 + (256 + 32 * i + (self.order >> 11 & 31) if odd else newest),
            )
            node = node << 1 | self.coder.mix_twice(
                slots,
                (runs[0].hint(node, 7 - i), runs[1].hint(node, 7 - i)),
                sets,
                s.lane,
                None if taught is None else taught >> 7 - i & 1,
            )
        for run in runs:
            run.keep(node & 255)
        return node & 255

    def remember(self, scene: Scene, byte: int, *, hit: bool) -> None:
        if scene.covered and hit:
            self.miss_distance += 1
        elif scene.covered:
            self.miss_distance_last, self.miss_distance = self.miss_distance, 0
            self.difference = (self.difference << 8 | byte - scene.predicted & 255) & U32
        self.keep(byte)
        self.follow(byte, len(self.base) + len(self.target))
