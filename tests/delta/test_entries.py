"""Images of entries that are nearly alike, such as board data, beside those of the base."""

import pytest

from roadworthy import delta
from roadworthy.base.clock import SeededChance

ENTRY = 4000
PARTS = 20
ENTRIES = 10
RANDOM = SeededChance(21).random
SHARED = RANDOM.randbytes(ENTRY)
FAR = [RANDOM.randbytes(ENTRY) for _ in range(ENTRIES)]


def entries() -> tuple[bytes, bytes]:
    """Return a base that has the parts of an entry in many places, and a target of whole entries.

    Each entry of the target could be put together from the base again; but for its first bytes it
    is the one before it.
    """
    part = ENTRY // PARTS
    pieces = [SHARED[n : n + part] for n in range(0, ENTRY, part)]
    base = b"".join(
        piece + other[:part] for piece, other in zip(pieces[::-1], FAR * 2, strict=True)
    )
    names = (RANDOM.randbytes(8) for _ in range(ENTRIES))
    return base, b"".join(name + SHARED for name in names)


@pytest.mark.parametrize("back_end", [delta.BackEnd.MIXING, delta.BackEnd.FAST])
def test_entries_cost_covers_only_once(back_end: delta.BackEnd) -> None:
    base, target = entries()
    patch = delta.make(base, target, delta.MakeOptions(back_end=back_end))
    assert b"".join(delta.apply(base, patch.data)) == target
    assert patch.header.cover_count <= 2 * PARTS


@pytest.mark.parametrize("ram_class", [delta.RamClass.RAM_60K, delta.RamClass.RAM_240K])
def test_entries_out_of_reach_of_the_window_have_covers_of_their_own(
    ram_class: delta.RamClass,
) -> None:
    base, target = entries()
    target = target[: ENTRY + 8] + b"".join(FAR) + target[ENTRY + 8 : 2 * ENTRY + 16]
    options = delta.MakeOptions(ram_class, delta.BackEnd.MIXING)
    patch = delta.make(base, target, options)
    assert b"".join(delta.apply(base, patch.data)) == target
    assert patch.header.cover_count >= 2 * PARTS
