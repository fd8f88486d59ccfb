"""The walk of the mixing back end ("Target bytes")."""

from tests.delta.second_decoder.coder import U32, Coder, hash_of
from tests.delta.second_decoder.container import Header
from tests.delta.second_decoder.contexts import Scene
from tests.delta.second_decoder.gap import Gaps
from tests.delta.second_decoder.places import Cover, Places


class Walk(Gaps):
    def __init__(self, header: Header, base: bytes, coder: Coder, places: Places) -> None:
        super().__init__(header, base, coder, places)
        self.group_left = self.group_right = self.group_misses = 0

    # One byte.

    def step(self) -> None:
        if self.cover() is None:
            self.gap()
            return
        scene = self.look()
        if self.equal_left > 0:
            self.settle(scene.predicted)
            return
        self.drift.begin(scene.lane, self.flags)
        hit = self.hit(scene)
        byte = scene.predicted if hit else self.literal(scene)
        self.remember(scene, byte, hit=hit)

    def look(self) -> Scene:
        position = len(self.target)
        cover = self.cover()
        assert cover is not None
        scene = Scene(0, *self.expect(), covered=1)
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

    def remember(self, scene: Scene, byte: int, *, hit: bool) -> None:
        if hit:
            self.miss_distance += 1
        else:
            self.miss_distance_last, self.miss_distance = self.miss_distance, 0
            self.difference = (self.difference << 8 | byte - scene.predicted & 255) & U32
        self.drift.keep(scene.predicted, byte)
        self.keep(byte)
        self.follow(byte, len(self.base) + len(self.target))
