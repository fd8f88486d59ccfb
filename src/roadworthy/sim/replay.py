"""Runs seeds: one to look at (`python -m roadworthy.sim.replay SEED`), or thousands to search.

A run is the same in every process and on every machine, so the number of a seed that failed
is all that one needs to see it fail again.
"""

import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from typing_extensions import override

from roadworthy.sim.world import RunReport, World

__all__ = ["Failure", "main", "run_seeds", "search"]

_CHUNK = 20


@dataclass(frozen=True, slots=True)
class Failure:
    """A seed that failed, and why."""

    seed: int
    why: str

    @override
    def __str__(self) -> str:
        """Return what happened and the command that shows it again."""
        return f"seed {self.seed}: {self.why}\nreplay: python -m roadworthy.sim.replay {self.seed}"


def run_seeds(seeds: Iterable[int]) -> list[RunReport | Failure]:
    """Run each seed in this process."""
    return [_run(seed) for seed in seeds]


def search(seeds: Sequence[int], *, workers: int = 2) -> list[RunReport | Failure]:
    """Run each seed, spread over processes; the answers come in the order of the seeds."""
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [found for part in pool.map(run_seeds, chunks) for found in part]


def main(arguments: Sequence[str]) -> int:
    """Replay the seeds that are named; return the exit status.

    Args:
        arguments: numbers of seeds; `FIRST-LAST` means all of them from first to last.
    """
    try:
        seeds = [seed for text in arguments for seed in _range(text)]
    except ValueError:
        seeds = []
    if not seeds:
        sys.stderr.write("usage: python -m roadworthy.sim.replay SEED | FIRST-LAST ...\n")
        return 2
    failed = False
    for seed in seeds:
        found = _run(seed)
        failed = failed or isinstance(found, Failure)
        sys.stdout.write(f"{_words(found)}\n")
    return int(failed)


def _run(seed: int) -> RunReport | Failure:
    try:
        return World(seed).run()
    except Exception as error:  # noqa: BLE001 - whatever a run raises is its failure
        return Failure(seed, f"{type(error).__name__}: {error}")


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _words(found: RunReport | Failure) -> str:
    if isinstance(found, Failure):
        return f"{found}\n{_plan(found.seed)}"
    stages = ", ".join(f"{key} {stage}" for key, stage in found.stages.items())
    return (
        f"seed {found.seed}: {found.state} after {found.elapsed_s:.0f} s ({found.reason})\n"
        f"  {stages}\n  {found.power_cuts} power cuts, {found.entries} ledger entries\n"
        f"{_plan(found.seed)}"
    )


def _plan(seed: int) -> str:
    plan = World(seed).plan
    faults = [
        f"  vehicle {fault.vehicle}: {fault.kind} at step {fault.step}, {fault.duration_s:.0f} s"
        for fault in plan.faults
    ]
    return "\n".join([f"  network: {plan.link}", *faults])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
