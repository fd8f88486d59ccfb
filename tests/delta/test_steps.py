"""How far apart the hashes of the steps stand where the caller does not say."""

import pytest

from roadworthy import delta
from roadworthy.base.clock import SeededChance

KIB, MIB = 1 << 10, 1 << 20
MIXING, FAST = delta.BackEnd.MIXING, delta.BackEnd.FAST
NOISE = SeededChance(11).random.randbytes(300_000)
HASH_BYTES = 8
SHARE = 100
CODER_END = 1  # a byte that the coder need not write where the rest of the code is 0 anyway
ROUNDED = 1.05  # the share is taken of a patch that may become a little shorter yet


def changed(places: int) -> bytes:
    """Change single bytes of the image in as many places."""
    image = bytearray(NOISE)
    for at in SeededChance(12).random.sample(range(len(image)), places):
        image[at] ^= 0x55
    return bytes(image)


def hash_bytes(target: bytes, step_bytes: int) -> int:
    """Hashes stand after each step but the last."""
    return (len(target) - 1) // step_bytes * HASH_BYTES


@pytest.mark.parametrize(
    ("places", "back_end"),
    [(250, MIXING), (300, MIXING), (400, FAST), (900, FAST), (5000, FAST)],
)
def test_hashes_are_a_small_part_of_the_patch_in_the_shortest_steps_that_do(
    places: int, back_end: delta.BackEnd
) -> None:
    target = changed(places)
    patch = delta.make(NOISE, target, delta.MakeOptions(back_end=back_end))
    step = patch.header.step_bytes
    assert b"".join(delta.apply(NOISE, patch.data)) == target
    assert hash_bytes(target, step) * SHARE <= len(patch.data) * ROUNDED
    if step > 64 * KIB:
        more = hash_bytes(target, step // 2)
        assert more * SHARE > len(patch.data) - hash_bytes(target, step) + more


def test_an_image_that_hardly_changes_is_one_step_and_the_same_patch_each_time() -> None:
    target = changed(1)
    patch = delta.make(NOISE, target)
    assert patch.header.step_bytes == 4 * MIB
    assert patch.data == delta.make(NOISE, target).data
    often = delta.make(NOISE, target, delta.MakeOptions(step_bytes=64 * KIB))
    assert len(often.data) - len(patch.data) >= hash_bytes(target, 64 * KIB) - CODER_END


def test_an_image_that_changes_much_is_hashed_often() -> None:
    target = NOISE[100_000:] + NOISE[:100_000:-1]
    patch = delta.make(NOISE, target, delta.MakeOptions(back_end=FAST))
    assert patch.header.step_bytes == 64 * KIB


def test_steps_are_never_longer_than_4_mib() -> None:
    patch = delta.make(b"", bytes(9 * MIB), delta.MakeOptions(back_end=FAST))
    assert patch.header.step_bytes == 4 * MIB


@pytest.mark.parametrize(("target_mib", "step_kib"), [(1, 64), (9, 128), (17, 256), (33, 512)])
def test_large_images_begin_with_longer_steps(target_mib: int, step_kib: int) -> None:
    options = delta.MakeOptions(back_end=delta.BackEnd.STORED)
    patch = delta.make(b"", bytes(target_mib * MIB), options)
    assert patch.header.step_bytes == step_kib * KIB


@pytest.mark.parametrize("step_bytes", [4096, 32 * KIB, 16 * MIB])
def test_steps_that_the_caller_gives_are_taken(step_bytes: int) -> None:
    patch = delta.make(NOISE, changed(1), delta.MakeOptions(step_bytes=step_bytes))
    assert patch.header.step_bytes == step_bytes


def test_an_image_replaced_in_place_has_steps_of_64_kib() -> None:
    patch = delta.make(NOISE, changed(1), delta.MakeOptions(region_bytes=MIB))
    assert patch.header.step_bytes == 64 * KIB
