"""Images and patches may be any bytes: mapped files, views, pieces that arrive one by one."""

import mmap
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadworthy import delta
from roadworthy.base.clock import SeededChance

NOISE = SeededChance(23).random.randbytes(70_000)
BASE = NOISE[:66_000]
TARGET = NOISE[9000:] + BASE[:20_000]
PATCH = delta.make(BASE, TARGET)


def test_a_patch_carries_its_header() -> None:
    assert PATCH.header == delta.inspect(PATCH.data)
    assert PATCH.header.patch_length_bytes == len(PATCH.data)


def test_mapped_files_give_the_same_patch_and_the_same_target(tmp_path: Path) -> None:
    views = []
    for name, data in {"base": BASE, "target": TARGET, "patch": PATCH.data}.items():
        (tmp_path / name).write_bytes(data)
        with (tmp_path / name).open("rb") as file:
            views.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    base, target, patch = views
    assert delta.make(base, target) == PATCH
    assert b"".join(delta.apply(base, patch)) == TARGET
    for view in views:
        view.close()


def test_every_kind_of_buffer_will_do() -> None:
    words = array("I", BASE)
    for base in (bytearray(BASE), memoryview(BASE), words):
        assert delta.make(base, bytearray(TARGET)) == PATCH
        assert b"".join(delta.apply(base, memoryview(PATCH.data))) == TARGET
    assert b"".join(delta.apply(TARGET, delta.make(TARGET, words).data)) == BASE
    assert delta.Decoder(BASE).feed(array("H", PATCH.data[:500])) == delta.Decoder(BASE).feed(
        PATCH.data[:500]
    )


def test_the_target_streams_while_the_patch_arrives() -> None:
    fed: list[int] = []

    def arriving() -> Iterator[bytes]:
        for start in range(0, len(PATCH.data), 1000):
            fed.append(start)
            yield PATCH.data[start : start + 1000]

    pieces = delta.apply(BASE, arriving())
    first = next(pieces)
    assert fed[-1] + 1000 < len(PATCH.data)
    rest = list(pieces)
    assert first + b"".join(rest) == TARGET
    assert max(map(len, [first, *rest])) <= 1 << 16


def test_the_base_may_be_read_by_a_function() -> None:
    target = delta.apply(lambda offset, length: BASE[offset : offset + length], [PATCH.data])
    assert b"".join(target) == TARGET


def test_a_patch_that_ends_early_is_told_after_what_it_gave() -> None:
    got: list[bytes] = []
    with pytest.raises(delta.PatchError, match="before the target is whole"):
        got.extend(delta.apply(BASE, PATCH.data[:-300]))
    assert got
    assert TARGET.startswith(b"".join(got))


def test_a_longer_base_is_refused_although_its_start_has_the_hash() -> None:
    with pytest.raises(delta.WrongBaseError):
        next(delta.apply(bytearray(BASE + b"x"), PATCH.data))
    early = delta.Decoder(BASE)
    early.feed(PATCH.data[:500])
    with pytest.raises(delta.WrongBaseError):
        delta.Decoder(BASE + b"x", early.journal())
