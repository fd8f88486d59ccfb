"""A coder that writes decisions where the second decoder reads them, whatever they say."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from tests.delta.second_decoder.coder import U32, Coder
from tests.delta.second_decoder.seals import NO_OTHER, SEALS_MAX, Seal
from typing_extensions import override


class Writer(Coder):
    """Makes the payload of a fast patch in which the decisions come out as `choose` has them.

    Args:
        slot_count: of the models.
        choose: called with the probability of 1, 1..65535; returns the decision. Of a decision of
            sixteen outcomes it chooses the four bits, the highest first.
    """

    def __init__(self, slot_count: int, choose: Callable[[int], int]) -> None:
        super().__init__(b"", slot_count, fast=True)
        self.choose = choose
        self.low = 0
        self.length = 4

    @override
    def decide(self, p: int) -> int:
        bound = (self.range >> 16) * p
        bit = self.choose(p)
        if bit:
            self.range = bound
        else:
            self.low += bound
            self.range -= bound
        self.drain()
        return bit

    @override
    def one_of(self, starts: list[int]) -> int:
        low, high = 0, len(starts) - 1
        while high - low > 1:
            middle = (low + high) // 2
            ones, both = starts[high] - starts[middle], starts[high] - starts[low]
            if self.choose(max(1, (ones << 16) // both)):
                low = middle
            else:
                high = middle
        unit = self.range >> 14
        self.low += unit * starts[low]
        self.range = unit * (starts[high] - starts[low])
        self.drain()
        return low

    def write_seals(self, seals: Sequence[Seal], target_length: int) -> None:
        """Say what seals there are, whatever is chosen."""
        chosen = self.choose
        for seal in seals:
            numbers = target_length - seal.after, seal.at - seal.end
            kind = seal.kind >> 1, seal.kind & 1
            self.choose = script([0, *kind, *chain.from_iterable(number(n & U32) for n in numbers)])
            self.decide(NO_OTHER)
            self.raw(2)
            self.number(7, 3)
            self.number(7, 4)
        self.choose = script([1])
        if len(seals) < SEALS_MAX:
            self.decide(NO_OTHER)
        self.choose = chosen

    def drain(self) -> None:
        while self.range < 1 << 24:
            self.range = self.range << 8 & U32
            self.low <<= 8
            self.length += 1

    def written(self) -> bytes:
        return self.low.to_bytes(self.length, "big").rstrip(b"\0")


def number(value: int) -> Iterator[int]:
    """Return the decisions of a number."""
    length = (value + 1).bit_length() - 1
    yield from [1] * length
    if length < 31:
        yield 0
    yield from (value + 1 >> i & 1 for i in reversed(range(length)))


def script(decisions: Iterable[int]) -> Callable[[int], int]:
    """Return a choice that goes through decisions, and then takes 0."""
    left = iter(decisions)
    return lambda _: next(left, 0)
