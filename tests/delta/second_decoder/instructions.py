"""Addresses in single instructions ("Instructions"): reading one, and writing another one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

NONE, THUMB, ARM, AARCH64, RISCV, XTENSA = range(6)
CALL, BRANCH, LITERAL, POINTER, RELATIVE, HIGH, LOW = range(1, 8)
U32 = 0xFFFFFFFF

# Kind, address that is named, and a function that gives the word for another one, or None.
Reference = tuple[int, int, Callable[[int], int | None]]


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def fits(offset: int, bits: int) -> bool:
    return signed(offset, bits) == signed(offset, 32)


def gather(word: int, places: list[tuple[int, int, int]]) -> int:
    """Collect the fields (bit of the word, bit of the value, width)."""
    return sum((word >> at & (1 << width) - 1) << to for at, to, width in places)


def scatter(word: int, value: int, places: list[tuple[int, int, int]]) -> int:
    for at, to, width in places:
        mask = (1 << width) - 1
        word = word & ~(mask << at) | (value >> to & mask) << at
    return word


def relative(
    word: int, kind: int, origin: int, places: list[tuple[int, int, int]], bits: int
) -> Reference:
    """A signed offset of `bits` bits from `origin`; the lowest coded bit says its unit."""
    unit = 1 << min(to for _, to, _ in places)

    def put(target: int) -> int | None:
        offset = target - origin
        if offset % unit or not fits(offset, bits):
            return None
        return scatter(word, offset, places)

    return kind, origin + signed(gather(word, places), bits) & U32, put


def pool(word: int, origin: int, scale: int, width: int, place: tuple[int, int]) -> Reference:
    """An unsigned offset whose sign is a bit of its own: `place` is (offset bit, sign bit)."""
    at, sign = place
    mask = (1 << width) - 1
    offset = (word >> at & mask) * scale

    def put(target: int) -> int | None:
        moved = signed(target - origin, 32)
        up = moved > 0 or (moved == 0 and word >> sign & 1)
        if abs(moved) > mask * scale or moved % scale:
            return None
        return word & ~(mask << at | 1 << sign) | (abs(moved) // scale) << at | int(up) << sign

    return LITERAL, origin + (offset if word >> sign & 1 else -offset) & U32, put


def thumb_wide(word: int, origin: int, unit: int) -> Reference:
    """BL, BLX and B.W: the two J bits are the inverse of the offset's, xored with its sign."""
    h, low = word & 0xFFFF, word >> 16
    s = h >> 10 & 1
    i1, i2 = ~(low >> 13 ^ s) & 1, ~(low >> 11 ^ s) & 1
    offset = s << 24 | i1 << 23 | i2 << 22 | (h & 0x3FF) << 12 | (low & 0x7FF) << 1

    def put(target: int) -> int | None:
        moved = target - origin
        if target % unit or moved % 2 or not fits(moved, 25):
            return None
        sign = moved >> 24 & 1
        first = h & 0xF800 | sign << 10 | moved >> 12 & 0x3FF
        j1, j2 = ~(moved >> 23 ^ sign) & 1, ~(moved >> 22 ^ sign) & 1
        return first | (low & 0xD000 | j1 << 13 | j2 << 11 | moved >> 1 & 0x7FF) << 16

    return CALL, origin + signed(offset, 25) & U32, put


def forward(word: int, origin: int, places: list[tuple[int, int, int]], kind: int) -> Reference:
    """An unsigned offset, forward only."""
    unit = 1 << min(to for _, to, _ in places)
    most = sum(((1 << width) - 1) << to for _, to, width in places)

    def put(target: int) -> int | None:
        offset = target - origin & U32
        return scatter(word, offset, places) if offset <= most and offset % unit == 0 else None

    return kind, origin + gather(word, places) & U32, put


def arm_pool(word: int, origin: int) -> Reference:
    """Like `pool`, but an offset of 0 counts as forward."""
    kind, target, put = pool(word, origin, 1, 12, (0, 23))
    here = origin & U32
    return kind, target, lambda to: put(to) if to != here else word & ~0xFFF | 1 << 23


@dataclass(frozen=True)
class Form:
    """Words with `word & mask == value`, unless the same is true of `unless`."""

    mask: int
    value: int
    read: Callable[[int, int], Reference]  # (word, address)
    unless: tuple[int, int] = (0, 1)

    def holds(self, word: int) -> bool:
        return word & self.mask == self.value and word & self.unless[0] != self.unless[1]


Places = list[tuple[int, int, int]]


def jump(kind: int, places: Places, bits: int, ahead: int = 0) -> Callable[[int, int], Reference]:
    """Return a reader of an offset that counts from the address and `ahead`."""
    return lambda word, at: relative(word, kind, at + ahead, places, bits)


def aligned(read: Callable[[int, int], Reference], ahead: int) -> Callable[[int, int], Reference]:
    """Return a reader whose offset counts from the address and `ahead`, rounded down to 4."""
    return lambda word, at: read(word, at + ahead & ~3)


WIDE = [(10, 20, 1), (27, 19, 1), (29, 18, 1), (0, 12, 6), (16, 1, 11)]
JAL = [(31, 20, 1), (12, 12, 8), (20, 11, 1), (21, 1, 10)]
RISCV_BRANCH = [(31, 12, 1), (7, 11, 1), (25, 5, 6), (8, 1, 4)]
SHORT_JUMP = [(12, 11, 1), (8, 10, 1), (9, 8, 2), (6, 7, 1), (7, 6, 1), (2, 5, 1), (11, 4, 1)]
SHORT_JUMP += [(3, 1, 3)]
SHORT_BRANCH = [(12, 8, 1), (5, 6, 2), (2, 5, 1), (10, 3, 2), (3, 1, 2)]
EXCHANGE = [(0, 2, 24), (24, 1, 1)]
ADR = [(29, 0, 2), (5, 2, 19)]


FORMS = {
    NONE: (),
    THUMB: (
        Form(0xD000F800, 0xD000F000, lambda w, at: thumb_wide(w, at + 4, 1)),
        Form(0xD000F800, 0x9000F000, lambda w, at: thumb_wide(w, at + 4, 1)),
        Form(0xD001F800, 0xC000F000, aligned(partial(thumb_wide, unit=4), 4)),
        Form(0xD000F800, 0x8000F000, jump(BRANCH, WIDE, 21, 4), (0x0380, 0x0380)),
        Form(0x0000FF1F, 0x0000F81F, aligned(partial(pool, scale=1, width=12, place=(16, 7)), 4)),
        Form(0x0E00FF3F, 0x0A00ED1F, aligned(partial(pool, scale=4, width=8, place=(16, 7)), 4)),
        Form(0xF800, 0x4800, aligned(partial(forward, places=[(0, 2, 8)], kind=LITERAL), 4)),
        Form(0xF800, 0xA000, aligned(partial(forward, places=[(0, 2, 8)], kind=LITERAL), 4)),
        Form(0xF800, 0xE000, jump(BRANCH, [(0, 1, 11)], 12, 4)),
        Form(0xF000, 0xD000, jump(BRANCH, [(0, 1, 8)], 9, 4), (0x0E00, 0x0E00)),
        Form(0xF500, 0xB100, lambda w, at: forward(w, at + 4, [(3, 1, 5), (9, 6, 1)], BRANCH)),
    ),
    ARM: (
        Form(0xFE000000, 0xFA000000, jump(CALL, EXCHANGE, 26, 8)),
        Form(0x0E000000, 0x0A000000, jump(CALL, [(0, 2, 24)], 26, 8)),
        Form(0x0F3F0000, 0x051F0000, lambda w, at: arm_pool(w, at + 8), (0xF0000000, 0xF0000000)),
    ),
    AARCH64: (
        Form(0x7C000000, 0x14000000, jump(CALL, [(0, 2, 26)], 28)),
        Form(0xFF000010, 0x54000000, jump(BRANCH, [(5, 2, 19)], 21)),
        Form(0x7E000000, 0x34000000, jump(BRANCH, [(5, 2, 19)], 21)),
        Form(0x7E000000, 0x36000000, jump(BRANCH, [(5, 2, 14)], 16)),
        Form(0x3B000000, 0x18000000, jump(LITERAL, [(5, 2, 19)], 21)),
        Form(0x9F000000, 0x10000000, jump(LITERAL, ADR, 21)),
    ),
    RISCV: (
        Form(0xE003, 0xA001, jump(BRANCH, SHORT_JUMP, 12)),
        Form(0xC003, 0xC001, jump(BRANCH, SHORT_BRANCH, 9)),
        Form(0x7F, 0x6F, jump(CALL, JAL, 21)),
        Form(0x7F, 0x63, jump(BRANCH, RISCV_BRANCH, 13)),
    ),
    XTENSA: (
        Form(0x0F, 0x05, lambda w, at: relative(w, CALL, (at & ~3) + 4, [(6, 2, 18)], 20)),
        Form(0x3F, 0x06, jump(BRANCH, [(6, 0, 18)], 18, 4)),
        Form(0x0F, 0x01, lambda w, at: forward(w, (at + 3 & ~3) - 0x40000, [(8, 2, 16)], LITERAL)),
    ),
}


def reference(instruction_set: int, word: int, address: int) -> Reference | None:
    for form in FORMS[instruction_set]:
        if form.holds(word):
            return form.read(word, address)
    return None


def length_of(instruction_set: int, word: int) -> int:
    if instruction_set == THUMB:
        return 4 if word & 0xF800 >= 0xE800 else 2
    if instruction_set == RISCV:
        return 4 if word & 3 == 3 else 2
    if instruction_set == XTENSA:
        return 2 if 8 <= word & 15 < 14 else 3
    return 4


def step_of(instruction_set: int) -> int:
    return {THUMB: 2, RISCV: 2, XTENSA: 1}.get(instruction_set, 4)
