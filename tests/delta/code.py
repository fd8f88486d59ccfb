"""Made-up code whose references are right at two places: before and after an insertion."""

import struct
from dataclasses import dataclass

from tests.delta.second_decoder.instructions import length_of, reference
from tests.delta.second_decoder.pairs import with_high, with_low

from roadworthy import delta
from roadworthy.base.clock import SeededChance

ADDRESS = 0x10000
ITEMS = 170
A = delta.Architecture
FILLERS = {
    A.NONE: [0x12345678],
    A.THUMB: [0xBF00, 0x2001, 0x4770, 0xB510],
    A.ARM: [0xE1A00000, 0xE3A00001, 0xE12FFF1E],
    A.AARCH64: [0xD503201F, 0x52800020, 0xD65F03C0],
    A.RISCV: [0x00000013, 0x8082, 0x4505],
    A.XTENSA: [0x0020F0, 0xF03D, 0x00A152],
}
REFERENCES = {
    A.NONE: [],
    A.THUMB: [
        *(0xF800F000, 0xE800F000, 0xB800F000, 0x8000F000, 0xE000, 0xD000, 0xB100, 0x4800),
        *(0xA000, 0x0000F8DF, 0x0000F85F, 0x0A00ED9F, 0x0A00ED1F),
    ],
    A.ARM: [0xEB000000, 0xFA000000, 0x0A000000, 0xE59F0000, 0xE51F1000],
    A.AARCH64: [0x94000000, 0x14000000, 0x54000001, 0xB4000000, 0x36000000, 0x58000000, 0x10000000],
    A.RISCV: [0xEF, 0x63, 0xA001, 0xC001, 0xE001],
    A.XTENSA: [0x05, 0x06, 0x01, 0xC1],
}
PAIRS = {
    A.AARCH64: [
        (0x90000000, 0x91000000),
        (0x90000001, 0xD503201F, 0xF9400022),
        (0x90000003, 0x3D800060),
    ],
    A.RISCV: [(0x517, 0x00050513), (0x5B7, 0x13, 0x00A5A023), (0x617, 0x00062683)],
}


@dataclass
class Item:
    """One instruction, a pair (with one between), or a pool word; `label`: what it points at."""

    words: tuple[int, ...]
    label: int | None = None
    kind: str = "code"


def items_for(architecture: delta.Architecture) -> list[Item]:
    chance = SeededChance(f"code-{architecture}").random
    items: list[Item] = []
    pools = list(range(20, ITEMS, 10))
    while len(items) < ITEMS:
        number = len(items)
        choice = chance.random()
        if number in pools:
            items.append(Item((0,), chance.randrange(ITEMS), "pointer"))
        elif number - 1 in pools:
            items.append(Item((0,), chance.randrange(ITEMS), "relative"))
        elif choice < 0.3 or not REFERENCES[architecture]:
            items.append(Item((chance.choice(FILLERS[architecture]),)))
        elif choice < 0.6 and architecture in PAIRS:
            items.append(Item(chance.choice(PAIRS[architecture]), chance.randrange(ITEMS)))
        else:
            near = [n for n in pools if number < n < number + 25] or [chance.randrange(ITEMS)]
            label = chance.choice([near[0], chance.randrange(ITEMS), min(ITEMS - 1, number + 9)])
            items.append(Item((chance.choice(REFERENCES[architecture]),), label))
    return items


def size_of(architecture: delta.Architecture, item: Item, at: int) -> int:
    if item.kind != "code":
        return 4 + -at % 4
    return sum(length_of(architecture, word) for word in item.words)


def encoded(architecture: delta.Architecture, item: Item, at: int, target: int) -> bytes:
    """Return the bytes of an item at an address, pointing at another."""
    if item.kind != "code":
        start = at + -at % 4
        value = target - start if item.kind == "relative" else target
        return bytes(-at % 4) + struct.pack("<I", value & 0xFFFFFFFF)
    if len(item.words) > 1:
        high = with_high(architecture, item.words[0], at, target)
        upper = target & ~0xFFF if architecture == A.AARCH64 else 0
        if architecture == A.RISCV:
            origin = at if high & 0x7F == 0x17 else 0
            upper = (high & 0xFFFFF000) + origin & 0xFFFFFFFF
        low = with_low(architecture, item.words[-1], upper, target)
        return struct.pack(f"<{len(item.words)}I", high, *item.words[1:-1], low)
    word = item.words[0]
    found = reference(architecture, word, at) if item.label is not None else None
    put = found[2](target) if found else None
    whole = struct.pack("<I", word if put is None else put)
    return whole[: length_of(architecture, word)]


def image(architecture: delta.Architecture, items: list[Item], new: set[int]) -> bytes:
    """Lay the items out after an ELF header; labels count only items that are not `new`."""
    places, at = [], ADDRESS + 84
    for number, item in enumerate(items):
        if number not in new:
            places.append(at + (-at % 4 if item.kind != "code" else 0))
        at += size_of(architecture, item, at)
    code, at = b"", ADDRESS + 84
    for item in items:
        target = places[item.label] if item.label is not None else 0
        code += encoded(architecture, item, at, target)
        at = ADDRESS + 84 + len(code)
    size = 84 + len(code)
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return head + struct.pack("<8I", 1, 0, ADDRESS, ADDRESS, size, size, 5, 4) + code


def moved_code(architecture: delta.Architecture) -> tuple[bytes, bytes]:
    """Return an image and the same with a few instructions more at two places."""
    items = items_for(architecture)
    fresh = [Item((word,)) for word in FILLERS[architecture] * 5]
    longer = items[:50] + fresh + items[50:110] + fresh[:2] + items[110:]
    new = set(range(50, 50 + len(fresh))) | set(range(110 + len(fresh), 112 + len(fresh)))
    return image(architecture, items, set()), image(architecture, longer, new)


def pool_code(architecture: delta.Architecture, distance: int) -> bytes:
    """Return position-independent code: load a distance from a pool, add the program counter."""
    if architecture is A.ARM:
        code = b"\x08\x00\x9f\xe5" + b"\x00\x00\x8f\xe0" + b"\x1e\xff\x2f\xe1" * 2
    else:
        code = b"\x01\x48" + b"\x78\x44" + b"\x70\x47\xc0\x46"
    return code + distance.to_bytes(4, "little")


def moved_pools(architecture: delta.Architecture) -> tuple[bytes, bytes]:
    """Return two images whose pools hold other distances to the program counter."""
    filler = bytes(range(256)) * 2

    def image_of(further: int) -> bytes:
        parts = (
            pool_code(architecture, 600 - 4 * n + further) + filler[: 8 * n] for n in range(20)
        )
        return b"".join(parts)

    return image_of(0), image_of(20)
