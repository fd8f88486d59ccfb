"""Every pair of images, however odd, comes out as it went in."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy import delta
from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import InputError

NOISE = SeededChance(7).random.randbytes(20_000)


def moved(image: bytes) -> bytes:
    """Cut out, copy and overwrite parts of an image."""
    return image[5000:9000] + b"new part" + image[:5100] + NOISE[:300] + image[9000:]


@pytest.mark.parametrize("ram_class", list(delta.RamClass))
@pytest.mark.parametrize("architecture", list(delta.Architecture))
def test_a_changed_image_comes_back_in_every_class_and_architecture(
    ram_class: delta.RamClass, architecture: delta.Architecture
) -> None:
    base = NOISE[:12_000]
    target = moved(base)
    options = delta.MakeOptions(ram_class=ram_class, architecture=architecture, step_bytes=4096)
    patch = delta.make(base, target, options).data
    assert b"".join(delta.apply(base, patch)) == target
    assert len(patch) < len(target) / 4
    assert delta.inspect(patch).workspace_bytes <= ram_class.size_bytes


def test_fast_patches_are_at_most_a_third_longer(pair: tuple[bytes, bytes]) -> None:
    base, target = pair
    fast = delta.make(base, target, delta.MakeOptions(back_end=delta.BackEnd.FAST))
    assert fast.header.back_end is delta.BackEnd.FAST
    assert b"".join(delta.apply(base, fast.data)) == target
    assert len(fast.data) < 4 / 3 * len(delta.make(base, target).data)


def test_a_stored_patch_holds_the_target_as_it_is() -> None:
    base, target = NOISE[:9000], moved(NOISE[:9000])
    patch = delta.make(base, target, delta.MakeOptions(back_end=delta.BackEnd.STORED))
    assert patch.header.back_end is delta.BackEnd.STORED
    assert b"".join(delta.apply(base, patch.data)) == target
    assert len(patch.data) >= len(target)


def test_equal_parts_cost_next_to_nothing_beside_changed_ones() -> None:
    base = NOISE + b"\1" * 50_000 + NOISE[:9000]
    target = NOISE + b"\1" * 50_000 + b"!" + NOISE[:9000]
    for back_end in (delta.BackEnd.MIXING, delta.BackEnd.FAST):
        patch = delta.make(base, target, delta.MakeOptions(back_end=back_end)).data
        assert b"".join(delta.apply(base, patch)) == target
        assert len(patch) < 200


def test_a_shipped_pair_comes_back_and_is_small(pair: tuple[bytes, bytes]) -> None:
    base, target = pair
    patch = delta.make(base, target).data
    assert b"".join(delta.apply(base, patch)) == target
    assert len(patch) < len(target) * 0.9


@pytest.mark.parametrize(
    ("base", "target"),
    [
        (b"", b""),
        (b"", b"x"),
        (b"x", b""),
        (b"x", b"x"),
        (NOISE, NOISE),
        (NOISE, b""),
        (b"", NOISE),
        (NOISE[:10_000], NOISE[10_000:]),
        (b"\0" * 9000, b"\0" * 12_000),
        (b"ab" * 4000, b"ba" * 4001),
        (NOISE, NOISE[1:]),
        (NOISE, b"\xff" + NOISE),
        (NOISE[:4096], NOISE[:4096] * 3),
        (NOISE, bytes(reversed(NOISE))),
    ],
)
def test_odd_pairs_come_back(base: bytes, target: bytes) -> None:
    patch = delta.make(base, target).data
    assert b"".join(delta.apply(base, patch)) == target
    assert len(patch) <= len(target) + len(target) // 500 + 120


images = st.one_of(
    st.binary(max_size=600),
    st.lists(st.sampled_from([NOISE[:40], NOISE[40:200], b"\0" * 64, b"\xff\xf7\x00\xf8"])).map(
        b"".join
    ),
)


@given(base=images, target=images, architecture=st.sampled_from(delta.Architecture))
@settings(max_examples=150, deadline=None)
def test_any_two_images_come_back(
    base: bytes, target: bytes, architecture: delta.Architecture
) -> None:
    options = delta.MakeOptions(ram_class=delta.RamClass.RAM_60K, architecture=architecture)
    patch = delta.make(base, target, options).data
    assert b"".join(delta.apply(base, patch)) == target
    assert patch == delta.make(base, target, options).data


def test_an_identical_image_costs_next_to_nothing() -> None:
    assert len(delta.make(NOISE, NOISE).data) < 150


@pytest.mark.parametrize("back_end", list(delta.BackEnd))
def test_progress_is_told_and_can_stop_the_work(back_end: delta.BackEnd) -> None:
    told: list[int] = []
    options = delta.MakeOptions(back_end=back_end, step_bytes=4096)
    delta.make(NOISE, NOISE, replace(options, progress=told.append))
    assert told == sorted(told)
    assert 0 < told[-1] <= 1000

    def stop(_: int) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        delta.make(NOISE, NOISE, replace(options, progress=stop))


@pytest.mark.parametrize("step_bytes", [0, 1, 4095, 5000, 1 << 25])
def test_a_step_size_that_the_format_cannot_say_is_refused(step_bytes: int) -> None:
    with pytest.raises(InputError):
        delta.MakeOptions(step_bytes=step_bytes)
