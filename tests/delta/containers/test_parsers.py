"""Parsers of containers and recipes: any bytes are understood or refused, with bounded work."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.delta.containers import images

from roadworthy import delta
from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import RoadworthyError
from roadworthy.base.ids import Sha256
from roadworthy.delta import containers
from roadworthy.delta.containers import finder, header, recipe, squashfs
from roadworthy.delta.containers.recipe import (
    GAP_BYTES_MAX,
    BasePart,
    DeflateStyle,
    Kind,
    Recipe,
    TargetPart,
)

CHANCE = SeededChance("parsers").random
RULE = (0, 0, 15, 15, 32, 258, 258, 4096, 16383)
STYLES = (DeflateStyle(RULE, 0x78DA), recipe.ZstdStyle(15, 10507))
FILES = {f"file{n}": bytes(CHANCE.choices(range(30), k=1200 * n + 100)) for n in range(9)}
SQUASHFS = images.Writer().image(FILES)
MEMBER = images.gzipped(images.tar(FILES))
BASE = bytes(range(256)) * 8

base_parts = st.builds(
    BasePart, st.just(Kind.DEFLATE), st.integers(0, 1 << 30), st.integers(0, 1 << 24)
) | (
    st.integers(0, 1 << 24).map(lambda n: BasePart(Kind.RAW, n, n))
    | st.integers(0, GAP_BYTES_MAX).map(lambda n: BasePart(Kind.GAP, 0, n))
)
target_parts = (
    st.builds(TargetPart, st.just(Kind.RAW), st.integers(0, 1 << 24))
    | st.builds(TargetPart, st.just(Kind.COPY), st.integers(0, 1 << 24), st.integers(0, 1 << 24))
    | st.builds(TargetPart, st.just(Kind.GAP), st.integers(0, GAP_BYTES_MAX))
    | st.binary(max_size=20).map(lambda b: TargetPart(Kind.LITERAL, len(b), literal=b))
    | st.builds(
        TargetPart,
        st.sampled_from([Kind.DEFLATE, Kind.ZLIB, Kind.ZLIB_METADATA]),
        st.integers(0, 1 << 20),
        st.just(0),
        st.just(0),
        st.binary(max_size=20),
    )
)
recipes = st.builds(
    Recipe,
    st.just(STYLES),
    st.lists(base_parts, max_size=8).map(tuple),
    st.lists(target_parts, max_size=8).map(tuple),
)


@given(recipes)
@settings(max_examples=200, deadline=None)
def test_a_recipe_comes_back(made: Recipe) -> None:
    assert recipe.parse(recipe.pack(made)) == made


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_recipe_or_refused(data: bytes) -> None:
    try:
        recipe.parse(data)
    except delta.PatchError:
        return


@given(recipes, st.integers(0, 1 << 20), st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_a_damaged_recipe_is_a_recipe_or_refused(made: Recipe, at: int, flip: int) -> None:
    data = bytearray(recipe.pack(made))
    data[at % len(data)] ^= flip
    try:
        recipe.parse(bytes(data))
    except delta.PatchError:
        return


@pytest.mark.parametrize(
    "parts",
    [
        [TargetPart(Kind.DEFLATE, 5, last=False)],
        [TargetPart(Kind.DEFLATE, 5, last=False), TargetPart(Kind.RAW, 5)],
        [TargetPart(Kind.ZLIB, 5, last=False), TargetPart(Kind.DEFLATE, 5)],
        [TargetPart(Kind.ZLIB, 5, style=1)],
        [TargetPart(Kind.ZSTD, 5, style=0)],
        [TargetPart(Kind.ZLIB, 5, style=9)],
        [TargetPart(Kind.ZLIB, (1 << 20) + 1)],
        [TargetPart(Kind.DEFLATE, (1 << 24) + 1)],
        [TargetPart(Kind.GAP, GAP_BYTES_MAX + 1)],
        [TargetPart(Kind.DEFLATE, 5, last=False), TargetPart(Kind.GAP, 5)],
        [TargetPart(Kind.LITERAL, 5, literal=b"1234")],
    ],
)
def test_a_recipe_that_no_decoder_can_follow_is_refused(parts: list[TargetPart]) -> None:
    with pytest.raises(delta.PatchError):
        recipe.parse(recipe.pack(Recipe(STYLES, (), tuple(parts))))


@pytest.mark.parametrize(
    "part",
    [
        BasePart(Kind.GAP, 0, GAP_BYTES_MAX + 1),
        BasePart(Kind.LITERAL, 5, 5),
        BasePart(Kind.ZLIB, 5, (1 << 20) + 1),
        BasePart(Kind.DEFLATE, 5, 0x6FFFFFFF),
    ],
)
def test_a_base_that_no_decoder_can_unpack_is_refused(part: BasePart) -> None:
    with pytest.raises(delta.PatchError):
        recipe.parse(recipe.pack(Recipe(STYLES, (BasePart(Kind.RAW, 1, 1), part), ())))


def test_gaps_count_as_content_that_a_decoder_unpacks() -> None:
    gaps = (BasePart(Kind.GAP, 0, GAP_BYTES_MAX),) * 2
    most = BasePart(Kind.RAW, 0x6FFFFFFF - 2 * GAP_BYTES_MAX, 0x6FFFFFFF - 2 * GAP_BYTES_MAX)
    assert recipe.parse(recipe.pack(Recipe(STYLES, (*gaps, most), ()))).base[-1] == most
    with pytest.raises(delta.PatchError, match="more than a decoder takes"):
        recipe.parse(recipe.pack(Recipe(STYLES, (*gaps, most, gaps[0]), ())))


def test_a_kind_of_part_that_is_none_is_refused() -> None:
    for mark in (9, 15, 17, 23, 25, 32, 255):
        with pytest.raises(delta.PatchError, match="kind of part"):
            recipe.parse(bytes([0, 1, 0, mark, 0]))


def test_all_blocks_of_a_squashfs_are_found() -> None:
    pieces = finder.find_pieces(b"before" + SQUASHFS + b"after")
    kinds = {piece.kind for piece in pieces}
    assert kinds == {Kind.ZLIB, Kind.ZLIB_METADATA}
    data = sum(piece.length for piece in pieces if piece.kind is Kind.ZLIB)
    image = squashfs.open_squashfs(SQUASHFS, 0)
    assert image
    assert data == image.inodes - 96
    assert all(a.end <= b.offset for a, b in pairwise(pieces))


@given(edits=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_damaged_squashfs_gives_pieces_inside_it(edits: list[tuple[int, int]]) -> None:
    data = bytearray(SQUASHFS)
    for at, value in edits:
        spot = at % 96 if at & 1 else at % len(data)
        data[spot] = value
    pieces = finder.find_pieces(bytes(data))
    assert all(piece.end <= len(data) for piece in pieces)
    assert all(a.end <= b.offset for a, b in pairwise(pieces))


@given(
    head=st.binary(max_size=30),
    at=st.integers(0, len(MEMBER) - 1),
    value=st.integers(0, 255),
    length=st.integers(0, len(MEMBER)),
)
@settings(max_examples=200, deadline=None)
def test_a_damaged_gzip_member_gives_pieces_inside_it(
    head: bytes, at: int, value: int, length: int
) -> None:
    data = bytearray(MEMBER[:length])
    data[at : at + 1] = bytes([value])
    pieces = finder.find_pieces(b"\x1f\x8b\x08" + head + bytes(data))
    assert all(piece.end <= len(data) + 3 + len(head) for piece in pieces)


def test_gzip_heads_with_all_fields_are_followed() -> None:
    body = MEMBER[10:]
    fields = b"\x03\x00abc" + b"name\0" + b"comment\0" + b"\0\0"
    member = b"\x1f\x8b\x08\x1e" + bytes(6) + fields + body
    assert [piece.offset for piece in finder.find_pieces(b"xx" + member)] == [2 + 10 + len(fields)]
    assert finder.find_pieces(b"\x1f\x8b\x08\xff" + bytes(6) + body) == []
    assert finder.find_pieces(b"\x1f\x8b\x08\x08" + b"no end of a name") == []


def forged(
    made: Recipe,
    content: bytes,
    target: bytes,
    largest: int = 1 << 20,
    virtual: bytes | None = None,
) -> bytes:
    """Return a well-formed patch with any recipe and any virtual images."""
    if virtual is None:
        virtual = BASE[: sum(part.content for part in made.base)]
    parts = delta.make(b"", recipe.pack(made)).data, delta.make(virtual, content).data
    hashes = [Sha256(hashlib.sha256(each).hexdigest()) for each in (BASE, target)]
    lengths = len(BASE), len(target), len(parts[0]), len(parts[1])
    kinds = delta.BackEnd.MIXING, delta.RamClass.RAM_4M, delta.Architecture.NONE
    head = header.PackedHeader(*kinds, 1 << 16, *lengths, largest, 0, *hashes)
    return header.write_header(head) + b"".join(parts)


def applied(patch: bytes) -> bytes:
    machine = containers.PackedDecoder(BASE)
    out = machine.feed(patch)
    machine.finish()
    return out


WHOLE = (BasePart(Kind.RAW, len(BASE), len(BASE)),)


def test_a_recipe_made_by_hand_is_followed() -> None:
    parts = (TargetPart(Kind.COPY, 100, 50), TargetPart(Kind.RAW, 7), TargetPart(Kind.ZLIB, 9))
    target = BASE[50:150] + b"between" + images.zlib_9(b"some text")
    patch = forged(Recipe(STYLES, WHOLE, parts), b"betweensome text", target)
    assert containers.PackedDecoder(BASE).feed(patch) == target


def test_gaps_and_literals_are_followed_at_any_cut() -> None:
    """What stands in a gap of the target means nothing; the base's gaps are zeros."""
    gapped = (BasePart(Kind.GAP, 0, 300), *WHOLE)
    parts = (
        TargetPart(Kind.GAP, 200),
        TargetPart(Kind.LITERAL, 4, literal=b"head"),
        TargetPart(Kind.RAW, 120),
        TargetPart(Kind.GAP, 3),
        TargetPart(Kind.LITERAL, 4, literal=b"tail"),
        TargetPart(Kind.GAP, 1),
    )
    virtual = bytes(300) + BASE
    content = b"?" * 200 + virtual[240:360] + b"any!"
    target = b"head" + virtual[240:360] + b"tail"
    patch = forged(Recipe(STYLES, gapped, parts), content, target, virtual=virtual)
    assert applied(patch) == target
    machine, written = containers.PackedDecoder(BASE), b""
    while machine.patch_offset < len(patch):
        at = machine.patch_offset
        written += machine.feed(patch[at : at + 1])
        machine = containers.PackedDecoder(BASE, machine.journal())
    machine.finish()
    assert written == target


@pytest.mark.parametrize(
    ("made", "content"),
    [
        (Recipe(STYLES, (BasePart(Kind.RAW, 9, 9),), (TargetPart(Kind.RAW, 5),)), b"12345"),
        (Recipe(STYLES, WHOLE, (TargetPart(Kind.RAW, 5),)), b"123456"),
        (Recipe(STYLES, WHOLE, (TargetPart(Kind.RAW, 5),)), b"1234"),
        (Recipe(STYLES, WHOLE, (TargetPart(Kind.GAP, 5), TargetPart(Kind.RAW, 5))), b"123412345"),
        (Recipe(STYLES, WHOLE, (TargetPart(Kind.RAW, 5), TargetPart(Kind.GAP, 5))), b"12345"),
        (Recipe(STYLES, WHOLE, (TargetPart(Kind.LITERAL, 5, literal=b"12345"),)), b"1"),
        (Recipe(STYLES, WHOLE, (TargetPart(Kind.COPY, 5, len(BASE) - 4),)), b""),
        (Recipe(STYLES, WHOLE, (TargetPart(Kind.COPY, 50, 1),)), b""),
        (Recipe(STYLES, WHOLE, (TargetPart(Kind.ZLIB, 5, corrections=b"\xff" * 9),)), b"12345"),
        (Recipe(STYLES, WHOLE, (TargetPart(Kind.ZLIB, (1 << 20) - 1),)), b"12345"),
        (
            Recipe(
                STYLES,
                (
                    BasePart(Kind.DEFLATE, 40, 9),
                    BasePart(Kind.RAW, len(BASE) - 40, len(BASE) - 40),
                ),
                (TargetPart(Kind.RAW, 5),),
            ),
            b"12345",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(made: Recipe, content: bytes) -> None:
    machine = containers.PackedDecoder(BASE)
    with pytest.raises((delta.PatchError, delta.TargetMismatchError, delta.WrongBaseError)):
        machine.feed(forged(made, content, b"12345"))
    with pytest.raises(delta.PatchError):
        machine.finish()


@given(
    parts=st.lists(target_parts, max_size=5).map(tuple),
    content=st.binary(max_size=60),
    base=st.lists(base_parts, max_size=3),
)
@settings(max_examples=80, deadline=None)
def test_any_recipe_ends_in_a_typed_error(
    parts: tuple[TargetPart, ...], content: bytes, base: list[BasePart]
) -> None:
    left = len(BASE)
    chosen = []
    for part in base:
        length = min(part.length, left)
        chosen.append(BasePart(part.kind, length, min(part.content, length)))
        left -= length
    chosen.append(BasePart(Kind.RAW, left, left))
    patch = forged(Recipe(STYLES[:1], tuple(chosen), parts), content, b"12345")
    with pytest.raises(RoadworthyError):
        containers.PackedDecoder(BASE).feed(patch)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_after_the_magic_are_refused(data: bytes) -> None:
    with pytest.raises(RoadworthyError):
        applied(b"RWDC\x01" + data)
    with pytest.raises(delta.PatchError):
        containers.inspect_packed(b"RWDC\x01" + data)
