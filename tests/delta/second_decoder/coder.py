"""Range decoder, slots and mixer ("Decisions", "Models", "Mixing", "Numbers")."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

U32 = 0xFFFFFFFF
STRETCH_MAX = 3071
WEIGHT_MAX = 0x7FFFF
LARGE_FIELDS = {1, 3, 4, 5, 6}
RATES = (
    *(860, 540, 380, 280, 220, 175, 137, 120, 108, 98, 89, 82, 76),
    *(71, 66, 62, 59, 55, 53),
)
SQUASH = [min(65535, round(65536 / (1 + math.exp(-i / 8)))) for i in range(98)]


def stretch(p: int) -> int:
    q = max(1, p if p < 32768 else 65536 - p)
    width = 1 << max(0, q.bit_length() - 6)
    middle = q // width * width + width // 2
    value = 0 if q == 32768 else round(256 * math.log(middle / (65536 - middle)))
    return value if p < 32768 else -value


STRETCH = [stretch(p) for p in range(65536)]


def squash(x: int) -> int:
    a = min(abs(x), STRETCH_MAX)
    low, high = SQUASH[a >> 5], SQUASH[(a >> 5) + 1]
    value = low + ((high - low) * (a & 31) >> 5)
    return 65536 - value if x < 0 else value


def hash_of(a: int, b: int) -> int:
    h = (a * 0x9E3779B1 ^ (b + 0x7F4A7C15) * 0x85EBCA6B) & U32
    h = (h ^ h >> 15) * 0x2C1B3C6D & U32
    return h ^ h >> 13


def fresh_slots(count: int) -> list[list[int]]:
    return [[1 << 19, 0] for _ in range(count)]


def dot(weights: list[int], inputs: list[int]) -> int:
    total = sum(w * x >> 8 for w, x in zip(weights, inputs, strict=True)) >> 8
    return max(-STRETCH_MAX, min(STRETCH_MAX, total))


def learn_weights(weights: list[int], inputs: list[int], total: int, bit: int, rate: int) -> None:
    error = (65535 if bit else 0) - squash(total) >> 2
    for i, x in enumerate(inputs):
        weight = weights[i] + (x * error + (1 << rate - 1) >> rate)
        weights[i] = max(-WEIGHT_MAX, min(WEIGHT_MAX, weight))


@dataclass(frozen=True)
class Input:
    """What a slot says, negated if it tells of a guess of 0; or a hint."""

    slot: int | None
    flip: int = 0
    hint: int = 0


@dataclass
class Run:
    """Which byte came last in a context, and how often."""

    check: int = 0x8000
    byte: int = 0
    times: int = 0

    def hint(self, node: int, bit: int) -> int:
        if self.times == 0 or (self.byte | 256) >> bit + 1 != node:
            return 0
        hint = 77 + 90 * min(self.times, 7)
        return hint if self.byte >> bit & 1 else -hint

    def keep(self, byte: int) -> None:
        again = self.byte == byte and self.times > 0
        self.byte, self.times = byte, min(255, self.times + 1) if again else 1


class Coder:
    """Decisions of the payload and the models that learn from them."""

    def __init__(self, payload: bytes, slot_count: int, *, fast: bool, wide: bool = False) -> None:
        self.payload = payload
        self.at = 4
        self.range = U32
        self.code = int.from_bytes(payload[:4].ljust(4, b"\0"), "big")
        self.runs = [Run() for _ in range(slot_count // (8 if wide else 4) + 1)]
        slot_count = slot_count - len(self.runs) & ~3
        self.probability = [1 << 15] * slot_count
        self.count = [0] * slot_count
        self.check = [0] * slot_count
        self.weights = [[9830] * 20 for _ in range(256 + (1024 if wide else 0))]
        self.mixes = 4 if wide else 2
        self.last_weights = [[65536 // self.mixes] * self.mixes for _ in range(4)]
        self.curves = [[squash((k - 8) * 256) for k in range(17)] for _ in range(512 * wide)]
        self.last_lengths = [0, 0, 0, 0]
        self.slots = fresh_slots(4096) if fast else None
        self.taught: int | None = None

    def decide(self, p: int) -> int:
        bound = (self.range >> 16) * p
        bit = int(self.code < bound)
        if bit:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        self.refill()
        return bit

    def one_of(self, starts: list[int]) -> int:
        """One decision of as many outcomes as there are starts; the last one is 16384."""
        unit = self.range >> 14
        place = min(16383, self.code // unit)
        value = sum(start <= place for start in starts) - 1
        self.code = self.code - unit * starts[value] & U32
        self.range = unit * (starts[value + 1] - starts[value])
        self.refill()
        return value

    def refill(self) -> None:
        while self.range < 1 << 24:
            byte = self.payload[self.at] if self.at < len(self.payload) else 0
            self.at += 1
            self.range = self.range << 8 & U32
            self.code = (self.code << 8 | byte) & U32

    def raw(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.decide(32768)
        return value

    def slot(self, context: int) -> int:
        first, check = context * len(self.count) >> 32, context & 0xFFF
        line = (first, first ^ 1, first ^ 2)
        for place in line:
            if self.check[place] == check:
                return place
        place = min(line, key=lambda at: self.count[at])
        self.probability[place], self.count[place], self.check[place] = 1 << 15, 0, check
        return place

    def mix(
        self,
        contexts: list[int],
        sets: tuple[int, int],
        guesses: Sequence[tuple[int, int]] = (),
        taught: int | None = None,
    ) -> int:
        """One decision of the average of two mixes; with `taught` it is known."""
        inputs = [*(Input(self.slot(context)) for context in contexts), *self.guesses(guesses)]
        values = self.values(inputs)
        pair = [self.weights[number % 256] for number in sets]
        sums = [dot(weights, values) for weights in pair]
        bit = self.decide_mixed(squash(int((sums[0] + sums[1]) / 2)), taught)
        for weights, total in zip(pair, sums, strict=True):
            learn_weights(weights, values, total, bit, 12)
        self.learn_slots(inputs, bit)
        return bit

    def mix_twice(
        self, inputs: list[Input], sets: tuple[int, ...], last: int, taught: int | None
    ) -> int:
        """One decision of a mix of mixes; with `taught` it is known, and only learned from."""
        values = self.values(inputs)
        chosen = [self.weights[number] for number in sets[: self.mixes]]
        sums = [dot(weights, values) for weights in chosen]
        total = dot(self.last_weights[last], sums)
        if self.curves:
            bit = self.decide_corrected(total, self.curves[sets[2] - 256], taught)
        else:
            bit = self.decide_mixed(squash(total), taught)
        learn_weights(self.last_weights[last], sums, total, bit, 15)
        for weights, each in zip(chosen, sums, strict=True):
            learn_weights(weights, values, each, bit, 12)
        self.learn_slots(inputs, bit)
        return bit

    def guesses(self, guesses: Sequence[tuple[int, int]]) -> list[Input]:
        """Slots that know how often a guess is right: (context, guessed bit)."""
        return [Input(self.slot(context), flip=1 - bit) for context, bit in guesses]

    def values(self, inputs: list[Input]) -> list[int]:
        values = []
        for each in inputs:
            value = each.hint if each.slot is None else STRETCH[self.probability[each.slot]]
            values.append(-value if each.flip else value)
        return [*values, *[0] * (19 - len(values)), 256]

    def decide_mixed(self, p: int, taught: int | None) -> int:
        return self.decide(max(1, min(65535, p))) if taught is None else taught

    def decide_corrected(self, x: int, curve: list[int], taught: int | None) -> int:
        k, w = divmod(max(0, min(4095, x + 2048)), 256)
        point = curve[k] * (256 - w) + curve[k + 1] * w >> 8
        bit = self.decide_mixed(squash(x) + point >> 1, taught)
        k += w >= 128
        curve[k] += (65535 if bit else 0) - curve[k] >> 6
        return bit

    def learn_slots(self, inputs: list[Input], bit: int) -> None:
        for each in inputs:
            if each.slot is None:
                continue
            aim = 0xFFFF if bit ^ each.flip else 0
            step = (aim - self.probability[each.slot]) * RATES[self.count[each.slot]] >> 10
            self.probability[each.slot] += step
            self.count[each.slot] = min(15, self.count[each.slot] + 1)

    def run(self, context: int) -> Run:
        run = self.runs[context * len(self.runs) >> 32]
        if run.check != context & 0xFFFF:
            run.check, run.byte, run.times = context & 0xFFFF, 0, 0
        return run

    @staticmethod
    def learn(slot: list[int], bit: int) -> None:
        """`slot`: without a context, a probability and how often it has learned."""
        slot[0] += ((0xFFFFF if bit else 0) - slot[0]) * RATES[slot[1]] >> 10
        slot[1] = min(18, slot[1] + 1)

    def number_bit(self, field: int, context: int, node: int) -> int:
        last = self.last_lengths
        below = node >= 64
        contexts = [
            hash_of(0x100 + field, node),
            hash_of(0x200 + field, node + 4096 * context),
            hash_of(0x500 + field, node % 64)
            if below
            else hash_of(0x300 + field, node + 4096 * last[field & 3]),
            hash_of(0x400 + field, node + 4096 * (last[0] + 64 * last[1] + 4096 * last[2]) & U32),
        ]
        return self.mix(contexts, (250 + below, 232 + 2 * (field & 3) + below))

    def one(self, slot: list[int]) -> int:
        """One decision of one slot alone."""
        bit = self.decide(max(1, slot[0] >> 4))
        self.learn(slot, bit)
        return bit

    def quick_number(self, slots: list[list[int]], place: int, context: int) -> int:
        length, value = 0, 1
        while length < 31 and self.one(slots[place + min(context, 7) * 32 + length]):
            length += 1
        for i in reversed(range(length)):
            known = i + 3 >= length
            bit = self.one(slots[place + 256 + length * 8 + value]) if known else self.raw(1)
            value = value << 1 | bit
        return value - 1

    def size(self, field: int, context: int) -> int:
        if field in LARGE_FIELDS:
            place = 1
            for _ in range(5):
                place = place << 1 | self.number_bit(field, context, place)
            return place & 31
        length = 0
        while length < 31 and self.number_bit(field, context, length):
            length += 1
        return length

    def number(self, field: int, context: int) -> int:
        if self.slots is not None:
            return self.quick_number(self.slots, field * 512, context)
        length = self.size(field, context)
        value = node = 1
        for i in reversed(range(length)):
            if i + 4 > length or i < 2:
                place = 32 + i if i < 2 and i + 4 <= length else node
                bit = self.number_bit(field, context, 64 + length * 64 + place)
            else:
                bit = self.raw(1)
            node = (node << 1 | bit) & 31
            value = value << 1 | bit
        self.last_lengths[field & 3] = length
        return value - 1
