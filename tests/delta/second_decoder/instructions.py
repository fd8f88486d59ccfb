"""Addresses in single instructions ("Instructions"): reading one, and writing another one."""

from collections.abc import Callable

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


def thumb_long(word: int, pc: int) -> Reference | None:
    h, low = word & 0xFFFF, word >> 16
    aligned = pc & ~3
    if h & 0xF800 == 0xF000:
        if low & 0xD000 in (0xD000, 0x9000):
            return thumb_wide(word, pc, 1)
        if low & 0xD001 == 0xC000:
            return thumb_wide(word, aligned, 4)
        if low & 0xD000 == 0x8000 and h & 0x0380 != 0x0380:
            places = [(10, 20, 1), (27, 19, 1), (29, 18, 1), (0, 12, 6), (16, 1, 11)]
            return relative(word, BRANCH, pc, places, 21)
        return None
    if h & 0xFF1F == 0xF81F:
        return pool(word, aligned, 1, 12, (16, 7))
    if h & 0xFF3F == 0xED1F and low & 0x0E00 == 0x0A00:
        return pool(word, aligned, 4, 8, (16, 7))
    return None


def thumb_near(word: int, origin: int, places: list[tuple[int, int, int]], kind: int) -> Reference:
    """An unsigned offset, forward only."""
    unit = 1 << min(to for _, to, _ in places)
    most = sum(((1 << width) - 1) << to for _, to, width in places)

    def put(target: int) -> int | None:
        offset = target - origin & U32
        return scatter(word, offset, places) if offset <= most and offset % unit == 0 else None

    return kind, origin + gather(word, places) & U32, put


def thumb(word: int, address: int) -> Reference | None:
    pc = address + 4
    h = word & 0xFFFF
    if h & 0xF800 >= 0xE800:
        return thumb_long(word, pc)
    if h & 0xF800 in (0x4800, 0xA000):
        return thumb_near(word, pc & ~3, [(0, 2, 8)], LITERAL)
    if h & 0xF800 == 0xE000:
        return relative(word, BRANCH, pc, [(0, 1, 11)], 12)
    if h & 0xF000 == 0xD000 and h & 0x0F00 < 0x0E00:
        return relative(word, BRANCH, pc, [(0, 1, 8)], 9)
    if h & 0xF500 == 0xB100:
        return thumb_near(word, pc, [(3, 1, 5), (9, 6, 1)], BRANCH)
    return None


def arm(word: int, address: int) -> Reference | None:
    pc = address + 8
    if word & 0x0E000000 == 0x0A000000:
        places = [(0, 2, 24)] + ([(24, 1, 1)] if word >> 28 == 15 else [])
        return relative(word, CALL, pc, places, 26)
    if word & 0x0F3F0000 == 0x051F0000 and word >> 28 != 15:
        kind, target, put = pool(word, pc, 1, 12, (0, 23))
        return kind, target, lambda to: put(to) if to != pc & U32 else word & ~0xFFF | 1 << 23
    return None


def aarch64(word: int, address: int) -> Reference | None:
    if word & 0x7C000000 == 0x14000000:
        return relative(word, CALL, address, [(0, 2, 26)], 28)
    if word & 0xFF000010 == 0x54000000 or word & 0x7E000000 == 0x34000000:
        return relative(word, BRANCH, address, [(5, 2, 19)], 21)
    if word & 0x7E000000 == 0x36000000:
        return relative(word, BRANCH, address, [(5, 2, 14)], 16)
    if word & 0x3B000000 == 0x18000000:
        return relative(word, LITERAL, address, [(5, 2, 19)], 21)
    if word & 0x9F000000 == 0x10000000:
        return relative(word, LITERAL, address, [(29, 0, 2), (5, 2, 19)], 21)
    return None


JAL = [(31, 20, 1), (12, 12, 8), (20, 11, 1), (21, 1, 10)]
RISCV_BRANCH = [(31, 12, 1), (7, 11, 1), (25, 5, 6), (8, 1, 4)]
SHORT_JUMP = [(12, 11, 1), (8, 10, 1), (9, 8, 2), (6, 7, 1), (7, 6, 1), (2, 5, 1), (11, 4, 1)]
SHORT_JUMP += [(3, 1, 3)]
SHORT_BRANCH = [(12, 8, 1), (5, 6, 2), (2, 5, 1), (10, 3, 2), (3, 1, 2)]


def riscv(word: int, address: int) -> Reference | None:
    if word & 3 != 3:
        if word & 0xE003 == 0xA001:
            return relative(word, BRANCH, address, SHORT_JUMP, 12)
        if word & 0xC003 == 0xC001:
            return relative(word, BRANCH, address, SHORT_BRANCH, 9)
        return None
    if word & 0x7F == 0x6F:
        return relative(word, CALL, address, JAL, 21)
    if word & 0x7F == 0x63:
        return relative(word, BRANCH, address, RISCV_BRANCH, 13)
    return None


def xtensa(word: int, address: int) -> Reference | None:
    if word & 15 == 5:
        return relative(word, CALL, (address & ~3) + 4, [(6, 2, 18)], 20)
    if word & 63 == 6:
        return relative(word, BRANCH, address + 4, [(6, 0, 18)], 18)
    if word & 15 == 1:
        origin = (address + 3 & ~3) - 0x40000
        return thumb_near(word, origin, [(8, 2, 16)], LITERAL)
    return None


def reference(instruction_set: int, word: int, address: int) -> Reference | None:
    find = (None, thumb, arm, aarch64, riscv, xtensa)[instruction_set]
    return find(word, address) if find else None


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
