"""Literals of the fast back end ("Literals")."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.delta.second_decoder.coder import Coder, fresh_slots, hash_of

VALUES, CHECK = 16, 0x3FE0
LINE_USES, SHARE_USES = 30, 14
RATES = [32767 // (n + 2) for n in range(LINE_USES + 1)]
KINDS = [0, 1, 2, 3, 4, 4, *[5] * 4, *[6] * 10, *[7] * 11]
SHARES_OF_HALF, SHARES = 128, 768


def between(x: int, y: int, weight: int) -> int:
    return x + ((y - x) * weight >> 15)


def mixed(first: list[int], second: list[int], weight: int) -> list[int]:
    return [between(x, y, weight) for x, y in zip(first, second, strict=True)]


@dataclass
class Line:
    """What one context has seen of half a byte; the last of the starts is 16384."""

    check: int = 0
    uses: int = 0
    starts: list[int] = field(default_factory=lambda: [1024 * v for v in range(VALUES + 1)])

    @property
    def kind(self) -> int:
        return KINDS[self.uses]

    def learn(self, value: int) -> None:
        for i in range(1, VALUES):
            aim = i - value + (15 if i <= value else 16368)
            self.starts[i] = between(self.starts[i], aim, RATES[self.uses])
        self.uses = min(LINE_USES, self.uses + 1)


def chance(starts: list[int], value: int) -> int:
    return starts[value + 1] - starts[value]


def weight_of(share: list[int]) -> int:
    return (share[0] >> 5) - (share[0] >> 11) + 256


def learn_share(share: list[int], second: int, whole: int) -> None:
    """Move a share to how much of the chance of what came is from the second part."""
    aim = min(32767, weight_of(share) * second // whole)
    share[0] += (32 * aim - share[0]) * RATES[share[1]] >> 15
    share[1] = min(SHARE_USES, share[1] + 1)


class Literals:
    """Args: the coder that reads, and how many lines there are."""

    def __init__(self, coder: Coder, line_count: int) -> None:
        self.coder = coder
        self.shares = fresh_slots(SHARES)
        self.lines = [Line() for _ in range(line_count)]

    def find(self, context: int) -> int:
        """Return the number of the line of a context."""
        at, check = context * len(self.lines) >> 32, context & CHECK
        places = at, at ^ 1
        for place in places:
            if self.lines[place].check == check:
                return place
        place = min(places, key=lambda number: self.lines[number].uses)
        self.lines[place] = Line(check)
        return place

    def half(self, contexts: Sequence[int], first_share: int) -> int:
        places = [self.find(context) for context in contexts]
        a, b, *more = lines = [self.lines[place] for place in places]
        share = self.shares[first_share + 8 * b.kind + a.kind]
        mix = mixed(a.starts, b.starts, weight_of(share))
        parts = [(share, b, mix)]
        for c in more:
            share = self.shares[first_share + 64 + 8 * b.kind + c.kind]
            mix = mixed(mix, c.starts, weight_of(share))
            parts.append((share, c, mix))
        value = self.coder.one_of(mix)
        for share, line, whole in parts:
            learn_share(share, chance(line.starts, value), chance(whole, value))
        for line in lines:
            line.learn(value)
        return value

    def read(self, use: int, contexts: Sequence[int]) -> int:
        first_share = 2 * SHARES_OF_HALF * use
        high = self.half(contexts, first_share)
        low = [hash_of(context, 1 + high) for context in contexts]
        return high << 4 | self.half(low, first_share + SHARES_OF_HALF)
