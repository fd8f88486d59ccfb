"""Power fails while real firmware is rebuilt: at every step, at random bytes, in plain C."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.delta.c_programs import compiled

from roadworthy import delta
from roadworthy.base.clock import SeededChance

STEP_BYTES = 8192
OPTIONS = delta.MakeOptions(delta.RamClass.RAM_60K, delta.BackEnd.MIXING, step_bytes=STEP_BYTES)
FAST = replace(OPTIONS, back_end=delta.BackEnd.FAST)


def machine_for(base: bytes, journal: bytes | None = None) -> delta.Decoder:
    return delta.Decoder(lambda offset, length: base[offset : offset + length], journal)


@pytest.mark.parametrize("options", [OPTIONS, FAST])
def test_power_fails_after_every_step(
    whole_pair: tuple[bytes, bytes], options: delta.MakeOptions
) -> None:
    base, target = whole_pair
    patch = delta.make(base, target, options).data
    machine = machine_for(base)
    written = b""
    cuts = 0
    while not machine.done:
        steps = machine.steps
        for piece in machine.stream(patch[machine.patch_offset :]):
            written += piece
            if machine.steps > steps and not machine.done:
                break
        if not machine.done:
            machine = machine_for(base, machine.journal())
            cuts += 1
            assert machine.target_offset == len(written)
    assert written == target
    assert cuts >= len(target) // STEP_BYTES - 1


@pytest.mark.parametrize("options", [OPTIONS, FAST])
def test_power_fails_at_random_bytes_and_what_was_written_since_is_written_again(
    whole_pair: tuple[bytes, bytes], options: delta.MakeOptions
) -> None:
    base, target = whole_pair
    patch = delta.make(base, target, options).data
    chance = SeededChance("power").random
    flash = bytearray(len(target))
    journal = machine_for(base).journal()
    machine = machine_for(base, journal)
    for _ in range(60):
        at, to = machine.patch_offset, machine.target_offset
        piece = machine.feed(patch[at : at + chance.randint(1, len(patch) // 15)])
        flash[to : to + len(piece)] = piece
        if chance.random() < 0.5:
            journal = machine.journal()
        if machine.done:
            break
        if chance.random() < 0.5:
            machine = machine_for(base, journal)
    rest = machine.feed(patch[machine.patch_offset :])
    flash[len(flash) - len(rest) :] = rest
    machine.finish()
    assert bytes(flash) == target


@pytest.fixture(scope="session")
def bootloader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the miniature bootloader from the decoder's own sources, with sanitizers."""
    return compiled(tmp_path_factory.mktemp("bootloader"), "bootloader.c")


def boot(program: Path, names: list[str], call: int) -> tuple[int, int]:
    """Start the bootloader; its power fails in this call. Returns its status and the calls left."""
    command = [str(program), *names, str(call)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - the program just built
    return result.returncode, int(result.stdout.split()[0]) if result.stdout else 0


def files(folder: Path, base: bytes, patch: bytes) -> list[str]:
    """Write what the bootloader reads; flash and journal are empty. Returns their names."""
    content = {"base": base, "patch": patch, "target": b"", "journal": b""}
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in content]


NEVER = 1 << 30


def test_a_bootloader_in_c_goes_on_from_its_journal(
    bootloader: Path, pair: tuple[bytes, bytes], tmp_path: Path
) -> None:
    base, target = pair
    base, target = base[:60_000], target[:60_000]
    patch = delta.make(base, target, OPTIONS).data
    status, left = boot(bootloader, files(tmp_path, base, patch), NEVER)
    assert (status, (tmp_path / "target").read_bytes()) == (0, target)
    names = files(tmp_path, base, patch)
    statuses: list[int] = []
    while not statuses or statuses[-1] == 9:
        statuses.append(boot(bootloader, names, (NEVER - left) * 19 // 20)[0])
        assert len(statuses) < 20
    assert statuses[-1] == 0
    assert len(statuses) > 1
    assert (tmp_path / "target").read_bytes() == target


def test_power_may_fail_in_each_call_and_tear_what_it_writes(
    bootloader: Path, tmp_path: Path
) -> None:
    noise = SeededChance("calls").random.randbytes(4600)
    base, target = noise[:900], noise[400:900] + noise[1000:1400] + noise[:700]
    target += target[::-1] + noise[:1500]
    options = delta.MakeOptions(delta.RamClass.RAM_60K, delta.BackEnd.FAST, step_bytes=4096)
    patch = delta.make(base, target, options).data
    status, left = boot(bootloader, files(tmp_path, base, patch), NEVER)
    assert status == 0
    for call in range(NEVER - left):
        names = files(tmp_path, base, patch)
        assert boot(bootloader, names, call)[0] == 9
        assert boot(bootloader, names, NEVER)[0] == 0
        assert (tmp_path / "target").read_bytes() == target


def test_a_bootloader_that_saves_flash_refuses_fast_patches_before_it_writes(
    tmp_path: Path,
) -> None:
    program = compiled(tmp_path, "bootloader.c", flags=("-DRW_NO_FAST",))
    base = bytes(range(256)) * 20
    unsupported = 2
    for options, status in ((FAST, unsupported), (OPTIONS, 0)):
        patch = delta.make(base, base[::-1], options).data
        assert boot(program, files(tmp_path, base, patch), NEVER)[0] == status
        assert (tmp_path / "target").read_bytes() == (b"" if status else base[::-1])


def test_a_bootloader_in_c_refuses_a_foreign_base_and_a_cut_patch(
    bootloader: Path, tmp_path: Path
) -> None:
    base = bytes(range(256)) * 20
    patch = delta.make(base, base[::-1], OPTIONS).data
    expected = [
        (3, base[:-1] + b"x", patch),
        (255, base, patch[:-20]),
        (255, base, patch[:20]),
        (1, base, b"no" * 60),
        (1, base, patch[:3] + bytes(100)),
        (2, base, b"RWDC" * 60),
    ]
    for status, image, data in expected:
        assert boot(bootloader, files(tmp_path, image, data), NEVER)[0] == status
