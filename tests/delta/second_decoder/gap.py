"""Bytes that no cover holds, with the mixing back end ("Gaps", "Priming")."""

from dataclasses import dataclass

from tests.delta.second_decoder import instructions as isa
from tests.delta.second_decoder.calls import LENGTH, Call, Calls, Expected
from tests.delta.second_decoder.coder import Coder
from tests.delta.second_decoder.container import Header
from tests.delta.second_decoder.contexts import NOTHING, Scene
from tests.delta.second_decoder.decisions import Decisions
from tests.delta.second_decoder.places import Places

SURE = 5


@dataclass
class Place:
    """Where an image is walked: offset, bytes up to the next cover or the end, its own place."""

    offset: int
    left: int
    here: int


class Gaps(Decisions):
    def __init__(self, header: Header, base: bytes, coder: Coder, places: Places) -> None:
        super().__init__(header, base, coder, places)
        self.calls = Calls(coder, places, header.instruction_set, header.target_length)

    def gap(self) -> None:
        position, covers, step = len(self.target), self.places.covers, self.header.step_bytes
        following = covers[self.cover_number].target if self.cover_number < len(covers) else None
        end = self.header.target_length if following is None else following
        left = min(end - position, step - position % step)
        here = Place(position, left, len(self.base) + position)
        call, same = self.call(here, None)
        if call is None:
            made = self.unit_bytes(here, None)
        else:
            address = self.places.address(1, position)
            target = self.places.address(1, call.target)
            made = self.calls.put(call.form, address, target).to_bytes(LENGTH, "little")
        for i, byte in enumerate(made):
            if self.header.window_bits > 0:
                self.window[(position + i) % len(self.window)] = byte
        self.remember_made(here, made, call, same=same)
        self.target += made

    def prime(self) -> None:
        self.cover()
        offset = 0
        while offset < len(self.base):
            here = Place(offset, len(self.base) - offset, offset)
            call, same = self.call(here, self.base_word(offset, LENGTH))
            taught = self.moved_pointer(here) if call is None else b""
            size = LENGTH if call else len(self.unit_bytes(here, taught))
            made = self.base[offset : offset + size]
            self.remember_made(here, made, call, same=same)
            offset += size

    def call(self, here: Place, word: int | None) -> tuple[Call | None, bool]:
        """Read a call, or learn from the word of the base; and whether it is as expected."""
        if not self.calls.may_stand(here.offset, here.left, self.flow):
            return None, False
        taught = None if word is None else (self.calls.read(0, here.offset, word),)
        expected = self.expected_call(here, training=word is not None)
        call = self.calls.code(here.offset, self.order, self.flow, expected, taught)
        return call, call is not None and call in expected.calls

    def expected_call(self, here: Place, *, training: bool) -> Expected:
        n = self.match_length
        side = int(self.match_at >= len(self.base))
        offset = self.match_at - side * len(self.base)
        if n == 0 or offset % self.calls.step:
            return Expected((None, None), 0)
        word = sum(self.history(self.match_at + i) << 8 * i for i in range(LENGTH))
        there = self.calls.read(side, offset, word)
        as_far = self.calls.read(int(not training), here.offset, word)
        return Expected((there, as_far), 1 + n // 4 if n < 16 else 5)

    def unit_bytes(self, here: Place, taught: bytes | None) -> bytes:
        thumb = self.header.instruction_set == isa.THUMB
        size = 2 if thumb and here.offset % 2 == 0 and here.left >= 2 else 1
        kept = self.order, self.match_length
        made = bytearray(size)
        for i in reversed(range(size)):
            scene = self.scene(here, size, i, made)
            made[i] = self.byte(scene, None if taught is None else taught[i])
            if scene.expected != made[i]:
                self.match_length = 0
            self.shift_in(made[i])
        self.order, self.match_length = kept
        return bytes(made)

    def scene(self, here: Place, size: int, i: int, made: bytes | bytearray) -> Scene:
        scene = Scene(here.offset + size - 1 - i & 3, *self.expect(i))
        scene.pool = self.flow.pool(here.offset)
        if size == 2 and not scene.pool:
            scene.lane = (scene.lane & 1) + (2 if self.flow.wide else 0)
            if i == 0:
                scene.guesses = self.flow.guesses(here.offset, made[1])
        return scene

    def byte(self, scene: Scene, taught: int | None) -> int:
        if taught is None and scene.confidence >= SURE:
            scene.predicted = scene.expected
            if self.flag(scene, group=0):
                return scene.expected
            scene.predicted = NOTHING
        return self.literal(scene, taught)

    def moved_pointer(self, here: Place) -> bytes:
        """The next bytes of the base, of a pointer in a pool as they would be in the target."""
        word = self.base_word(here.offset & ~3, 4)
        inside = self.places.base_offset(word & ~1) is not None
        if not (inside and self.flow.pool(here.offset) and here.offset % 2 == 0 and here.left > 1):
            return self.base[here.offset : here.offset + 2]
        moved = self.places.translate(word & ~1, local=False)[0] + (word & 1)
        return (moved >> 8 * (here.offset & 2) & 0xFFFF).to_bytes(2, "little")

    def remember_made(self, here: Place, made: bytes, call: Call | None, *, same: bool) -> None:
        kept = self.order
        for i, byte in enumerate(made):
            self.flow_in(here.offset + i, byte)
            self.shift_in(byte)
            if call is None:
                self.follow(byte, here.here + i + 1)
        if call is None:
            return
        self.order = kept
        where = call.target // self.calls.step | call.form << 31
        for i in reversed(range(4)):
            self.shift_in(where >> 8 * i & 0xFF)
        self.follow_unit(len(made), here.here + len(made), same=same)
