"""Units: instructions and words of the base whose addresses moved ("Prediction")."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.delta.second_decoder import instructions as isa
from tests.delta.second_decoder.pairs import makes_high, uses_low, with_high, with_low
from tests.delta.second_decoder.places import Places

U32 = 0xFFFFFFFF
LOW_SCAN = 8
ANCHOR_SCAN = 24
PAIR_REACH = 64
NOWHERE = 0xFFFFFFFF


@dataclass
class Unit:
    length: int
    kind: int
    old: bytes
    moved: bytes
    taken: bytes
    key: int
    offset: int
    trust_class: int
    anchor: int = 0
    used: int = 0


def four(word: int) -> bytes:
    return (word & U32).to_bytes(4, "little")


class Predictor:
    def __init__(
        self, instruction_set: int, places: Places, base_word: Callable[[int], int]
    ) -> None:
        self.instruction_set = instruction_set
        self.places = places
        self.base_word = base_word
        self.trust = [0] * 32
        self.correction = [0] * 32
        self.pairs = [(NOWHERE, 0, 0)] * 32  # offset, high in the base, high in the target
        self.next_unit = 0
        self.last_class = 0

    def predict(self, base: int, end: int, target_position: int) -> Unit | None:
        left = end - base
        if self.instruction_set == isa.NONE or left < 2:
            return None
        word = self.base_word(base)
        here = self.places.address(0, base), self.places.address(1, target_position)
        aligned = base % 4 == 0 and left >= 4
        if aligned:
            unit = self._anchored(base, word, here[0]) or self._word(base, word, here, isa.POINTER)
            if unit:
                self.next_unit = base + 4
                return unit
        if base < self.next_unit or base % isa.step_of(self.instruction_set):
            return None
        length = isa.length_of(self.instruction_set, word)
        if length > left:
            return None
        self.next_unit = base + length
        unit = None
        if length == 4:
            unit = self._high(base, word, here) or self._low(base, word)
        unit = unit or self._reference(base, word, here)
        if unit is None and aligned:
            unit = self._word(base, word, here, isa.RELATIVE)
        return unit

    def learn(self, unit: Unit, made: bytes, address: int) -> None:
        """`made`: the target's bytes of the unit; `address`: where they stand."""
        moved = unit.moved[: unit.length] == made
        left = unit.old[: unit.length] == made
        trust = self.trust[unit.trust_class] + moved - left
        self.trust[unit.trust_class] = max(-15, min(15, trust))
        word = int.from_bytes(made, "little")
        if not moved:
            wrong = int.from_bytes(unit.moved[: unit.length], "little")
            self.correction[unit.trust_class] = word - wrong & (1 << 8 * unit.length) - 1
        if unit.kind == isa.POINTER:
            odd = word & 1 if self.instruction_set == isa.THUMB else 0
            self.places.learn(unit.key, word - odd)
        elif unit.kind == isa.RELATIVE:
            if unit.anchor:
                self.places.learn(unit.key, word + unit.anchor & ~1)
        elif unit.kind == isa.HIGH:
            self._learn_high(unit, word, address)
        elif unit.kind == isa.LOW:
            self._learn_low(unit, word)
        else:
            found = isa.reference(self.instruction_set, word, address)
            if found and found[0] == unit.kind:
                self.places.learn(unit.key, found[1])

    def _unit(self, base: int, old: int, moved: int, key: int, shape: tuple[int, int, int]) -> Unit:
        """`shape`: length, kind, and how the target of the address is known."""
        length, kind, quality = shape
        self.last_class = (kind << 2 | quality) & 31
        before, after = four(old), four(moved)
        taken = before if self.trust[self.last_class] < 0 else after
        return Unit(length, kind, before, after, taken, key, base, self.last_class)

    def _high(self, base: int, word: int, here: tuple[int, int]) -> Unit | None:
        found = makes_high(self.instruction_set, word, here[0])
        if found is None:
            return None
        register, high = found
        key = high + self._low_ahead(base + 4, register) & U32
        target, quality = self.places.translate(key, local=False)
        moved = with_high(self.instruction_set, word, here[1], target)
        return self._unit(base, word, moved, key, (4, isa.HIGH, quality))

    def _low_ahead(self, base: int, register: int) -> int:
        for _ in range(LOW_SCAN):
            word = self.base_word(base)
            used = uses_low(self.instruction_set, word)
            if used and used[0] == register:
                return used[1]
            made = makes_high(self.instruction_set, word, 0)
            if made and made[0] == register:
                return 0
            base += isa.length_of(self.instruction_set, word)
        return 0

    def _low(self, base: int, word: int) -> Unit | None:
        used = uses_low(self.instruction_set, word)
        if used is None:
            return None
        made_at, base_high, target_high = self.pairs[used[0]]
        if (base - made_at - 1) & U32 >= PAIR_REACH:
            return None
        key = base_high + used[1] & U32
        target, quality = self.places.translate(key, local=False)
        moved = with_low(self.instruction_set, word, target_high, target)
        return self._unit(base, word, moved, key, (4, isa.LOW, quality))

    def _reference(self, base: int, word: int, here: tuple[int, int]) -> Unit | None:
        found = isa.reference(self.instruction_set, word, here[0])
        if found is None:
            return None
        kind, key, _ = found
        target, quality = self.places.translate(key, local=kind in (isa.BRANCH, isa.LITERAL))
        at_target = isa.reference(self.instruction_set, word, here[1])
        moved = at_target[2](target) if at_target else None
        length = isa.length_of(self.instruction_set, word)
        unit = self._unit(
            base, word, word if moved is None else moved, key, (length, kind, quality)
        )
        if kind == isa.LITERAL:
            self._find_anchor(base, word, key)
        return unit

    def _find_anchor(self, base: int, load: int, pool: int) -> None:
        """Look for where a register that was loaded from a pool meets the program counter."""
        register = self._loaded_register(load)
        if register is None:
            return
        arm = self.instruction_set == isa.ARM
        word = load
        for _ in range(ANCHOR_SCAN):
            base += isa.length_of(self.instruction_set, word)
            word = self.base_word(base)
            if arm:
                adds = word & 0x0FFF0FF0 in (0x008F0000, 0x079F0000) and word & 15 == register
            else:
                adds = word & 0xFF78 == 0x4478 and (word & 7 | word >> 4 & 8) == register
            if adds:
                self.places.learn(pool + 1 & U32, self.places.address(0, base) + self._ahead)
                return

    def _loaded_register(self, load: int) -> int | None:
        if self.instruction_set == isa.ARM:
            return None if load & 0x00400000 else load >> 12 & 15
        if self.instruction_set != isa.THUMB:
            return None
        if load & 0xF800 == 0x4800:
            return load >> 8 & 7
        return load >> 28 if load & 0xFF7F == 0xF85F else None

    @property
    def _ahead(self) -> int:
        return 8 if self.instruction_set == isa.ARM else 4

    def _anchored(self, base: int, word: int, address: int) -> Unit | None:
        if self.instruction_set not in (isa.THUMB, isa.ARM):
            return None
        anchor = self.places.recall(address + 1 & U32)
        if anchor is None:
            return None
        key = word + anchor & U32
        moved_anchor = self.places.translate(anchor - self._ahead & U32, local=False)[0]
        moved_anchor = moved_anchor + self._ahead & U32
        target, quality = self.places.translate(key & ~1, local=False)
        moved = target + (key & 1) - moved_anchor
        unit = self._unit(base, word, moved, key & ~1, (4, isa.RELATIVE, quality))
        unit.anchor = moved_anchor
        return unit

    def _word(self, base: int, word: int, here: tuple[int, int], kind: int) -> Unit | None:
        odd = word & 1 if kind == isa.POINTER and self.instruction_set == isa.THUMB else 0
        key = word - odd
        if kind == isa.RELATIVE:
            key = key + here[0] & U32
        if self.places.base_offset(key) is None:
            return None
        target, quality = self.places.translate(key, local=False)
        moved = target + odd - (here[1] if kind == isa.RELATIVE else 0)
        return self._unit(base, word, moved, key, (4, kind, quality))

    def _learn_high(self, unit: Unit, word: int, address: int) -> None:
        old = int.from_bytes(unit.old, "little")
        was = makes_high(self.instruction_set, old, self.places.address(0, unit.offset))
        if was is None:
            return
        offset, _, target_high = self.pairs[was[0]]
        self.pairs[was[0]] = offset, was[1], target_high
        now = makes_high(self.instruction_set, word, address)
        if now is not None:
            self.pairs[was[0]] = unit.offset, was[1], now[1]

    def _learn_low(self, unit: Unit, word: int) -> None:
        used = uses_low(self.instruction_set, word)
        if used is None:
            return
        register, low, last = used
        offset, base_high, target_high = self.pairs[register]
        self.places.learn(unit.key, target_high + low)
        if last:
            self.pairs[register] = NOWHERE, base_high, target_high
        else:
            self.pairs[register] = offset, base_high, target_high
