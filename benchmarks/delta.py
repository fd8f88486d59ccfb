"""Compare the delta codec with its peers, pair by pair, in one run.

    python benchmarks/delta.py PAIR_FOLDER... [--write docs/delta.md]

A pair folder holds `old` and `new` (or `old.bin` and `new.bin`). Without folders the shipped
pairs are taken. The peers are those of `roadworthy delta compare`; those that are not installed
are named as absent. Every patch is applied again and compared before its size counts. With
--write the table between the two markers of the document is replaced.
"""

import argparse
import sys
from collections.abc import Collection, Mapping
from math import exp, log
from pathlib import Path

from roadworthy import delta
from roadworthy.cli.delta_peers import FAMILIES, Failed, Measured, installed, measure, ours

Row = Mapping[str, Measured | Failed]

TIMED = ("roadworthy fast", "hdiffpatch zstd", "hdiffpatch lzma2", "zstd -19", "bsdiff4")
START = "<!-- benchmark: start -->"
END = "<!-- benchmark: end -->"


def read_pair(folder: Path) -> tuple[bytes, bytes]:
    """Read both images of a pair."""
    suffix = "" if (folder / "old").exists() else ".bin"
    return (folder / f"old{suffix}").read_bytes(), (folder / f"new{suffix}").read_bytes()


def cell(result: Measured | Failed, best: int) -> str:
    """Return a table cell: the size, bold when it is the smallest of the row."""
    if isinstance(result, Failed):
        return result.reason
    return f"**{result.size_bytes}**" if result.size_bytes == best else str(result.size_bytes)


def share_of_best(sizes: Mapping[str, int], own: Collection[str]) -> float | None:
    """Return our default size over the smallest peer's; None when there is no peer or no patch."""
    peers = [size for name, size in sizes.items() if name not in own]
    mine = sizes.get(list(own)[-1])
    return mine / min(peers) if mine is not None and peers else None


def table(rows: Mapping[str, Row], own: Collection[str]) -> list[str]:
    """Return the table, one row per pair, and the geometric mean against the best peer."""
    names = [name.replace("roadworthy", "ours") for name in next(iter(rows.values()))]
    lines = ["| pair | " + " | ".join(names) + " | ours / best peer |"]
    lines.append("|---|" + "---:|" * (len(names) + 1))
    shares = []
    for pair, results in rows.items():
        sizes = {n: r.size_bytes for n, r in results.items() if isinstance(r, Measured)}
        share = share_of_best(sizes, own)
        cells = [cell(result, min(sizes.values(), default=0)) for result in results.values()]
        told = "" if share is None else f"{share:.3f}"
        lines.append(f"| {pair} | " + " | ".join(cells) + f" | {told} |")
        shares += [] if share is None else [share]
    if shares:
        mean = exp(sum(map(log, shares)) / len(shares))
        lines.append(f"\nGeometric mean of the last column: {mean:.3f} over {len(shares)} pairs.")
    return lines


def times(rows: Mapping[str, Row], targets: Mapping[str, int], name: str) -> list[str]:
    """Return how long making took us, and how fast each of TIMED made the target again."""
    shown = [name, *(each for each in TIMED if each in next(iter(rows.values())))]
    heads = [f"{each.replace('roadworthy', 'ours')}, MB/s" for each in shown]
    lines = ["", "| pair | ours: make, s | " + " | ".join(heads) + " |"]
    lines.append("|---|" + "---:|" * (len(shown) + 1))
    for pair, results in rows.items():
        cells = []
        for each in shown:
            result = results[each]
            told = "failed" if isinstance(result, Failed) else f"{rate(targets[pair], result):.2f}"
            cells.append(told)
        own = results[name]
        make = f"{own.make_s:.1f}" if isinstance(own, Measured) else "failed"
        lines.append(f"| {pair} | {make} | " + " | ".join(cells) + " |")
    return lines


def rate(target_bytes: int, result: Measured) -> float:
    """Return the MB (10^6 bytes) of target that applying made in a second."""
    return target_bytes / 1e6 / max(result.apply_s, 1e-6)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--write", type=Path, help="document whose table is replaced")
    return parser.parse_args()


def main() -> int:
    """Run the comparison and print or write the table."""
    chosen = arguments()
    shipped = Path(delta.__file__).parents[1] / "sim" / "firmware"
    folders = chosen.folders or sorted(p for p in shipped.iterdir() if p.is_dir())
    own = ours()
    peers, absent = installed(FAMILIES)
    rows: dict[str, Row] = {}
    targets: dict[str, int] = {}
    for folder in folders:
        old, new = read_pair(folder)
        targets[folder.name] = len(new)
        rows[folder.name] = {name: measure(tool, old, new) for name, tool in (own | peers).items()}
        sys.stderr.write(f"{folder.name} done\n")
    lines = [*table(rows, own), *times(rows, targets, list(own)[-1]), ""]
    lines.append("Peers absent from this run: " + (", ".join(absent) or "none") + ".")
    text = "\n".join(lines)
    if chosen.write is None:
        sys.stdout.write(text + "\n")
    else:
        document = chosen.write.read_text()
        head, tail = document.split(START)[0], document.split(END)[1]
        chosen.write.write_text(f"{head}{START}\n{text}\n{END}{tail}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
