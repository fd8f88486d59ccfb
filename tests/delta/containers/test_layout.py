"""Code in a container costs about what it costs plainly, because it stands where it belongs."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.delta.conftest import FIRMWARE
from tests.delta.containers import images

from roadworthy import delta
from roadworthy.base.clock import SeededChance
from roadworthy.delta import containers, maker
from roadworthy.delta.containers import plan
from roadworthy.delta.containers.layout import VirtualImage
from roadworthy.delta.containers.recipe import GAP_BYTES_MAX, Kind, pack, parse
from roadworthy.delta.containers.virtual_base import VirtualBase
from roadworthy.delta.scratch import Scratch

CHANCE = SeededChance("layout").random
PAGE = GAP_BYTES_MAX + 1
NOISE = CHANCE.randbytes(PAGE)
TEXT = bytes(CHANCE.choices(range(64), k=30_000))
A = delta.Architecture


def shipped(pair: str) -> tuple[bytes, bytes]:
    folder = FIRMWARE / pair
    return (folder / "old.bin").read_bytes(), (folder / "new.bin").read_bytes()


def named(content: bytes, time_s: int) -> bytes:
    """Return a gzip file with a name and a time, whose head has 16 bytes."""
    member = gzip.compress(content, 9, mtime=time_s)
    return member[:3] + b"\x08" + member[4:10] + b"image\0" + member[10:]


CODE = {
    A.AARCH64: shipped("boot-tfa-arm64"),
    A.THUMB: shipped("mcu-greatfet-cm4"),
    A.RISCV: shipped("boot-opensbi-rv64"),
}
CONTAINER_BYTES = 250
"""Header, recipe, head and checksum of a small packed patch."""


def cost(patch: delta.Patch, plain: delta.Patch) -> float:
    assert patch.header.packed
    assert patch.header.architecture is plain.header.architecture
    return (len(patch.data) - CONTAINER_BYTES) / len(plain.data)


@pytest.mark.parametrize("architecture", CODE)
def test_code_in_a_gzip_file_costs_what_it_costs_plainly(architecture: delta.Architecture) -> None:
    code = CODE[architecture]
    plain = maker.make(*code)
    for base, target in (map(images.gzipped, code), map(named, code, (1, 2))):
        patch = delta.make(base, target)
        assert cost(patch, plain) < 1.01
        assert b"".join(delta.apply(base, patch.data)) == target


def test_code_behind_a_stream_costs_what_it_costs_plainly() -> None:
    """Whether it is in a stream of its own or stands there as it is."""
    code = CODE[A.AARCH64]
    plain = maker.make(*code)
    first = images.gzipped(TEXT), images.gzipped(b"new" + TEXT)
    streams = [a + images.gzipped(b) for a, b in zip(first, code, strict=True)]
    as_it_is = [a + bytes(-len(a) % 4) + b for a, b in zip(first, code, strict=True)]
    for base, target in (streams, as_it_is):
        patch = delta.make(base, target)
        assert cost(patch, plain) < 1.05
        assert b"".join(delta.apply(base, patch.data)) == target


def kept(image: Scratch) -> bytes:
    return bytes(memoryview(image.image()))


@given(
    parts=st.lists(st.tuples(st.integers(0, 3 * PAGE), st.sampled_from([None, *Kind])), max_size=12)
)
@settings(max_examples=200, deadline=None)
def test_long_content_stands_on_its_page_and_gaps_are_zero(
    parts: list[tuple[int, Kind | None]],
) -> None:
    with Scratch() as scratch:
        virtual, wanted, offset = VirtualImage(scratch), b"", 0
        for length, kind in parts:
            offset += length // 3
            is_stream = kind is Kind.DEFLATE
            raw = (offset, length, kind)
            gap = virtual.stream_gap(length) if is_stream else virtual.raw_gap(*raw)
            content = b"x" * length
            virtual.append(content)
            place = len(wanted) + gap
            wanted += bytes(gap) + content
            assert 0 <= gap <= (GAP_BYTES_MAX if length >= PAGE else 0)
            if length >= PAGE and kind not in (Kind.ZLIB, Kind.ZSTD):
                assert (place - (0 if is_stream else offset)) % PAGE == 0
        assert kept(scratch) == wanted


pieces = st.sampled_from(
    [
        b"short",
        NOISE,
        NOISE[::-1] + NOISE[:500],
        images.gzipped(TEXT[:200]),
        images.gzipped(TEXT[:9000], 6),
        images.gzipped(TEXT[5000:15_000]),
        named(TEXT[::-1], 7),
        images.Writer().image({"a": TEXT[:9500], "b": TEXT[7000:20_000], "c": NOISE}),
        images.Writer().image({"a": TEXT[:9500], "b": TEXT[8000:20_000], "c": NOISE}),
    ]
)


@given(base=st.lists(pieces, max_size=5), target=st.lists(pieces, max_size=5))
@settings(max_examples=60, deadline=None)
def test_a_plan_is_what_decoders_see(base: list[bytes], target: list[bytes]) -> None:
    """The recipe comes back, gives the virtual base at any place, and makes the target."""
    old, new = b"".join(base), b"".join(target)
    made = plan.plan(old, new, zstd=False)
    if made is None:
        return
    assert parse(pack(made.recipe)) == made.recipe
    virtual = VirtualBase(made.recipe, lambda offset, length: old[offset : offset + length])
    whole = bytes(memoryview(made.virtual_base))
    assert virtual.length_bytes == len(whole)
    for at in range(0, len(whole), 1777):
        assert virtual.read(at, min(3000, len(whole) - at)) == whole[at : at + 3000]
    assert sum(part.length for part in made.recipe.base) == len(old)
    taken = [p for p in made.recipe.target if p.kind not in (Kind.COPY, Kind.LITERAL)]
    assert sum(part.length for part in taken) == len(memoryview(made.virtual_target))
    options = delta.MakeOptions(back_end=delta.BackEnd.FAST, step_bytes=4096)
    patch = containers.make_packed(old, new, options)
    assert patch
    machine, written = containers.PackedDecoder(old), b""
    while not machine.done:
        at = machine.patch_offset
        written += machine.feed(patch.data[at : at + 5000])
        machine = containers.PackedDecoder(old, machine.journal())
    assert written == new
