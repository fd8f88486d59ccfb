"""Images with compressed containers: patches are small, exact, streamed and survive power cuts."""

import hashlib
import shutil
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.delta.containers import images
from typing_extensions import Buffer

from roadworthy import delta
from roadworthy.base.clock import SeededChance
from roadworthy.base.errors import RoadworthyError, StoreError
from roadworthy.delta import containers, maker
from roadworthy.delta.containers import zstd

CHANCE = SeededChance("containers").random
WORDS = [CHANCE.randbytes(CHANCE.randint(3, 9)) for _ in range(2000)]
FAST = delta.MakeOptions(back_end=delta.BackEnd.FAST, step_bytes=4096)
ZSTD = delta.MakeOptions(back_end=delta.BackEnd.FAST, step_bytes=4096, zstd=True)


def packed(base: Buffer, target: Buffer, options: delta.MakeOptions | None = None) -> bytes | None:
    made = containers.make_packed(base, target, options)
    return made.data if made else None


def text(words: int) -> bytes:
    return b"".join(CHANCE.choice(WORDS) for _ in range(words))


FILES = {f"file{number:02}": text(200 + 300 * number % 2900) for number in range(14)}
CHANGED = dict(FILES)
CHANGED["file03"] = b"a new beginning " + FILES["file03"]
CHANGED["file07"] = FILES["file07"][:3000] + b"new" + FILES["file07"][3200:]
CHANGED["file09"] = FILES["file09"] + FILES["file02"][:700]
Container = Callable[[dict[str, bytes]], bytes]


def squashfs_in_a_disk(files: dict[str, bytes]) -> bytes:
    return CODE[:5000] + images.Writer().image(files) + CODE[5000:9000]


def squashfs_of_a_gzip_file(files: dict[str, bytes]) -> bytes:
    """Such a file is stored as it is, in blocks that are not compressed."""
    return images.Writer().image({"log.gz": images.gzipped(b"".join(files.values()))})


def two_members(files: dict[str, bytes]) -> bytes:
    half = dict(list(files.items())[:6])
    return images.gzipped(images.cpio(half)) + images.gzipped(images.cpio(files), 6)


CODE = CHANCE.randbytes(9000)
CONTAINERS: dict[str, Container] = {
    "squashfs": images.Writer().image,
    "squashfs in a disk": squashfs_in_a_disk,
    "squashfs of a gzip file": squashfs_of_a_gzip_file,
    "tar.gz": lambda files: images.gzipped(images.tar(files)),
    "tar.gz level 1": lambda files: images.gzipped(images.tar(files), 1),
    "cpio.gz, twice": two_members,
    "kernel": lambda files: CODE + images.gzipped(b"".join(files.values())) + CODE[:100],
}


@pytest.fixture(scope="module", params=CONTAINERS)
def pair(request: pytest.FixtureRequest) -> tuple[bytes, bytes, bytes]:
    """Base, target and packed patch of each kind of container."""
    container = CONTAINERS[request.param]
    base, target = container(FILES), container(CHANGED)
    patch = packed(base, target, FAST)
    assert patch is not None
    return base, target, patch


def test_a_packed_patch_is_exact_and_much_smaller(pair: tuple[bytes, bytes, bytes]) -> None:
    base, target, patch = pair
    machine = containers.PackedDecoder(base)
    assert machine.feed(patch) == target
    machine.finish()
    assert machine.target_offset == len(target)
    assert machine.patch_offset == len(patch)
    assert len(patch) < len(maker.make(base, target, FAST).data) / 4


def test_the_same_images_give_the_same_patch(pair: tuple[bytes, bytes, bytes]) -> None:
    base, target, patch = pair
    assert packed(bytearray(base), memoryview(target), FAST) == patch


def test_the_header_says_what_the_patch_is_for(pair: tuple[bytes, bytes, bytes]) -> None:
    base, target, patch = pair
    header = containers.inspect_packed(patch[: containers.PACKED_HEADER_SIZE_BYTES])
    assert header.base_length_bytes == len(base)
    assert header.target_length_bytes == len(target)
    assert header.patch_length_bytes == len(patch)
    machine = containers.PackedDecoder(base)
    assert machine.header is None
    machine.feed(patch[:200])
    assert machine.header == header.summary


def test_one_byte_at_a_time_gives_the_same_target(pair: tuple[bytes, bytes, bytes]) -> None:
    base, target, patch = pair
    machine = containers.PackedDecoder(base)
    out = b"".join(machine.feed(patch[at : at + 1]) for at in range(len(patch)))
    assert out == target
    assert machine.done


def test_power_fails_after_every_piece(pair: tuple[bytes, bytes, bytes]) -> None:
    base, target, patch = pair
    machine, written = containers.PackedDecoder(base), b""
    cuts = 0
    while not machine.done:
        written += next(machine.stream(patch[machine.patch_offset :]), b"")
        machine = containers.PackedDecoder(base, machine.journal())
        assert machine.target_offset == len(written)
        cuts += 1
    assert written == target
    assert cuts > 2


def test_power_fails_after_every_few_bytes_of_the_patch(pair: tuple[bytes, bytes, bytes]) -> None:
    base, target, patch = pair
    machine, written = containers.PackedDecoder(base), b""
    while machine.patch_offset < len(patch):
        at = machine.patch_offset
        written += machine.feed(patch[at : at + CHANCE.randint(1, 90)])
        machine = containers.PackedDecoder(base, machine.journal())
    machine.finish()
    assert written == target


def test_what_was_written_since_the_journal_is_written_again(
    pair: tuple[bytes, bytes, bytes],
) -> None:
    base, target, patch = pair
    flash = bytearray(len(target))
    machine = containers.PackedDecoder(base)
    journal = machine.journal()
    for _ in range(400):
        at, to = machine.patch_offset, machine.target_offset
        piece = machine.feed(patch[at : at + CHANCE.randint(1, len(patch) // 10)])
        flash[to : to + len(piece)] = piece
        if machine.done:
            break
        if CHANCE.random() < 0.5:
            journal = machine.journal()
        elif CHANCE.random() < 0.5:
            machine = containers.PackedDecoder(base, journal)
    assert machine.done
    assert bytes(flash) == target


def test_a_wrong_base_is_refused_before_the_first_byte(pair: tuple[bytes, bytes, bytes]) -> None:
    base, _, patch = pair
    other = bytearray(base)
    other[len(base) // 2] ^= 1
    machine = containers.PackedDecoder(lambda at, length: bytes(other[at : at + length]))
    with pytest.raises(delta.WrongBaseError):
        machine.feed(patch)
    assert machine.target_offset == 0
    with pytest.raises(delta.WrongBaseError):
        containers.PackedDecoder(base + b"x").feed(patch)


def test_a_base_that_cannot_be_read_is_our_storage_failing(
    pair: tuple[bytes, bytes, bytes],
) -> None:
    base, _, patch = pair
    machine = containers.PackedDecoder(lambda at, length: base[at : at + length][1:])
    with pytest.raises(StoreError):
        machine.feed(patch)


def test_a_patch_that_is_cut_short_or_too_long_is_refused(
    pair: tuple[bytes, bytes, bytes],
) -> None:
    base, _, patch = pair
    for length in (0, 50, 112, 300, len(patch) - 1):
        machine = containers.PackedDecoder(base)
        machine.feed(patch[:length])
        with pytest.raises(delta.PatchError):
            machine.finish()
    with pytest.raises(delta.PatchError):
        containers.PackedDecoder(base).feed(patch + b"x")


def test_a_changed_byte_never_gives_another_target(pair: tuple[bytes, bytes, bytes]) -> None:
    base, target, patch = pair
    for _ in range(60):
        broken = bytearray(patch)
        at = CHANCE.randrange(len(patch))
        broken[at] ^= CHANCE.randint(1, 255)
        machine = containers.PackedDecoder(base)
        try:
            assert machine.feed(broken) == target
        except (delta.PatchError, delta.TargetMismatchError, delta.WrongBaseError):
            continue


def test_a_damaged_journal_is_refused(pair: tuple[bytes, bytes, bytes]) -> None:
    base, _, patch = pair
    for length in (20, 200, len(patch) - 60):
        machine = containers.PackedDecoder(base)
        machine.feed(patch[:length])
        journal = bytearray(machine.journal())
        journal[CHANCE.randrange(len(journal))] ^= 1
        with pytest.raises(delta.JournalError):
            containers.PackedDecoder(base, bytes(journal))


def test_a_journal_of_another_patch_is_refused() -> None:
    """What was forged ends in a typed error, whatever the parts are."""
    base = CONTAINERS["tar.gz"](FILES)
    patch = packed(base, CONTAINERS["tar.gz"](CHANGED), FAST)
    assert patch
    machine = containers.PackedDecoder(base)
    machine.feed(patch[:-200])
    body = zlib.decompress(machine.journal()[20:])
    for _ in range(100):
        forged = bytearray(body)
        forged[CHANCE.randrange(len(forged))] ^= CHANCE.randint(1, 255)
        body_packed = zlib.compress(forged)
        journal = b"RWK1" + hashlib.sha256(body_packed).digest()[:16] + body_packed
        try:
            other = containers.PackedDecoder(base, journal)
            other.feed(patch[min(other.patch_offset, len(patch)) :])
            other.finish()
        except RoadworthyError:
            continue


def test_images_without_changed_streams_are_left_to_the_plain_patch() -> None:
    base = images.Writer().image(FILES)
    assert packed(base, base) is None
    assert packed(CODE, CODE[1:]) is None
    assert packed(base, CODE) is None
    assert packed(b"", b"") is None


def test_small_machines_and_targets_in_place_get_plain_patches() -> None:
    base, target = images.Writer().image(FILES), images.Writer().image(CHANGED)
    small = delta.MakeOptions(ram_class=delta.RamClass.RAM_60K)
    assert packed(base, target, small) is None
    in_place = delta.MakeOptions(region_bytes=1 << 20)
    assert packed(base, target, in_place) is None


def test_a_target_whose_base_is_not_packed_at_all_comes_back() -> None:
    target = images.gzipped(images.tar(CHANGED))
    for base in (b"", images.tar(FILES), CODE):
        patch = packed(base, target, FAST)
        assert patch
        assert containers.PackedDecoder(base).feed(patch) == target


def test_a_stream_of_another_encoder_is_unpacked_too() -> None:
    machine = zlib.compressobj(9, zlib.DEFLATED, 31, 1, zlib.Z_HUFFMAN_ONLY)
    base = images.gzipped(images.tar(FILES))
    target = machine.compress(images.tar(CHANGED)) + machine.flush()
    patch = packed(base, target, FAST)
    assert patch
    assert len(patch) < len(target) / 20
    assert containers.PackedDecoder(base).feed(patch) == target


def test_a_stream_that_no_recipe_gives_stays_as_it_is() -> None:
    """Bits after the end of a deflate stream mean nothing, and no encoder sets them."""
    base = images.gzipped(images.tar(FILES))
    member = bytearray(images.gzipped(images.tar(CHANGED)))
    member[-9] ^= 0x80
    assert zlib.decompress(member, 31) == images.tar(CHANGED)
    assert packed(base, member, FAST) is None


def test_long_streams_are_unpacked_in_spans() -> None:
    body = text(150_000)
    base = images.gzipped(body + text(3000))
    target = images.gzipped(body[:400_000] + b"between" + body[400_100:] + text(10))
    patch = packed(base, target, FAST)
    assert patch
    assert len(patch) < 3000
    machine, written = containers.PackedDecoder(base), b""
    while not machine.done:
        written += next(machine.stream(patch[machine.patch_offset :]), b"")
        if CHANCE.random() < 0.3:
            machine = containers.PackedDecoder(base, machine.journal())
    assert written == target


@pytest.mark.skipif(not zstd.library_version(), reason="the Zstandard library is optional")
def test_zstandard_blocks_are_packed_by_the_same_version() -> None:
    writer = images.Writer(lambda content: zstd.pack_frame(content, 15), compression=6)
    base, target = writer.image(FILES), writer.image(CHANGED)
    assert packed(base, target, replace(FAST, zstd=False)) is None
    patch = packed(base, target, ZSTD)
    assert patch
    assert packed(base, target, FAST) == patch
    assert len(patch) < len(maker.make(base, target, FAST).data) * 0.7
    assert containers.PackedDecoder(base).feed(patch) == target


@pytest.mark.skipif(not zstd.library_version(), reason="the Zstandard library is optional")
def test_another_version_of_the_zstandard_library_refuses_before_the_first_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer = images.Writer(lambda content: zstd.pack_frame(content, 15), compression=6)
    base = writer.image(FILES)
    patch = packed(base, writer.image(CHANGED), ZSTD)
    assert patch
    for version in (0, 10400):
        monkeypatch.setattr(zstd, "library_version", lambda version=version: version)
        machine = containers.PackedDecoder(base)
        with pytest.raises(delta.PatchError, match="Zstandard"):
            machine.feed(patch)
        assert machine.target_offset == 0


@pytest.mark.skipif(not shutil.which("mksquashfs"), reason="squashfs-tools are not installed")
def test_an_image_of_the_real_tool_is_unpacked(tmp_path: Path) -> None:
    program = shutil.which("mksquashfs") or ""
    made = []
    for name, files in {"old": FILES, "new": CHANGED}.items():
        folder = tmp_path / name
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_bytes(content * 9)
        (folder / "link").symlink_to("file01")
        image = tmp_path / f"{name}.sqfs"
        command = [program, str(folder), str(image), "-comp", "gzip", "-all-root", "-quiet"]
        subprocess.run(  # noqa: S603 - a program of the system on our own files
            [*command, "-no-progress", "-noappend"], check=True, stdout=subprocess.DEVNULL
        )
        made.append(image.read_bytes())
    base, target = made
    patch = packed(base, target, FAST)
    assert patch
    assert len(patch) < len(maker.make(base, target, FAST).data) / 3
    assert containers.PackedDecoder(base).feed(patch) == target
