"""Images above 64 MiB: equal blocks first, then what they leave, in parts."""

import mmap
from pathlib import Path

from roadworthy import delta
from roadworthy.base.clock import SeededChance

LARGE = 65 << 20
NOISE = SeededChance(5).random.randbytes(400_000)


def filled(*parts: bytes) -> bytes:
    """Return these parts, far apart, in a large image that is padded like flash."""
    room = LARGE // len(parts)
    return b"".join(part + b"\xff" * (room - len(part)) for part in parts)


def test_parts_that_moved_and_changed_are_found() -> None:
    changed = bytearray(NOISE[100_000:200_000])
    changed[::1500] = bytes(len(changed[::1500]))
    base = filled(NOISE[:100_000], NOISE[100_000:200_000], NOISE[200_000:300_000])
    target = filled(bytes(changed), b"new" + NOISE[:100_000], NOISE[200_000:300_000])
    patch = delta.make(base, target)
    assert b"".join(delta.apply(base, patch.data)) == target
    assert len(patch.data) < 1000


def test_nothing_in_common_is_no_trouble() -> None:
    base, target = bytes(LARGE), NOISE + b"\xff" * 100_000 + NOISE[::-1]
    patch = delta.make(base, target, delta.MakeOptions(back_end=delta.BackEnd.FAST))
    assert b"".join(delta.apply(base, patch.data)) == target
    assert len(patch.data) < 2.1 * len(NOISE)


def test_mapped_files_are_let_go_of_and_come_back(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(filled(NOISE))
    (tmp_path / "new").write_bytes(filled(NOISE[:9000], NOISE))
    told: list[int] = []
    with (tmp_path / "old").open("rb") as old, (tmp_path / "new").open("rb") as new:
        base = mmap.mmap(old.fileno(), 0, access=mmap.ACCESS_READ)
        target = mmap.mmap(new.fileno(), 0, access=mmap.ACCESS_READ)
        patch = delta.make(base, target, delta.MakeOptions(progress=told.append))
        assert b"".join(delta.apply(base, patch.data)) == target[:]
    assert told == sorted(told)
    assert len(told) > 10
