"""The walk over the target ("Target bytes")."""

from dataclasses import dataclass

from tests.delta.second_decoder import instructions as isa
from tests.delta.second_decoder.coder import U32, Coder, hash_of
from tests.delta.second_decoder.container import Header
from tests.delta.second_decoder.places import Cover, Places
from tests.delta.second_decoder.predictor import Predictor, Unit

FAST = 2
EQUAL_MIN = 32
NOTHING = 256
SURE = 5


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


class Walk:
    def __init__(self, header: Header, base: bytes, coder: Coder, places: Places) -> None:
        self.header = header
        self.base = base
        self.coder = coder
        self.places = places
        self.fast = header.back_end == FAST
        self.predictor = Predictor(
            header.instruction_set, places, lambda offset: self.base_word(offset, 4)
        )
        self.target = bytearray()
        self.started = False
        self.cover_number = 0
        self.flags = self.difference = self.order = 0
        self.miss_distance = self.miss_distance_last = 0
        self.equal_left = self.equal_history = 0
        self.group_left = self.group_right = self.group_misses = 0
        self.unit: Unit | None = None
        self.made = bytearray()
        self.window = bytearray(1 << header.window_bits)
        self.index: dict[int, int] = {}
        self.match_at = self.match_length = 0

    # The base, as far as it may be read.

    def floor(self) -> int:
        if not (self.header.in_place and self.started):
            return 0
        step = self.header.step_bytes
        end = min((len(self.target) // step + 1) * step, self.header.target_length)
        return max(0, end - self.header.shift)

    def base_byte(self, offset: int) -> int:
        offset &= U32
        return self.base[offset] if self.floor() <= offset < len(self.base) else 0

    def base_word(self, offset: int, size: int) -> int:
        return sum(self.base_byte(offset + i) << 8 * i for i in range(size))

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

    def shift_in(self, byte: int) -> None:
        self.order = (self.order << 8 | byte) & 0xFFFFFFFFFFFFFFFF

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

    def cover(self) -> Cover | None:
        position = len(self.target)
        covers = self.places.covers
        while self.cover_number < len(covers):
            cover = covers[self.cover_number]
            if position < cover.target + cover.length:
                self.places.here = cover
                return cover if position >= cover.target else None
            self.cover_number += 1
        self.places.here = None
        return None

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
        if scene.start == 0:
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
        self.unit = None
        self.predictor.next_unit = self.group_left = 0
        if cover.length < EQUAL_MIN:
            return
        size, last = cover.length.bit_length() - 1, self.equal_history & 7
        contexts = [hash_of(0x30, size), hash_of(0x31, last), hash_of(0x32, size << 8 | last)]
        equal = self.coder.mix(contexts, (252, 253))
        self.equal_history = self.equal_history << 1 | equal
        self.equal_left = cover.length if equal else 0

    def settle(self, byte: int) -> None:
        """A byte of a cover that is equal to the base."""
        if self.header.window_bits > 0:
            self.window[len(self.target) % len(self.window)] = byte
        self.shift_in(byte)
        self.target.append(byte)
        self.miss_distance += 1
        self.match_length = 0
        self.equal_left -= 1

    def group_length(self, scene: Scene) -> int:
        cover, step = self.places.here, self.header.step_bytes
        assert cover is not None
        if self.unit is not None:
            length = self.unit.length - self.unit.used
        else:
            pace = isa.step_of(self.header.instruction_set)
            ahead = self.predictor.next_unit - scene.base
            length = min(4 - scene.base % 4, ahead if ahead > 0 else pace - scene.base % pace)
        return min(length, cover.length - scene.start, step - len(self.target) % step)

    def hit(self, scene: Scene) -> bool:
        if self.group_left == 0:
            self.group_left = self.group_length(scene)
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
        if not self.fast:
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
        if self.fast:
            return contexts
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
        if s.covered:
            last = (self.difference & 0xFF) << 1 | self.flags & 1 if s.lane > 0 else 0
            contexts += [
                hash_of(0x2C + s.tag, s.other << 8 | p),
                hash_of(0x2D + s.tag, p << 16 | last),
            ]
        return contexts

    def literal(self, s: Scene, taught: int | None = None) -> int:
        contexts = self.literal_contexts(s)
        node = 1
        for i in range(8):
            hinted = s.expected < NOTHING and (s.expected | 256) >> 8 - i == node
            first = 128 + i + 8 * (1 + s.kind if s.covered else 0)
            second = 200 + (1 + s.confidence // 3 if hinted else 0) + 4 * s.lane + 16 * s.covered
            bit = None if taught is None else taught >> 7 - i & 1
            mixed = [hash_of(context, node) for context in contexts]
            node = node << 1 | self.coder.mix(mixed, (first, second), bit)
        return node & 255

    def remember(self, scene: Scene, byte: int, *, hit: bool) -> None:
        if scene.covered and hit:
            self.miss_distance += 1
        elif scene.covered:
            self.miss_distance_last, self.miss_distance = self.miss_distance, 0
            self.difference = (self.difference << 8 | byte - scene.predicted & 255) & U32
        self.shift_in(byte)
        self.target.append(byte)
        position = len(self.target)
        if self.unit is not None:
            self.made.append(byte)
            self.unit.used += 1
            if self.unit.used == self.unit.length:
                address = self.places.address(1, position - self.unit.length)
                self.predictor.learn(self.unit, bytes(self.made), address)
                self.unit = None
        if self.header.window_bits > 0:
            self.window[(position - 1) % len(self.window)] = byte
        self.follow(byte, len(self.base) + position)
