"""Numbers, sizes and times in words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.cloud.web import wording

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (None, "\u2013"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KB"),
        (20 * 1024, "20.0 KB"),
        (48_311_240, "46.1 MB"),
        (5 * 1024**4, "5.00 TB"),
    ],
)
def test_a_size_has_three_digits_and_a_unit(size_bytes: int | None, text: str) -> None:
    assert plain(wording.size(size_bytes)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\u2013"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (75, "1 min 15 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (90000, "1 d 1 h"),
        (-3, "0 s"),
    ],
)
def test_a_duration_has_the_two_largest_units(seconds: float | None, text: str) -> None:
    assert plain(wording.duration(seconds)) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "\u2013"), (0, "0 %"), (0.015, "1.5 %"), (0.02, "2 %"), (0.375, "38 %"), (1, "100 %")],
)
def test_a_share_is_told_in_percent(share: float | None, text: str) -> None:
    assert plain(wording.percent(share)) == text


def test_a_moment_is_told_by_its_distance() -> None:
    def told(**distance: int) -> str:
        return wording.ago(NOW - timedelta(**distance), NOW)

    assert wording.ago(None, NOW) == "never"
    assert told(seconds=4) == "just now"
    assert told(seconds=37) == "30 s ago"
    assert told(minutes=4) == "4 min ago"
    assert told(hours=5) == "5 h ago"
    assert told(days=3) == "3 days ago"
    assert told(minutes=-2) == "in 2 min"


def test_a_time_names_the_date_only_when_it_is_another_day() -> None:
    assert wording.clock_time(NOW, NOW) == "14:00:00"
    assert wording.clock_time(NOW - timedelta(days=1), NOW) == "22 Nov, 14:00"
    assert wording.clock_time(NOW - timedelta(days=400), NOW) == "19 Oct 2025, 14:00"
    assert wording.clock_time(None, NOW) == "\u2013"


def test_a_long_number_is_grouped() -> None:
    assert plain(wording.number(1234567)) == "1 234 567"
    assert wording.number(None) == "\u2013"


@given(st.integers(min_value=0, max_value=10**15))
def test_any_size_and_duration_can_be_told(value: int) -> None:
    assert len(wording.size(value)) <= 8
    assert wording.duration(value)
