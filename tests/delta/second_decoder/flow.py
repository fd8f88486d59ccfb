"""What Thumb code says of the instructions after it ("Flow")."""

from dataclasses import dataclass, field

from tests.delta.second_decoder import instructions as isa
from tests.delta.second_decoder.coder import U32

LOAD, BRANCH, JUMP, COMPARE = 1, 2, 3, 4
REACH = 4096


@dataclass(frozen=True)
class Guess:
    byte: int
    bits: int
    kind: int


def kind_of(upper: int) -> int:
    if upper & 0xF8 in {0x48, 0xA0}:
        return LOAD
    if 0xD0 <= upper < 0xDE:
        return BRANCH
    if upper & 0xF8 == 0xE0:
        return JUMP
    return COMPARE if upper & 0xF5 == 0xB1 else 0


def guess_of(kind: int, at: int, upper: int, target: int) -> Guess | None:
    offset = target - at - 4 & U32
    if kind == LOAD:
        offset = target - (at + 4 & ~3) & U32
        return Guess(offset >> 2, 8, kind) if offset < 1024 else None
    if kind == BRANCH:
        return Guess(offset >> 1 & 0xFF, 8, kind) if isa.fits(offset, 9) else None
    if kind == JUMP:
        fits = isa.fits(offset, 12) and offset >> 9 & 7 == upper & 7
        return Guess(offset >> 1 & 0xFF, 8, kind) if fits else None
    fits = offset < 128 and offset >> 6 & 1 == upper >> 1 & 1
    return Guess(offset << 2 & 0xF8, 5, kind) if fits else None


@dataclass
class Flow:
    first: int = 0
    end: int = 0
    latest: int = 0
    labels: list[int] = field(default_factory=lambda: [0, 0])
    operations: int = 0
    last: int = 0
    wide: int = 0

    def pool(self, at: int) -> int:
        """Bytes left of the pool that holds an offset, 0 for none."""
        inside = at - self.first & U32 < self.end - self.first & U32
        return self.end - at & U32 if inside else 0

    def guesses(self, at: int, upper: int) -> list[Guess | None]:
        kind = kind_of(upper)
        targets = [self.latest + 4 & U32, self.end] if kind == LOAD else self.labels
        return [guess_of(kind, at, upper, target) if kind else None for target in targets]

    def keep_load(self, at: int, target: int) -> None:
        if at >= self.end or self.first - at & U32 > REACH:
            self.first, self.end = target, target + 4 & U32
        self.first = min(self.first, target)
        if target >= self.end:
            self.end = target + 4 & U32
        self.latest = target

    def keep(self, at: int, halfword: int) -> None:
        if self.pool(at) > 0:
            self.wide = 0
            return
        if self.wide:
            self.last = self.wide << 16 | halfword
            if self.wide == 0xF8DF:
                self.keep_load(at, (at + 2 & ~3) + (halfword & 0xFFF) & U32)
            self.wide = 0
            return
        self.operations = (self.operations << 8 | halfword >> 8) & U32
        self.last = halfword
        if halfword >= 0xE800:
            self.wide = halfword
        elif kind_of(halfword >> 8):
            found = isa.reference(isa.THUMB, halfword, at)
            assert found is not None
            kind, target, _ = found
            if kind == isa.LITERAL:
                self.keep_load(at, target)
            elif target != self.labels[0]:
                self.labels = [target, self.labels[0]]
