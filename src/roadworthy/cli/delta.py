"""`roadworthy delta`: make a patch, apply it, look into it, compare it with other tools'."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text
from typing_extensions import Buffer

from roadworthy import delta as codec
from roadworthy.base.clock import SystemClock
from roadworthy.cli.commands import Command
from roadworthy.cli.delta_files import map_file, rebuild, refuse_same
from roadworthy.cli.delta_peers import FAMILIES, Failed, Measured, installed, measure, ours
from roadworthy.cli.files import FILE, write_output
from roadworthy.cli.output import Output
from roadworthy.cli.settings import settings_of

__all__ = ["delta"]

_RAM = {each.name.removeprefix("RAM_"): each for each in codec.RamClass}
_AUTO = "auto"
_ARCHITECTURES = [_AUTO, *(each.name.lower() for each in codec.Architecture)]
_THOUSAND = 1000
_SHA256_BYTES = 32


@click.command("make", cls=Command)
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option("-o", "to", required=True, type=FILE, help="Patch to write; - for standard output.")
@click.option(
    "--ram",
    default="4M",
    show_default=True,
    type=click.Choice(list(_RAM), case_sensitive=False),
    help="Memory that the receiving side has, all in.",
)
@click.option(
    "--arch",
    default=_AUTO,
    show_default=True,
    type=click.Choice(_ARCHITECTURES, case_sensitive=False),
    help="Instruction set of the images; auto finds it.",
)
@click.option(
    "--back-end",
    default=_AUTO,
    show_default=True,
    type=click.Choice([_AUTO, "mixing", "fast"]),
    help="fast: applied many times as fast, a tenth to a third longer; auto takes the shorter, "
    "which below 4M may be the fast one.",
)
@click.option(
    "--in-place",
    "region_bytes",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="Size of the one slot in which NEW replaces OLD; without it both have their own place.",
)
@click.option(
    "--zstd/--no-zstd",
    default=None,
    help="Whether the receiving side has this machine's version of the Zstandard library, so that "
    "such squashfs blocks can be unpacked.  [default: if it is installed here]",
)
@click.pass_context
def make(  # noqa: PLR0913 - one argument per option
    context: click.Context,
    *,
    old: Path,
    new: Path,
    to: Path,
    ram: str,
    arch: str,
    back_end: str,
    region_bytes: int | None,
    zstd: bool | None,
) -> None:
    """Make the patch that turns OLD into NEW.

    It is applied again before it is written, so what is written works.
    """
    output = Output(settings_of(context))
    for file in (new, to):
        refuse_same(old, file)
    refuse_same(new, to)
    base, target = map_file(old), map_file(new)
    begin = SystemClock().monotonic()
    with _progress(output, "making", _THOUSAND) as told:
        options = codec.MakeOptions(
            ram_class=_RAM[ram],
            back_end=None if back_end == _AUTO else codec.BackEnd[back_end.upper()],
            architecture=None if arch == _AUTO else codec.Architecture[arch.upper()],
            region_bytes=region_bytes,
            zstd=zstd,
            scratch=TemporaryFile,
            progress=told,
        )
        patch = codec.make(base, target, options)
    _prove(output, base, target, patch)
    write_output(to, patch.data)
    _tell_made(output, to, patch, SystemClock().monotonic() - begin)


@click.command("apply", cls=Command)
@click.argument("old", type=FILE)
@click.argument("patch", type=FILE)
@click.option("-o", "to", required=True, type=FILE, help="New image to write.")
@click.option(
    "--journal",
    type=FILE,
    help="Keep the state here; the same call goes on from it after a power cut.",
)
@click.pass_context
def apply(
    context: click.Context, *, old: Path, patch: Path, to: Path, journal: Path | None
) -> None:
    """Apply PATCH to OLD.

    The new image appears under its name when it is whole and its hash is right. A journal is
    removed at the end.
    """
    output = Output(settings_of(context))
    for file in (patch, to, *([journal] if journal else [])):
        refuse_same(old, file)
    data = map_file(patch)
    length_bytes = codec.inspect(data).target_length_bytes
    with _progress(output, "applying", length_bytes, is_bytes=True) as told:
        done = rebuild(map_file(old), data, to, journal, told)
    if output.settings.is_json:
        output.json(
            {
                "target": str(to),
                "target_bytes": length_bytes,
                "target_sha256": done.sha256,
                "resumed_at": done.resumed_at,
            }
        )
        return
    resumed = f", went on after {done.resumed_at}" if done.resumed_at else ""
    output.message(f"{to}: {length_bytes} bytes{resumed}, hash is right")


@click.command("info", cls=Command)
@click.argument("patch", type=FILE)
@click.pass_context
def info(context: click.Context, *, patch: Path) -> None:
    """Show what PATCH says about itself."""
    output = Output(settings_of(context))
    data = map_file(patch)
    header = codec.inspect(data)
    length_bytes = memoryview(data).nbytes
    if output.settings.is_json:
        output.json(_header_json(header) | {"file_bytes": length_bytes})
        return
    output.fields(
        {
            "Format": f"version {header.version}, {header.back_end.name.lower()}",
            "Patch": _bytes(header.patch_length_bytes),
            "Base": f"{_bytes(header.base_length_bytes)}, {_named(header.base_sha256)}",
            "Target": f"{_bytes(header.target_length_bytes)}, {_named(header.target_sha256)}",
            "In place": f"base moves up {_bytes(header.shift_bytes)}" if header.in_place else None,
            "Architecture": header.architecture.name.lower(),
            "RAM class": header.ram_class.name.removeprefix("RAM_"),
            "RAM needed": _bytes(header.workspace_bytes),
            "Hash after every": _bytes(header.step_bytes),
            "Runs from the base": header.cover_count,
        }
    )
    if length_bytes != header.patch_length_bytes:
        output.message(f"The file has {length_bytes} bytes: it is cut short or goes on too long.")


@click.command("compare", cls=Command)
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    type=click.Choice(list(FAMILIES)),
    help="Only against these; may be given several times.",
)
@click.pass_context
def compare(context: click.Context, *, old: Path, new: Path, peers: Sequence[str]) -> None:
    """Compare our patch from OLD to NEW with those of the tools that are installed.

    Each tool runs at its strongest settings and has to apply its own patch. The images are read
    into memory, and some tools take minutes for some megabytes.
    """
    output = Output(settings_of(context))
    refuse_same(old, new)
    base, target = bytes(map_file(old)), bytes(map_file(new))
    found, absent = installed(peers or FAMILIES)
    tools = ours() | found
    results: dict[str, Measured | Failed] = {}
    with _progress(output, "comparing", len(tools)) as told:
        for number, (name, tool) in enumerate(tools.items(), start=1):
            results[name] = measure(tool, base, target)
            told(number)
    _tell_compared(output, results, absent, len(target))


def _prove(output: Output, base: Buffer, target: Buffer, patch: codec.Patch) -> None:
    """Apply a patch and compare what comes out."""
    wanted = memoryview(target)
    with _progress(output, "checking", wanted.nbytes, is_bytes=True) as told:
        done = 0
        for piece in codec.apply(base, patch.data):
            if piece != wanted[done : done + len(piece)]:
                raise codec.TargetMismatchError(
                    "changed while the patch was made", value="NEW", todo="call again"
                )
            done += len(piece)
            told(done)


def _tell_made(output: Output, to: Path, patch: codec.Patch, took_s: float) -> None:
    header = patch.header
    share = _share(header.patch_length_bytes, header.target_length_bytes)
    if output.settings.is_json:
        # Not among the patch's own bytes, when these go to standard output.
        if str(to) != "-":
            output.json(
                {"patch": str(to), "share": share, "took_s": round(took_s, 3)}
                | _header_json(header)
            )
        return
    output.message(
        f"{to}: {_bytes(header.patch_length_bytes)}, {_percent(share)} of the new image; "
        f"{header.architecture.name.lower()}, needs {_bytes(header.workspace_bytes)} of RAM"
    )


def _tell_compared(
    output: Output, results: Mapping[str, Measured | Failed], absent: Sequence[str], full: int
) -> None:
    own = list(ours())[-1]
    sizes = {n: r.size_bytes for n, r in results.items() if isinstance(r, Measured)}
    others = {name: size for name, size in sizes.items() if name not in ours()}
    best = min(others, key=others.__getitem__) if others else None
    to_best = _share(sizes[own], others[best]) if best and own in sizes else None
    if output.settings.is_json:
        output.json(
            {
                "new_bytes": full,
                "results": [_result_json(name, result, full) for name, result in results.items()],
                "absent": list(absent),
                "best_peer": best,
                "ours_to_best_peer": to_best,
            }
        )
        return
    ordered = sorted(results, key=lambda name: sizes.get(name, full * 2 + 1))
    output.table(
        ["Tool", ">Bytes", ">Of new", ">Make s", ">Apply s"],
        [_result_row(name, results[name], full) for name in ordered],
    )
    if to_best is not None:
        output.message(f"{own} is {_percent(to_best)} of the best peer, {best}.")
    if absent:
        output.message(f"Not installed: {', '.join(absent)}.")


def _result_json(name: str, result: Measured | Failed, full: int) -> dict[str, Any]:
    if isinstance(result, Failed):
        return {"tool": name, "error": result.reason}
    return {
        "tool": name,
        "bytes": result.size_bytes,
        "share": _share(result.size_bytes, full),
        "make_s": round(result.make_s, 3),
        "apply_s": round(result.apply_s, 3),
    }


def _result_row(name: str, result: Measured | Failed, full: int) -> tuple[str | Text, ...]:
    if isinstance(result, Failed):
        return name, Text(result.reason, style="dim"), "", "", ""
    return (
        Text(name, style="bold") if name in ours() else name,
        f"{result.size_bytes:,}",
        _percent(_share(result.size_bytes, full)),
        f"{result.make_s:.1f}",
        f"{result.apply_s:.1f}",
    )


def _header_json(header: codec.PatchHeader) -> dict[str, Any]:
    return {
        "version": header.version,
        "back_end": header.back_end.name.lower(),
        "ram": header.ram_class.name.removeprefix("RAM_"),
        "in_place": header.in_place,
        "shift_bytes": header.shift_bytes,
        "architecture": header.architecture.name.lower(),
        "patch_bytes": header.patch_length_bytes,
        "base_bytes": header.base_length_bytes,
        "hash_bytes": header.hash_bytes,
        "base_sha256": header.base_sha256,
        "target_bytes": header.target_length_bytes,
        "target_sha256": header.target_sha256,
        "step_bytes": header.step_bytes,
        "ram_needed_bytes": header.workspace_bytes,
        "covers": header.cover_count,
    }


def _named(sha256: str) -> str:
    """Say of a hash how much of it the patch names, unless that is the whole."""
    named_bytes = len(sha256) // 2
    if named_bytes == _SHA256_BYTES:
        return sha256
    return f"{sha256}... (first {named_bytes} bytes of the SHA-256)"


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _bytes(count: int) -> str:
    return f"{count:,} bytes"


@contextlib.contextmanager
def _progress(
    output: Output, name: str, total: int, *, is_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal; gives the function that is told how much is done."""
    settings = output.settings
    hidden = settings.quiet or settings.is_json or not output.err.is_terminal
    column = DownloadColumn() if is_bytes else TaskProgressColumn()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        column,
        console=output.err,
        transient=True,
        disable=hidden,
    )
    with bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)


delta = click.Group(
    "delta",
    help="Make, apply, inspect and compare patches.",
    commands=[make, apply, info, compare],
)
