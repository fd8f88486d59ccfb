"""What an image has of its own bytes, as a hash or checksum, is computed."""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.delta.second_decoder.decoder import decode
from tests.delta.second_decoder.seals import CRC32_BIG, CRC32_LITTLE, SHA256, Seal
from tests.delta.second_decoder.writer import script
from tests.delta.test_any_decisions import fields_of, patch_of

from roadworthy import delta
from roadworthy.base.clock import SeededChance

NOISE = SeededChance("seals").random.randbytes(20_000)
MIXING, FAST = delta.BackEnd.MIXING, delta.BackEnd.FAST
OPTIONS = delta.MakeOptions(delta.RamClass.RAM_60K, MIXING, step_bytes=4096)
HASH_BYTES = 32
KINDS = ("sha256", "little", "big")
SEAL_BYTES_MAX = 3  # of a patch, for each


def seal_of(kind: str, image: bytes) -> bytes:
    if kind == "sha256":
        return hashlib.sha256(image).digest()
    crc = zlib.crc32(image)
    return crc.to_bytes(4, "little") if kind == "little" else crc.to_bytes(4, "big")


def with_seal(image: bytes, kind: str, between: int = 0, behind: int = 0) -> bytes:
    return image + bytes(between) + seal_of(kind, image) + NOISE[:behind]


def esp_image(image: bytes) -> bytes:
    return with_seal(image, "sha256")


def mcuboot_image(image: bytes) -> bytes:
    """The hash stands in a list of tags, before a signature of what other bytes it may be."""
    return with_seal(image, "sha256", between=8, behind=70)


def particle_image(image: bytes) -> bytes:
    """A hash of what is before it, and a checksum of both."""
    return with_seal(with_seal(image, "sha256") + b"(\0", "big")


LAYOUTS = {"esp": esp_image, "mcuboot": mcuboot_image, "particle": particle_image}
Layout = Callable[[bytes], bytes]


def come_back(base: bytes, patch: bytes, piece: int = 1 << 20) -> bytes:
    return b"".join(delta.apply(base, [patch[i : i + piece] for i in range(0, len(patch), piece)]))


def changed(image: bytes) -> bytes:
    return image[:700] + b"changed" + image[707:]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("ram", list(delta.RamClass))
@pytest.mark.parametrize("back_end", [MIXING, FAST])
def test_an_image_with_seals_takes_hardly_more_than_without(
    layout: Layout, ram: delta.RamClass, back_end: delta.BackEnd
) -> None:
    base, target = NOISE[:9000], changed(NOISE[:9000])
    options = replace(OPTIONS, ram_class=ram, back_end=back_end)
    bare = delta.make(base, target, options)
    patch = delta.make(layout(base), layout(target), options)
    assert come_back(layout(base), patch.data, 7) == layout(target)
    assert len(patch.data) <= len(bare.data) + 2 * SEAL_BYTES_MAX


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("back_end", [MIXING, FAST])
@pytest.mark.parametrize("length", [4060, 4064, 4070, 4092, 4096, 8191])
def test_both_decoders_agree_where_a_step_ends_near_a_seal(
    kind: str, back_end: delta.BackEnd, length: int
) -> None:
    base = with_seal(NOISE[:length], kind, 4, 9)
    target = with_seal(changed(NOISE[:length]), kind, 4, 9)
    patch = delta.make(base, target, replace(OPTIONS, back_end=back_end)).data
    assert decode(base, patch) == target
    assert come_back(base, patch, 1) == target


def test_seals_are_computed_in_place() -> None:
    base, target = particle_image(NOISE[:9000]), particle_image(changed(NOISE[:9000]) + b"more")
    patch = delta.make(base, target, replace(OPTIONS, region_bytes=4 << 12)).data
    assert decode(base, patch) == target
    assert len(patch) < 70


def test_power_fails_before_and_in_and_after_a_seal() -> None:
    base, target = particle_image(NOISE[:4080]), particle_image(changed(NOISE[:4080]))
    for back_end in (MIXING, FAST):
        patch = delta.make(base, target, replace(OPTIONS, back_end=back_end)).data
        machine = delta.Decoder(base)
        written = b""
        while not machine.done:
            written += machine.feed(patch[machine.patch_offset :][:1])
            machine = delta.Decoder(base, machine.journal())
        assert written == target


def test_a_seal_that_is_as_in_the_base_or_of_another_image_is_no_seal() -> None:
    sealed = esp_image(NOISE[:5000])
    assert len(delta.make(sealed, sealed, OPTIONS).data) < HASH_BYTES
    other = NOISE[:5000] + hashlib.sha256(NOISE[1:5000]).digest()
    patch = delta.make(sealed, other, OPTIONS).data
    assert come_back(sealed, patch) == other
    assert len(patch) > HASH_BYTES


def test_seals_that_no_base_has_the_place_of_come_back() -> None:
    for base in (b"", NOISE[:3]):
        target = particle_image(b"a" * 50)
        patch = delta.make(base, target, replace(OPTIONS, back_end=MIXING)).data
        assert come_back(base, patch) == target
        assert len(patch) < 40


@given(
    parts=st.lists(st.sampled_from([*KINDS, "same", "changed"]), max_size=6),
    between=st.integers(0, 70),
    behind=st.integers(0, 5),
    length=st.sampled_from([0, 1, 40, 4000]),
    back_end=st.sampled_from([MIXING, FAST]),
    piece=st.integers(1, 90),
)
@settings(deadline=None, max_examples=60)
def test_any_seals_come_back(
    parts: list[str], between: int, behind: int, length: int, back_end: delta.BackEnd, piece: int
) -> None:
    base, target = NOISE[:length], changed(NOISE[:length])
    for number, part in enumerate(parts):
        if part in KINDS:
            base = with_seal(base, part, between, behind)
            target = with_seal(target, part, between, behind)
        else:
            base += NOISE[:number]
            target += NOISE[: 2 * number] if part == "changed" else NOISE[:number]
    patch = delta.make(base, target, replace(OPTIONS, back_end=back_end)).data
    assert decode(base, patch) == target
    assert come_back(base, patch, piece) == target


UNKNOWN = 3


@pytest.mark.parametrize(
    "seals",
    [
        [Seal(UNKNOWN, 0, 36)],
        [Seal(SHA256, -1, -1)],
        [Seal(SHA256, 9, 9)],
        [Seal(CRC32_BIG, 0, 40)],
        [Seal(CRC32_LITTLE, -1, 36)],
        [Seal(CRC32_LITTLE, 37, 36)],
        [Seal(CRC32_BIG, 36, 36), Seal(CRC32_LITTLE, 36, 36)],
        [Seal(CRC32_BIG, 30, 36), Seal(CRC32_LITTLE, 9, 9)],
        [Seal(CRC32_BIG, 9, 9), Seal(CRC32_LITTLE, 12, 36)],
    ],
)
def test_seals_that_can_not_be_are_refused(seals: list[Seal]) -> None:
    patch, _ = patch_of(fields_of(b"", 40, 5, 0), b"", script([]), seals=seals)
    with pytest.raises(delta.PatchError, match="damaged"):
        come_back(b"", patch)


@pytest.mark.parametrize("piece", [1, 400])
def test_seals_that_no_encoder_writes_are_made(piece: int) -> None:
    seals = [Seal(SHA256, 0, 0), Seal(CRC32_LITTLE, 32, 36)]
    patch, target = patch_of(fields_of(b"", 40, 5, 0), b"", script([]), seals=seals)
    of_nothing = hashlib.sha256(b"").digest()
    assert target == of_nothing + bytes(4) + zlib.crc32(of_nothing).to_bytes(4, "little")
    assert come_back(b"", patch, piece) == target
