"""`delta.make` and `delta.apply` take the shorter kind of patch, whichever it is."""

from mmap import ACCESS_READ, mmap
from pathlib import Path

import pytest
from tests.delta.containers import images

from roadworthy import delta
from roadworthy.base.clock import SeededChance

CHANCE = SeededChance("patching").random
NOISE = CHANCE.randbytes(6000)
FILES = {f"file{n}": bytes(CHANCE.choices(range(40), k=2500 * n + 100)) for n in range(8)}
CHANGED = {**FILES, "file3": b"new" + FILES["file3"], "file5": FILES["file5"][:4000] + b"end"}
FAST = delta.MakeOptions(back_end=delta.BackEnd.FAST, step_bytes=4096)
PAIRS = {
    "squashfs": (images.Writer().image(FILES), images.Writer().image(CHANGED)),
    "tar.gz": (images.gzipped(images.tar(FILES)), images.gzipped(images.tar(CHANGED))),
}


@pytest.fixture(scope="module", params=PAIRS)
def pair(request: pytest.FixtureRequest) -> tuple[bytes, bytes, delta.Patch]:
    base, target = PAIRS[request.param]
    return base, target, delta.make(base, target, FAST)


def test_containers_are_unpacked_without_being_told(pair: tuple[bytes, bytes, delta.Patch]) -> None:
    base, target, patch = pair
    assert patch.header.packed
    assert patch.header == delta.inspect(patch.data)
    assert delta.inspect(patch.data[: delta.HEADER_BYTES_MAX]) == patch.header
    assert patch.header.patch_length_bytes == len(patch.data)
    assert len(patch.data) < len(target) / 8
    assert b"".join(delta.apply(base, [patch.data[:99], patch.data[99:]])) == target


def test_other_images_get_a_plain_patch() -> None:
    patch = delta.make(NOISE, NOISE[1:] + b"new", FAST)
    assert not patch.header.packed
    assert delta.inspect(patch.data) == patch.header
    assert b"".join(delta.apply(NOISE, patch.data)) == NOISE[1:] + b"new"


def test_where_unpacking_gains_nothing_the_patch_is_plain() -> None:
    member = images.gzipped(bytes(100) + NOISE)
    patch = delta.make(member, member + NOISE[:50] + member, FAST)
    assert not patch.header.packed


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 5, 31, 88, 107, 108, 109, 300])
def test_either_kind_goes_on_after_a_power_cut_at_any_byte(
    pair: tuple[bytes, bytes, delta.Patch], cut: int
) -> None:
    base, target, patch = pair
    plain = delta.make(NOISE, NOISE[500:] + b"x", FAST)
    for image, wanted, data in (
        (base, target, patch.data),
        (NOISE, NOISE[500:] + b"x", plain.data),
    ):
        machine = delta.Decoder(image)
        written = machine.feed(data[:1]) + machine.feed(data[1:cut])
        offset = machine.patch_offset
        machine = delta.Decoder(image, machine.journal())
        assert machine.patch_offset == offset
        assert machine.target_offset == len(written)
        written += machine.feed(data[machine.patch_offset :])
        machine.finish()
        assert written == wanted
        assert machine.header == delta.inspect(data)
        assert machine.steps > 0


def test_nothing_is_known_before_the_first_bytes() -> None:
    machine = delta.Decoder(NOISE)
    assert machine.header is None
    assert (machine.patch_offset, machine.target_offset, machine.steps) == (0, 0, 0)
    with pytest.raises(delta.PatchError):
        machine.finish()
    with pytest.raises(delta.JournalError):
        delta.Decoder(NOISE, b"RWJ0 and more")


def test_mapped_files_are_unpacked_too(
    pair: tuple[bytes, bytes, delta.Patch], tmp_path: Path
) -> None:
    base, target, patch = pair
    maps = []
    for name, image in (("base", base), ("target", target)):
        (tmp_path / name).write_bytes(image)
        with (tmp_path / name).open("rb") as file:
            maps.append(mmap(file.fileno(), 0, access=ACCESS_READ))
    assert delta.make(maps[0], maps[1], FAST) == patch
    assert b"".join(delta.apply(maps[0], patch.data)) == target
    for each in maps:
        each.close()
