"""Charts drawn by the server as SVG: readable without scripts, printable, testable as text.

Colours come from classes (the page's policy allows no style attribute). Every chart stands
beside the same numbers in words, so each is hidden from screen readers or names itself.
"""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from roadworthy.cloud.web.views import BurnSample

__all__ = ["burn_chart", "burn_columns", "sparkline", "stack_bar"]

_WIDTH = 1000
_BURN_HEIGHT = 260


def stack_bar(parts: Iterable[tuple[int, str]], total: int) -> Markup:
    """Return a bar of parts side by side.

    Args:
        parts: (count, tone) from left to right.
        total: the count that fills the whole bar; 0 draws an empty bar.
    """
    at, rects = 0.0, Markup()
    for count, tone in parts:
        if count <= 0 or total <= 0:
            continue
        width = _WIDTH * count / total
        rects += Markup('<rect class="fill-{}" x="{:.1f}" width="{:.1f}" height="8"/>').format(
            tone, at, width
        )
        at += width
    return Markup(
        '<svg class="bar" viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true">'
        "{}</svg>"
    ).format(rects)


def sparkline(values: Sequence[int], total: int) -> Markup:
    """Return a small filled line of `values` over a height of `total`."""
    if len(values) < 2 or total <= 0:  # noqa: PLR2004 - a line needs two points
        return Markup()
    step = 120 / (len(values) - 1)
    points = [f"{n * step:.1f},{27 - 26 * min(v, total) / total:.1f}" for n, v in enumerate(values)]
    line = " ".join(points)
    return Markup(
        '<svg class="spark" viewBox="0 0 120 28" preserveAspectRatio="none" aria-hidden="true">'
        '<polygon class="spark-area" points="0,28 {} 120,28"/>'
        '<polyline class="spark-line" points="{}"/></svg>'
    ).format(line, line)


def burn_columns(samples: Sequence[BurnSample]) -> list[list[float]]:
    """Return the columns that the live chart draws: seconds, confirmed, failed, in progress."""
    return [
        [round(sample.at_s, 1) for sample in samples],
        [sample.confirmed for sample in samples],
        [sample.failed for sample in samples],
        [sample.in_progress for sample in samples],
    ]


def burn_chart(samples: Sequence[BurnSample], total: int) -> Markup:
    """Return the burn-up as stacked areas: confirmed, failed, in progress, below a total line."""
    if len(samples) < 2 or total <= 0:  # noqa: PLR2004 - an area needs two points
        return Markup('<p class="empty">The chart starts with the first reports.</p>')
    span = max(samples[-1].at_s, 1.0)
    xs = [_WIDTH * sample.at_s / span for sample in samples]
    floor = [0] * len(samples)
    areas = Markup()
    for tone, heights in (
        ("ok", [s.confirmed for s in samples]),
        ("bad", [s.failed for s in samples]),
        ("busy", [s.in_progress for s in samples]),
    ):
        top = [low + high for low, high in zip(floor, heights, strict=True)]
        areas += _area(tone, xs, floor, top, total)
        floor = top
    return Markup(
        '<svg class="burn" viewBox="0 0 1000 260" preserveAspectRatio="none" role="img" '
        'aria-label="Vehicles confirmed, failed and in progress over time; last: {} confirmed, '
        '{} failed, {} in progress of {}"><line class="burn-total" x1="0" x2="1000" y1="{y}" '
        'y2="{y}"/>{areas}</svg>'
    ).format(
        samples[-1].confirmed,
        samples[-1].failed,
        samples[-1].in_progress,
        total,
        y=f"{_y(total, total):.1f}",
        areas=areas,
    )


def _area(
    tone: str, xs: Sequence[float], low: Sequence[int], high: Sequence[int], total: int
) -> Markup:
    up = [f"{x:.1f},{_y(v, total):.1f}" for x, v in zip(xs, high, strict=True)]
    down = [f"{x:.1f},{_y(v, total):.1f}" for x, v in zip(xs, low, strict=True)]
    return Markup('<polygon class="fill-{}" points="{}"/>').format(
        tone, " ".join([*up, *reversed(down)])
    )


def _y(count: int, total: int) -> float:
    return _BURN_HEIGHT - (_BURN_HEIGHT - 12) * min(count, total) / total
