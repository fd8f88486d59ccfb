"""Numbers, sizes and times as a person reads them."""

import math
from datetime import datetime

__all__ = ["ago", "clock_time", "duration", "number", "percent", "short_hash", "size"]

_KIB = 1024
_UNITS = ("KB", "MB", "GB", "TB")
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400
_HASH_DIGITS = 12
_GAP = "\u00a0"
NOTHING = "\u2013"


def number(value: int | None) -> str:
    """Return 12345 as "12 345" (with a narrow no-break space); a dash for None."""
    return NOTHING if value is None else f"{value:,}".replace(",", "\u202f")


def size(size_bytes: int | None) -> str:
    """Return a size with three significant digits in B, KB, MB or GB (powers of 1024)."""
    if size_bytes is None:
        return NOTHING
    if size_bytes < _KIB:
        return f"{size_bytes}{_GAP}B"
    power = min(int(math.log(size_bytes, _KIB)), len(_UNITS))
    value = size_bytes / _KIB**power
    digits = 0 if value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004 - three digits
    return f"{value:.{digits}f}{_GAP}{_UNITS[power - 1]}"


def percent(share: float | None) -> str:
    """Return a share of 0..1 as "37 %"; below 10 % with one decimal unless it is whole."""
    if share is None:
        return NOTHING
    value = share * 100
    whole = value >= 10 or abs(value - round(value)) < 0.05  # noqa: PLR2004 - rounding limits
    return f"{value:.0f}{_GAP}%" if whole else f"{value:.1f}{_GAP}%"


def duration(seconds: float | None) -> str:
    """Return 75 as "1 min 15 s"; the two largest units only."""
    if seconds is None:
        return NOTHING
    whole = max(0, round(seconds))
    units = ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min"), (1, "s"))
    first = next((n for n, (length_s, _) in enumerate(units) if whole >= length_s), len(units) - 1)
    words: list[str] = []
    for length_s, name in units[first : first + 2]:
        if whole >= length_s or not words:
            words.append(f"{whole // length_s}{_GAP}{name}")
        whole %= length_s
    return _GAP.join(words)


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long before `now` a moment was, in one unit: "4 min ago"."""
    if moment is None:
        return "never"
    seconds = round((now - moment).total_seconds())
    if seconds < 0:
        return f"in {_coarse(-seconds)}"
    return "just now" if seconds < 10 else f"{_coarse(seconds)} ago"  # noqa: PLR2004 - no flicker


def _coarse(seconds: int) -> str:
    if seconds < _MINUTE_S:
        return f"{seconds // 10 * 10} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min"
    return f"{seconds // _HOUR_S} h" if seconds < _DAY_S else f"{seconds // _DAY_S} days"


def clock_time(moment: datetime | None, now: datetime) -> str:
    """Return the time of day in UTC, with the date when it is not today's."""
    if moment is None:
        return NOTHING
    if moment.date() == now.date():
        return moment.strftime("%H:%M:%S")
    year = "" if moment.year == now.year else f" {moment.year}"
    return f"{moment.day} {moment.strftime('%b')}{year}, {moment.strftime('%H:%M')}"


def short_hash(digest: str) -> str:
    """Return the first twelve digits of a hash, enough to compare by eye."""
    return digest[:_HASH_DIGITS]
