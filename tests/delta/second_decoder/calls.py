"""Calls in code that no cover holds ("Calls")."""

from dataclasses import dataclass

from tests.delta.second_decoder import instructions as isa
from tests.delta.second_decoder.coder import U32, Coder, hash_of
from tests.delta.second_decoder.flow import Flow
from tests.delta.second_decoder.places import Places

LENGTH = 4
FORMS = {
    isa.THUMB: (0xF800F000, 0xB800F000),
    isa.ARM: (0xEB000000, 0xEA000000),
    isa.AARCH64: (0x94000000, 0x14000000),
    isa.RISCV: (0x000000EF, 0x0000006F),
}


@dataclass(frozen=True)
class Call:
    form: int
    target: int  # offset in the target


@dataclass(frozen=True)
class Expected:
    """Calls that may come: one that goes where an earlier one goes, and one as far."""

    calls: tuple[Call | None, Call | None]
    trust: int

    @property
    def known(self) -> Call | None:
        return self.calls[1] or self.calls[0]

    @property
    def sure(self) -> int:
        return self.trust if self.known else 0


class Calls:
    def __init__(self, coder: Coder, places: Places, instruction_set: int, length: int) -> None:
        self.coder = coder
        self.places = places
        self.set = instruction_set
        self.step = isa.step_of(instruction_set)
        self.length = length
        self.history = 0
        self.last = [0, 0]
        self.like = 0

    def may_stand(self, offset: int, left: int, flow: Flow) -> bool:
        return (
            self.set in FORMS
            and left >= LENGTH
            and offset % self.step == 0
            and flow.wide == 0
            and flow.pool(offset) == 0
        )

    def put(self, form: int, address: int, target: int) -> int:
        word = FORMS[self.set][form]
        found = isa.reference(self.set, word, address)
        assert found is not None
        put = found[2](target)
        return word if put is None else put

    def read(self, side: int, offset: int, word: int) -> Call | None:
        """Read the call that stands at an offset of one side, with a target that is inside."""
        address = self.places.address(side, offset)
        found = isa.reference(self.set, word, address)
        if found is None or found[0] != isa.CALL or isa.length_of(self.set, word) != LENGTH:
            return None
        if found[1] == address:
            return None
        for form in range(2):
            if self.put(form, address, found[1]) == word:
                break
        else:
            return None
        to = self.places.translate(found[1], local=False)[0] if side == 0 else found[1]
        target = self.places.target_offset(to)
        if target >= self.length or target % self.step or self.places.address(1, target) != to:
            return None
        return Call(form, target)

    def decide(self, contexts: list[int], sets: tuple[int, int], taught: int | None) -> int:
        return self.coder.mix(contexts, sets, taught=taught)

    def whether(self, order: int, flow: Flow, sure: int, taught: int | None) -> int:
        o, operations = order & U32, flow.operations
        contexts = [
            hash_of(0x80, o),
            hash_of(0x81, o & 0xFFFF),
            hash_of(0x82, operations & 0xFFFF),
            hash_of(0x83, operations & 0xFFFFFF),
            hash_of(0x84, sure),
            hash_of(0x85, self.history & 0xFF),
            hash_of(0x86, o >> 24),
            hash_of(0x87 + (order >> 32) & U32, o),
            hash_of(0x88, o & 0xF8),
        ]
        bit = self.decide(contexts, (245, 246), taught)
        self.history = self.history << 1 | bit
        return bit

    def form(self, order: int, flow: Flow, expected: int, taught: int | None) -> int:
        contexts = [
            hash_of(0x90, order & U32),
            hash_of(0x91, order & 0xFFFF),
            hash_of(0x92, flow.operations & 0xFFFF),
            hash_of(0x93, expected),
        ]
        return self.decide(contexts, (247, 247), taught)

    def where(self, order: int, offset: int, expected: Expected, taught: int | None) -> int:
        o, older, last = order & U32, order >> 32, self.last
        bits, node = max(1, (self.length // self.step).bit_length()), 1
        for bit in reversed(range(bits)):
            contexts = [
                hash_of(0xA0, node),
                hash_of(0xA1 + (last[0] << 8) & U32, node),
                hash_of(0xA2 + (o << 8 & 0xFFFF00), node),
                hash_of(0xA3 + (o << 8) & U32, node),
                hash_of(0xA4 + (offset >> 10 << 8), node),
                hash_of(0xA5 + (offset >> 13 << 8), node),
                hash_of(0xA6 + (o << 8) & U32, node + older & U32),
                hash_of(0xA7 + (last[0] << 8) & U32, node + last[1] & U32),
            ]
            guesses = []
            for i, like in enumerate(expected.calls):
                place = 0 if like is None else like.target // self.step + (1 << bits)
                if place >> bit + 1 == node:
                    kind = 0xA8 + i + (expected.sure << 8) + (self.like << 16)
                    guesses.append((hash_of(kind, bit), place >> bit & 1))
            known = None if taught is None else taught // self.step >> bit & 1
            sets = (248, 249 if expected.known else 248)
            node = node << 1 | self.coder.mix(contexts, sets, guesses, known)
        return (node - (1 << bits)) * self.step

    def code(
        self,
        offset: int,
        order: int,
        flow: Flow,
        expected: Expected,
        taught: tuple[Call | None] | None,
    ) -> Call | None:
        """Read whether there is a call, and which; with `taught` it is known."""
        known = taught[0] if taught is not None else None
        told = None if taught is None else int(known is not None)
        if not self.whether(order, flow, expected.sure, told):
            return None
        told_form = 1 + expected.known.form if expected.known else 0
        form = self.form(order, flow, told_form, known.form if known else None)
        target = self.where(order, offset, expected, known.target if known else None)
        self.last = [target, self.last[0]]
        call = Call(form, target)
        if expected.known:
            self.like = sum(1 << i for i, like in enumerate(expected.calls) if like == call)
        return call
