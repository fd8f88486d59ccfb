"""What a campaign looks like in a terminal: state, waves, funnel, reasons of failure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from roadworthy.cli.output import Cell, state_text
from roadworthy.cli.savings import saved_text
from roadworthy.updates.failure_codes import explain
from roadworthy.updates.gate import FAILED, IN_PROGRESS, MemberStage

__all__ = ["campaign_lines", "failed_share", "member_rows"]

_BAR = 30
_REASONS_MAX = 8
_KIB = 1024


def campaign_lines(item: Mapping[str, Any], failed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return a campaign as the API gave it, drawn.

    Args:
        item: the campaign.
        failed: its failed members, for the reasons; may be part of them.
    """
    parts: list[RenderableType] = [_head(item), Text(), _waves(item)]
    if item["counts"]:
        parts += [Text(), _funnel(item["counts"])]
    if failed:
        parts += [Text(), _reasons(failed)]
    if saved := saved_text(item["saving"]):
        parts += [Text(), Text(f"Confirmed vehicles took {saved}")]
    return Group(*parts)


def failed_share(item: Mapping[str, Any]) -> float:
    """Return which share of the vehicles that ended has failed, 0 to 1."""
    counts = item["counts"]
    failed = sum(counts.get(stage, 0) for stage in FAILED)
    reached = failed + counts.get(MemberStage.CONFIRMED, 0)
    return failed / reached if reached else 0.0


def member_rows(members: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Cell, ...]]:
    """Yield the rows of a table of members."""
    for item in members:
        why = explain(item["code"]) if item["code"] else ""
        received = f"{item['received_bytes'] // _KIB:,} KB" if item["received_bytes"] else ""
        yield (
            item["wave"],
            item["vehicle"],
            state_text(item["stage"]),
            item["percent"] or "",
            item["ecu"],
            received,
            item["code"],
            item["detail"] or why,
        )


def _head(item: Mapping[str, Any]) -> RenderableType:
    title = Text.assemble((item["name"], "bold"), "  ", state_text(item["state"]))
    if item["started_at"] and not item["ended_at"]:
        title.append(f"  wave {item['wave']} of {len(item['waves'])}")
    about = Text(f"{item['id']} brings {item['release_id']}", style="dim")
    reason = Text(item["reason"], style="yellow" if item["state"] == "paused" else "")
    return Group(title, about, *([reason] if item["reason"] else []))


def _waves(item: Mapping[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "right", "left"):
        grid.add_column(justify="right" if justify == "right" else "left", overflow="fold")
    started = item["started_at"] is not None
    for number, wave in enumerate(item["waves"], start=1):
        mark, style, note = "○", "dim", ""
        if wave["ended_at"]:
            mark, style, note = "●", "green", wave["verdict"]
        elif started and number == item["wave"]:
            mark, style, note = "◐", "cyan", "now" if item["ended_at"] is None else "not ended"
        size = _planned(wave, is_started=started)
        grid.add_row(
            Text(mark, style=style), Text(wave["name"]), Text(size), Text(note, style="dim")
        )
    return grid


def _planned(wave: Mapping[str, Any], *, is_started: bool) -> str:
    if is_started or wave["size"]:
        return _vehicles(wave["size"])
    if wave["share"]:
        return f"{wave['share']:.0%}"
    return _vehicles(len(wave["vehicles"])) if wave["vehicles"] else "the rest"


def _vehicles(number: int) -> str:
    return f"{number} vehicle" if number == 1 else f"{number} vehicles"


def _funnel(counts: Mapping[str, int]) -> Table:
    total = sum(counts.values())
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right")
    grid.add_column(no_wrap=True)
    for stage in MemberStage:
        number = counts.get(stage, 0)
        if number or stage in {MemberStage.WAITING, MemberStage.CONFIRMED}:
            grid.add_row(state_text(stage.value), str(number), _bar(number, total, stage))
    grid.add_row(Text("all", style="dim"), Text(str(total), style="dim"), Text())
    return grid


def _bar(number: int, total: int, stage: MemberStage) -> Text:
    length = max(1, round(_BAR * number / total)) if number else 0
    style = "cyan" if stage in IN_PROGRESS else state_text(stage.value).style
    return Text("━" * length, style=style)


def _reasons(failed: Sequence[Mapping[str, Any]]) -> Table:
    counted = Counter(str(item["code"]) for item in failed)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right")
    grid.add_column(style="red", no_wrap=True)
    grid.add_column(overflow="fold")
    for code, number in counted.most_common(_REASONS_MAX):
        grid.add_row(str(number), Text(code or "unknown"), Text(explain(code) if code else ""))
    return grid
