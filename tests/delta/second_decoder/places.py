"""Covers, segments and the memo: where base addresses went ("Covers", "Addresses")."""

from dataclasses import dataclass

from tests.delta.second_decoder.coder import U32, Coder, hash_of

SEGMENTS_MAX = 8
TRIES = 8
UNKNOWN, NEAR, COVERED, LEARNED = range(4)
Segment = tuple[int, int, int]  # offset, address, length


@dataclass(frozen=True)
class Cover:
    target: int
    base: int
    length: int


def read_segments(coder: Coder, side: int) -> list[Segment]:
    count = min(SEGMENTS_MAX, coder.number(7, side))
    segments = [(0, 0, 0)]
    for _ in range(count):
        offset, address, _ = segments[-1]
        offset = offset + coder.number(4, 0) & U32
        address = address + coder.number(5, 0) & U32
        segments.append((offset, address, coder.number(6, 0)))
    return segments[1:]


def read_covers(coder: Coder, count: int, target_length: int) -> list[Cover]:
    covers: list[Cover] = []
    shifts = [0, 0, 0, 0]
    end = 0
    for number in range(count):
        gap = coder.number(0, 0)
        context = min(gap, 3)
        if number + 1 < count:
            length = coder.number(1, context) + 1
        else:
            length = target_length - end - gap - coder.number(7, 2)
        which = coder.number(2, context)
        if which < 4:
            shift = shifts.pop(which)
        else:
            folded = coder.number(3, 0)
            shift = shifts[0] + (~(folded >> 1) if folded & 1 else folded >> 1) & U32
            shifts.pop()
        shifts.insert(0, shift)
        covers.append(Cover(end + gap, end + gap + shift & U32, length))
        end += gap + length
    return covers


class Places:
    """What both sides know of where base addresses are in the target."""

    def __init__(
        self, segments: tuple[list[Segment], list[Segment]], covers: list[Cover], memo_bits: int
    ) -> None:
        self.segments = segments
        self.covers = covers
        self.by_base = sorted(covers, key=lambda cover: cover.base)
        self.memo_bits = memo_bits
        self.memo: dict[int, tuple[int, int]] = {}
        self.here: Cover | None = None

    def address(self, side: int, offset: int) -> int:
        for start, address, length in self.segments[side]:
            if offset - start & U32 < length:
                return address + (offset - start) & U32
        return offset

    def base_offset(self, address: int) -> int | None:
        return self._offset(0, address)

    def target_offset(self, address: int) -> int:
        offset = self._offset(1, address)
        return address if offset is None else offset

    def _offset(self, side: int, address: int) -> int | None:
        for start, first, length in self.segments[side]:
            if address - first & U32 < length:
                return start + (address - first & U32) & U32
        return None

    def recall(self, address: int) -> int | None:
        if self.memo_bits == 0:
            return None
        key, value = self.memo.get(self._place(address), (U32, U32))
        return value if key == address else None

    def learn(self, address: int, target: int) -> None:
        if self.memo_bits > 0:
            self.memo[self._place(address)] = address, target & U32

    def translate(self, address: int, *, local: bool) -> tuple[int, int]:
        """Return the address in the target, and how that is known."""
        offset = self.base_offset(address)
        here = None if offset is None else self._under(self.here, offset)
        if local and here is not None:
            return self.address(1, here), COVERED
        learned = self.recall(address)
        if learned is not None:
            return learned, LEARNED
        if offset is None:
            return address, UNKNOWN
        if here is not None:
            return self.address(1, here), COVERED
        target, covered = self._mapped(offset)
        return self.address(1, target), COVERED if covered else NEAR

    def _mapped(self, offset: int) -> tuple[int, bool]:
        before = [cover for cover in self.by_base if cover.base <= offset]
        for cover in reversed(before[-TRIES:]):
            target = self._under(cover, offset)
            if target is not None:
                return target, True
        if before:
            return before[-1].target + (offset - before[-1].base) & U32, False
        return offset, False

    @staticmethod
    def _under(cover: Cover | None, offset: int) -> int | None:
        if cover is None or not cover.base <= offset < cover.base + cover.length:
            return None
        return cover.target + offset - cover.base

    def _place(self, address: int) -> int:
        return hash_of(address, 0x5EED) >> 32 - self.memo_bits
