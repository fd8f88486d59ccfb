"""Patches on the command line: made, applied, resumed after a kill, inspected, compared."""

import fcntl
import hashlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.cli.conftest import Cli

from roadworthy import delta
from roadworthy.base.clock import SeededChance, SystemClock
from roadworthy.cli.delta_files import rebuild
from roadworthy.cli.delta_peers import FAMILIES, Failed, Measured, installed, measure, ours

NOISE = SeededChance("cli").random.randbytes(400_000)
OLD = NOISE[:300_000]
NEW = NOISE[100_000:] + OLD[:50_000]
_LIMIT_S = 120


class Pair:
    """An old and a new image in files, with a patch in the smallest RAM class."""

    def __init__(self, folder: Path) -> None:
        self.old, self.new, self.patch = (folder / name for name in ("old", "new", "patch"))
        self.to, self.journal, self.part = (folder / n for n in ("to", "journal", ".to.part"))
        self.old.write_bytes(OLD)
        self.new.write_bytes(NEW)
        self.patch.write_bytes(PATCH.data)

    @property
    def apply(self) -> tuple[str | Path, ...]:
        return ("delta", "apply", self.old, self.patch, "-o", self.to)


PATCH = delta.make(OLD, NEW, delta.MakeOptions(ram_class=delta.RamClass.RAM_60K))


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_a_patch_is_made_and_applied(cli: Cli, pair: Pair) -> None:
    made = cli.ok("delta", "make", pair.old, pair.new, "-o", pair.patch, "--ram", "60k")
    assert pair.patch.read_bytes() == PATCH.data
    assert made["patch_bytes"] == len(PATCH.data)
    assert made["share"] == round(len(PATCH.data) / len(NEW), 4)
    assert made["ram"] == "60K"
    done = cli.ok(*pair.apply)
    assert pair.to.read_bytes() == NEW
    assert done["resumed_at"] == 0
    assert not pair.part.exists()


def test_options_reach_the_codec(cli: Cli, pair: Pair) -> None:
    cli.ok("delta", "make", pair.old, pair.new, "-o", pair.patch, "--ram", "240K", "--arch", "arm")
    header = delta.inspect(pair.patch.read_bytes())
    assert header.ram_class is delta.RamClass.RAM_240K
    assert header.architecture is delta.Architecture.ARM
    assert header.back_end is delta.BackEnd.MIXING
    cli.ok("delta", "make", pair.old, pair.new, "-o", pair.patch, "--back-end", "fast")
    assert cli.ok("delta", "info", pair.patch)["back_end"] == "fast"
    result = cli("delta", "make", pair.old, pair.new, "-o", pair.patch, "--arch", "z80")
    assert result.exit_code == 2
    assert "aarch64" in result.stderr


def test_a_patch_goes_to_standard_output_and_nothing_else_does(pair: Pair) -> None:
    command = [sys.executable, "-m", "roadworthy", "delta", "make", pair.old, pair.new, "-o", "-"]
    for more in ((), ("--output", "json")):
        done = subprocess.run([*map(str, command), *more], check=True, capture_output=True)  # noqa: S603
        assert b"".join(delta.apply(OLD, done.stdout)) == NEW


def test_people_are_told_what_came_of_it(cli: Cli, pair: Pair) -> None:
    made = cli("delta", "make", pair.old, pair.new, "-o", pair.patch)
    assert "of the new image" in made.stderr
    assert made.stdout == ""
    assert "350000 bytes, hash is right" in cli(*pair.apply).stderr


def test_info_shows_the_header(cli: Cli, pair: Pair) -> None:
    told = cli.ok("delta", "info", pair.patch)
    assert told["base_sha256"] == PATCH.header.base_sha256
    assert told["ram_needed_bytes"] == PATCH.header.workspace_bytes
    shown = cli("delta", "info", pair.patch)
    assert PATCH.header.target_sha256 in shown.stdout
    assert "cut short" not in shown.stderr
    assert "In place" not in shown.stdout
    assert told["hash_bytes"] == PATCH.header.hash_bytes
    slot = delta.MakeOptions(region_bytes=1 << 20)
    pair.patch.write_bytes(delta.make(OLD, NEW, slot).data)
    assert cli.ok("delta", "info", pair.patch)["in_place"] is True
    assert "base moves up" in cli("delta", "info", pair.patch).stdout
    pair.patch.write_bytes(PATCH.data[:-1])
    assert "cut short" in cli("delta", "info", pair.patch).stderr


def test_it_is_told_how_much_of_a_hash_a_patch_names(cli: Cli, pair: Pair) -> None:
    whole = hashlib.sha256(NEW).hexdigest()
    assert cli.ok("delta", "info", pair.patch)["target_sha256"] == whole
    assert "first" not in cli("delta", "info", pair.patch).stdout
    few = NEW[:200_000]
    pair.new.write_bytes(few)
    whole = hashlib.sha256(few).hexdigest()
    assert cli.ok("delta", "make", pair.old, pair.new, "-o", pair.patch)["hash_bytes"] == 3
    assert cli.ok("delta", "info", pair.patch)["target_sha256"] == whole[:6]
    shown = cli("delta", "info", pair.patch).stdout
    assert f"{whole[:6]}... (first 3 bytes" in " ".join(shown.split())
    assert cli.ok(*pair.apply)["target_sha256"] == whole
    assert pair.to.read_bytes() == few


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("make", "none", "new", "-o", "x"), 2, "none"),
        (("make", "old", "none", "-o", "x"), 2, "none"),
        (("make", "old", "old", "-o", "x"), 2, "same file"),
        (("make", "old", "new", "-o", "new"), 2, "same file"),
        (("make", "old", "new", "-o", "gone/x"), 1, "gone"),
        (("apply", "old", "new", "-o", "x"), 2, "not a patch"),
        (("apply", "old", "none", "-o", "x"), 2, "none"),
        (("apply", "new", "patch", "-o", "x"), 7, "base"),
        (("apply", "old", "patch", "-o", "old"), 2, "same file"),
        (("apply", "old", "patch", "-o", "x", "--journal", "old"), 2, "same file"),
        (("apply", "old", "patch", "-o", "gone/x"), 1, "No such file"),
        (("apply", "old", "patch", "-o", "pipe"), 2, "not a file of bytes"),
        (("apply", "pipe", "patch", "-o", "x"), 2, "not a file of bytes"),
        (("info", "old"), 2, "not a patch"),
        (("info", "empty"), 2, "not a patch"),
        (("compare", "new", "new"), 2, "same file"),
    ],
)
def test_each_mistake_has_its_words_and_status(
    cli: Cli,
    pair: Pair,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    monkeypatch.chdir(pair.old.parent)
    Path("empty").touch()
    os.mkfifo("pipe")
    before = {path.name for path in pair.old.parent.iterdir()}
    if "pipe" in arguments[1]:
        writer = os.open("pipe", os.O_RDWR)
        result = cli("delta", *arguments)
        os.close(writer)
    else:
        result = cli("delta", *arguments)
    assert result.exit_code == status, result.output
    assert said in result.stderr
    assert {path.name for path in pair.old.parent.iterdir()} == before
    assert pair.old.read_bytes() == OLD
    assert pair.new.read_bytes() == NEW


def test_empty_images_are_images(cli: Cli, pair: Pair) -> None:
    pair.old.write_bytes(b"")
    cli.ok("delta", "make", pair.old, pair.new, "-o", pair.patch)
    cli.ok(*pair.apply)
    assert pair.to.read_bytes() == NEW
    pair.new.write_bytes(b"")
    cli.ok("delta", "make", pair.old, pair.new, "-o", pair.patch)
    cli.ok(*pair.apply)
    assert pair.to.read_bytes() == b""


def test_a_killed_run_goes_on_from_its_journal(pair: Pair, cli: Cli) -> None:
    arguments = [*pair.apply, "--journal", pair.journal]
    command = [sys.executable, "-m", "roadworthy", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - our own program
    clock = SystemClock()
    end = clock.monotonic() + _LIMIT_S
    while not pair.journal.exists():
        assert clock.monotonic() < end
    process.kill()
    process.wait()
    assert not pair.to.exists()
    done = cli.ok(*arguments)
    assert 0 < done["resumed_at"] < len(NEW)
    assert pair.to.read_bytes() == NEW
    assert not pair.journal.exists()
    assert not pair.part.exists()


def half_done(pair: Pair) -> int:
    """Leave a journal and an unfinished image behind; return how far they got."""

    class Cut(Exception):  # noqa: N818 - no error
        pass

    def stop(offset: int) -> None:
        if offset > len(NEW) // 2:
            raise Cut

    with pytest.raises(Cut):
        rebuild(OLD, PATCH.data, pair.to, pair.journal, stop)
    machine = delta.Decoder(OLD, pair.journal.read_bytes())
    return machine.target_offset


def test_what_was_written_after_the_journal_is_written_again(cli: Cli, pair: Pair) -> None:
    offset = half_done(pair)
    assert pair.part.stat().st_size > offset > 0
    assert cli.ok(*pair.apply, "--journal", pair.journal)["resumed_at"] == offset
    assert pair.to.read_bytes() == NEW


def test_a_damaged_patch_can_be_fetched_again_and_goes_on(cli: Cli, pair: Pair) -> None:
    damaged = bytearray(PATCH.data)
    damaged[-2000] ^= 1
    pair.patch.write_bytes(damaged)
    assert cli(*pair.apply, "--journal", pair.journal).exit_code in {2, 7}
    pair.patch.write_bytes(PATCH.data)
    assert cli.ok(*pair.apply, "--journal", pair.journal)["resumed_at"] > 0
    assert pair.to.read_bytes() == NEW


def test_without_a_journal_nothing_is_left_of_a_failed_run(cli: Cli, pair: Pair) -> None:
    pair.to.write_bytes(b"what was there")
    pair.patch.write_bytes(PATCH.data[:-2000])
    result = cli(*pair.apply)
    assert result.exit_code == 2
    assert "before the target is whole" in result.stderr
    assert pair.to.read_bytes() == b"what was there"
    assert not pair.part.exists()


def test_a_journal_whose_image_is_gone_or_short_says_so(cli: Cli, pair: Pair) -> None:
    half_done(pair)
    pair.part.write_bytes(b"short")
    result = cli(*pair.apply, "--journal", pair.journal)
    assert result.exit_code == 2
    assert "remove the journal" in result.stderr
    pair.part.unlink()
    assert cli(*pair.apply, "--journal", pair.journal).exit_code == 2
    pair.journal.unlink()
    assert cli.ok(*pair.apply, "--journal", pair.journal)["resumed_at"] == 0


def test_an_image_that_was_changed_between_two_runs_is_not_given_out(cli: Cli, pair: Pair) -> None:
    half_done(pair)
    image = bytearray(pair.part.read_bytes())
    image[10] ^= 1
    pair.part.write_bytes(image)
    result = cli(*pair.apply, "--journal", pair.journal)
    assert result.exit_code == 7
    assert "changed on the disk" in result.stderr
    assert not pair.to.exists()


def test_a_journal_of_another_patch_or_none_at_all_is_refused(cli: Cli, pair: Pair) -> None:
    half_done(pair)
    pair.patch.write_bytes(delta.make(OLD, NEW[:-1]).data)
    result = cli(*pair.apply, "--journal", pair.journal)
    assert result.exit_code == 2
    assert "belongs to another patch" in result.stderr
    pair.journal.write_bytes(b"RWJ1 and no journal")
    assert (
        "malformed-journal"
        in cli(*pair.apply, "--journal", pair.journal, "--output", "json").stderr
    )


def test_power_that_failed_after_the_last_step_costs_nothing(cli: Cli, pair: Pair) -> None:
    half_done(pair)
    pair.part.unlink()
    pair.to.write_bytes(NEW)
    assert cli.ok(*pair.apply, "--journal", pair.journal)["resumed_at"] == len(NEW)
    assert not pair.journal.exists()


def test_two_runs_do_not_write_one_image(cli: Cli, pair: Pair) -> None:
    with pair.part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        result = cli(*pair.apply)
    assert result.exit_code == 5
    assert pair.part.exists()


def test_a_full_disk_is_told_and_leaves_nothing(pair: Pair) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [sys.executable, "-m", "roadworthy", *map(str, pair.apply), "--output", "json"]
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    assert done.returncode == 1
    assert json.loads(done.stderr)["error"]["code"] == "store"
    assert not pair.part.exists()
    assert not pair.to.exists()


def fake_bsdiff4(patched: bytes | None = None) -> ModuleType:
    module = ModuleType("bsdiff4")
    vars(module)["diff"] = lambda _, new: new[::2]
    vars(module)["patch"] = lambda _, __: NEW if patched is None else patched
    return module


def test_compare_shows_every_tool_and_names_those_that_are_absent(
    cli: Cli, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bsdiff4", fake_bsdiff4())
    monkeypatch.setitem(sys.modules, "detools", None)
    ask = ("delta", "compare", pair.old, pair.new, "--peer", "bsdiff4", "--peer", "detools")
    told = cli.ok(*ask)
    sizes = {each["tool"]: each["bytes"] for each in told["results"]}
    assert list(sizes) == [*ours(), "bsdiff4"]
    assert sizes["roadworthy 60K"] == len(PATCH.data)
    assert sizes["bsdiff4"] == len(NEW) // 2
    assert told["absent"] == ["detools"]
    assert told["best_peer"] == "bsdiff4"
    assert told["ours_to_best_peer"] == round(sizes["roadworthy 4M"] / sizes["bsdiff4"], 4)
    shown = cli(*ask)
    assert "of the best peer, bsdiff4" in shown.stderr
    assert "Not installed: detools" in shown.stderr


def test_a_tool_whose_patch_makes_another_image_has_no_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "bsdiff4", fake_bsdiff4(b"something else"))
    tools, absent = installed(["bsdiff4"])
    assert not absent
    assert measure(tools["bsdiff4"], OLD, NEW) == Failed("wrong image")
    monkeypatch.setitem(sys.modules, "bsdiff4", ModuleType("bsdiff4"))
    (broken,) = FAMILIES["bsdiff4"]().values()
    assert measure(broken, OLD, NEW) == Failed("AttributeError")


def test_every_installed_tool_gives_the_image_again() -> None:
    old, new = OLD[:20_000], OLD[5000:20_000] + NEW[-9000:]
    tools, absent = installed(FAMILIES)
    assert set(absent) <= set(FAMILIES)
    for name, tool in (ours() | tools).items():
        assert isinstance(measure(tool, old, new), Measured), name


def test_a_damaged_tiny_patch_is_not_taken_for_one_that_ended_before(cli: Cli, pair: Pair) -> None:
    few = NEW[:200_000]
    tiny = delta.make(OLD, few)
    flawed = bytearray(tiny.data)
    flawed[4] ^= 1  # of the base's length, from which the target's length counts
    assert tiny.header.hash_bytes == 3
    assert delta.inspect(bytes(flawed)).makes(hashlib.sha256(few).hexdigest())
    pair.patch.write_bytes(flawed)
    pair.to.write_bytes(few)
    pair.journal.write_bytes(b"of the last run")
    assert cli(*pair.apply, "--journal", pair.journal).exit_code != 0
    assert pair.to.read_bytes() == few
