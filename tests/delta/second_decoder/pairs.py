"""Addresses that two instructions make ("Pairs")."""

from tests.delta.second_decoder.instructions import AARCH64, RISCV, U32, fits, signed


def makes_high(instruction_set: int, word: int, address: int) -> tuple[int, int] | None:
    """Return the register and the upper part it is set to."""
    if instruction_set == AARCH64 and word & 0x9F000000 == 0x90000000:
        pages = signed((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21)
        return word & 31, (address & ~0xFFF) + (pages << 12) & U32
    if instruction_set == RISCV and word & 0x7F in (0x17, 0x37):
        origin = address if word & 0x7F == 0x17 else 0
        return word >> 7 & 31, (word & 0xFFFFF000) + origin & U32
    return None


def with_high(instruction_set: int, word: int, address: int, target: int) -> int:
    if instruction_set == AARCH64:
        pages = signed((target >> 12) - (address >> 12), 20)
        return word & 0x9F00001F | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
    origin = address if word & 0x7F == 0x17 else 0
    return word & 0xFFF | (target - origin + 0x800) & 0xFFFFF000


def access_scale(word: int) -> int:
    """Return log2 of the unit of an A64 ADD's or access's offset."""
    if word & 0xFFC00000 == 0x91000000:
        return 0
    return 4 if word & 0x04800000 == 0x04800000 and word >> 30 == 0 else word >> 30


def is_store(word: int) -> bool:
    return word & 0x7B == 0x23


def is_immediate(word: int) -> bool:
    if word & 0x7F in (0x13, 0x1B, 0x67):
        return word & 0x7000 == 0
    return word & 0x7F in (0x03, 0x07)


def uses_low(instruction_set: int, word: int) -> tuple[int, int, bool] | None:
    """Return the register, the lower part, and whether the register is overwritten."""
    if instruction_set == AARCH64:
        is_access = word & 0x3B000000 == 0x39000000
        if word & 0xFFC00000 != 0x91000000 and not is_access:
            return None
        register = word >> 5 & 31
        stays = is_access and word & 0x00C00000 == 0
        low = (word >> 10 & 0xFFF) << access_scale(word)
        return register, low, word & 31 == register and not stays
    if instruction_set == RISCV and is_store(word):
        low = signed((word >> 25) << 5 | word >> 7 & 31, 12)
        return word >> 15 & 31, low & U32, False
    if instruction_set == RISCV and is_immediate(word):
        register = word >> 15 & 31
        return register, signed(word >> 20, 12) & U32, word >> 7 & 31 == register
    return None


def with_low(instruction_set: int, word: int, high: int, target: int) -> int:
    """Return the word with the lower part of `target`, or as it was where that can't be."""
    low = target - high & U32
    if instruction_set == AARCH64:
        scale = access_scale(word)
        if low > 0xFFF or low % (1 << scale):
            return word
        return word & ~0x003FFC00 | low >> scale << 10
    if not fits(low, 12):
        return word
    if is_store(word):
        return word & 0x01FFF07F | (low >> 5 & 0x7F) << 25 | (low & 31) << 7
    return word & 0x000FFFFF | (low & 0xFFF) << 20
