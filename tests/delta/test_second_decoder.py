"""A second decoder, which follows docs/delta-format.md, agrees with the first on every byte."""

import hashlib
import re
from pathlib import Path

import pytest
from tests.delta.code import moved_code, moved_pools
from tests.delta.conftest import FIRMWARE
from tests.delta.second_decoder.coder import RATES, STRETCH
from tests.delta.second_decoder.decoder import decode
from tests.delta.second_decoder.instructions import FORMS

from roadworthy import delta
from roadworthy.base.clock import SeededChance

NOISE = SeededChance("second").random.randbytes(4000)
MIXING, FAST = delta.BackEnd.MIXING, delta.BackEnd.FAST


def piece(pair: str, start: int, size: int) -> tuple[bytes, bytes]:
    old, new = (
        (FIRMWARE / pair / "old.bin").read_bytes(),
        (FIRMWARE / pair / "new.bin").read_bytes(),
    )
    return old[start : start + size], new[start : start + size]


def test_it_agrees_on_the_instruction_sets_of_shipped_firmware() -> None:
    cases = {
        delta.Architecture.THUMB: piece("mcu-greatfet-cm4", 20_000, 700),
        delta.Architecture.AARCH64: piece("boot-tfa-arm64", 8000, 700),
        delta.Architecture.RISCV: piece("boot-opensbi-rv64", 60_000, 700),
    }
    for architecture, (base, target) in cases.items():
        for back_end in (MIXING, FAST):
            options = delta.MakeOptions(delta.RamClass.RAM_60K, back_end, architecture, 4096)
            assert decode(base, delta.make(base, target, options).data) == target


@pytest.mark.parametrize("ram", list(delta.RamClass))
def test_it_agrees_on_new_code_in_the_memory_of_each_class(ram: delta.RamClass) -> None:
    base, target = piece("mcu-greatfet-cm4", 20_000, 700)
    options = delta.MakeOptions(ram, MIXING, delta.Architecture.THUMB, 4096)
    patch = delta.make(base, base[:300] + NOISE[:40] + target, options)
    assert decode(base, patch.data) == base[:300] + NOISE[:40] + target


@pytest.mark.parametrize("architecture", list(delta.Architecture))
def test_it_agrees_on_code_with_segments_that_moved(architecture: delta.Architecture) -> None:
    base, target = moved_code(architecture)
    options = delta.MakeOptions(delta.RamClass.RAM_60K, FAST, architecture, 4096)
    patch = delta.make(base, target, options)
    assert patch.header.cover_count > 0
    assert decode(base, patch.data) == target


@pytest.mark.parametrize("architecture", [delta.Architecture.THUMB, delta.Architecture.ARM])
def test_it_agrees_on_pools_that_count_from_the_program_counter(
    architecture: delta.Architecture,
) -> None:
    base, target = moved_pools(architecture)
    options = delta.MakeOptions(delta.RamClass.RAM_60K, FAST, architecture, 4096)
    assert decode(base, delta.make(base, target, options).data) == target


@pytest.mark.parametrize(
    ("base", "target", "region"),
    [
        (b"", b"", None),
        (b"", NOISE[:300], None),
        (NOISE[:500], NOISE[:500], None),
        (NOISE[:900], NOISE[300:900] + b"new" + NOISE[:300], None),
        (NOISE[:500], NOISE[600:900] * 3, None),
        (b"ab" * 300, b"ba" * 200, None),
        (NOISE[:3000] * 3, NOISE[1000:3000] + NOISE[:500] * 9, 16384),
    ],
)
@pytest.mark.parametrize("back_end", [MIXING, FAST])
def test_it_agrees_on_other_images(
    base: bytes, target: bytes, region: int | None, back_end: delta.BackEnd
) -> None:
    options = delta.MakeOptions(
        delta.RamClass.RAM_60K, back_end, step_bytes=4096, region_bytes=region
    )
    patch = delta.make(base, target, options).data
    assert hashlib.sha256(decode(base, patch)).digest() == hashlib.sha256(target).digest()


PAGE = Path("docs/delta-format.md").read_text()


def test_the_page_has_the_tables_that_the_second_decoder_follows() -> None:
    row = re.compile(r"^\| [\w-]* ?\| ([0-9a-f]+) \| ([0-9a-f]+)(?:, ([0-9a-f]+))?", re.MULTILINE)
    rows = row.findall(PAGE[PAGE.index("## Instructions") :])
    page = [(int(mask, 16), int(value, 16)) for mask, *values in rows for value in values if value]
    forms = [(form.mask, form.value) for forms in FORMS.values() for form in forms]
    assert sorted(page) == sorted(forms)
    assert " ".join(map(str, RATES)) in PAGE.replace("\n", " ")
    samples = re.findall(r"stretch\((\d+)\) = (-?\d+)", PAGE)
    assert len(samples) == 4
    assert all(STRETCH[int(p)] == int(value) for p, value in samples)
