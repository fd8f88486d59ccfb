"""Where a walk is, and what both walks do there ("Target bytes", "Base bytes")."""

from tests.delta.second_decoder import instructions as isa
from tests.delta.second_decoder.coder import U32, Coder
from tests.delta.second_decoder.container import Header
from tests.delta.second_decoder.flow import Flow
from tests.delta.second_decoder.places import Cover, Places
from tests.delta.second_decoder.predictor import Predictor, Unit

EQUAL_MIN = 32


class Cursor:
    def __init__(self, header: Header, base: bytes, coder: Coder, places: Places) -> None:
        self.header = header
        self.base = base
        self.coder = coder
        self.places = places
        self.predictor = Predictor(
            header.instruction_set, places, lambda offset: self.base_word(offset, 4)
        )
        self.target = bytearray()
        self.started = False
        self.cover_number = 0
        self.flags = self.order = 0
        self.flow = Flow()
        self.equal_left = self.equal_history = 0
        self.unit: Unit | None = None
        self.made = bytearray()
        self.window = bytearray(1 << header.window_bits)

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

    def cover(self) -> Cover | None:
        position = len(self.target)
        covers = self.places.covers
        while self.cover_number < len(covers):
            cover = covers[self.cover_number]
            if position < cover.target + cover.length:
                self.places.here = cover if position >= cover.target else None
                return self.places.here
            self.cover_number += 1
        self.places.here = None
        return None

    def opens(self, cover: Cover) -> bool:
        """Whether a cover begins here that may be equal to the base as a whole."""
        if len(self.target) != cover.target:
            return False
        self.unit = None
        self.predictor.next_unit = 0
        return cover.length >= EQUAL_MIN

    def group_length(self, cover: Cover) -> int:
        start, step = len(self.target) - cover.target, self.header.step_bytes
        base = cover.base + start
        if self.unit is not None:
            length = self.unit.length - self.unit.used
        else:
            pace = isa.step_of(self.header.instruction_set)
            ahead = self.predictor.next_unit - base
            length = min(4 - base % 4, ahead if ahead > 0 else pace - base % pace)
        return min(length, cover.length - start, step - len(self.target) % step)

    def flow_in(self, at: int, byte: int) -> None:
        """Take the byte at an offset of the image that is walked, before it is shifted in."""
        if self.header.instruction_set == isa.THUMB and at & 1:
            self.flow.keep(at - 1, self.order & 255 | byte << 8)

    def shift_in(self, byte: int) -> None:
        self.order = (self.order << 8 | byte) & 0xFFFFFFFFFFFFFFFF

    def keep(self, byte: int) -> None:
        """A byte of the target, and of the unit if there is one."""
        self.flow_in(len(self.target), byte)
        self.shift_in(byte)
        if self.header.window_bits > 0:
            self.window[len(self.target) % len(self.window)] = byte
        self.target.append(byte)
        if self.unit is None:
            return
        self.made.append(byte)
        self.unit.used += 1
        if self.unit.used == self.unit.length:
            address = self.places.address(1, len(self.target) - self.unit.length)
            self.predictor.learn(self.unit, bytes(self.made), address)
            self.unit = None
