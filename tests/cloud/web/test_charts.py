"""Charts as SVG text: right proportions, no style attribute, no crash on nothing."""

import re

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.cloud.web.charts import burn_chart, burn_columns, sparkline, stack_bar
from roadworthy.cloud.web.views import BurnSample

SAMPLES = (BurnSample(0, 0, 0, 2), BurnSample(30.04, 3, 1, 4), BurnSample(60, 8, 2, 0))


def test_a_bar_gives_each_part_its_share() -> None:
    text = stack_bar([(5, "ok"), (0, "bad"), (3, "busy")], 10)
    widths = re.findall(r'class="fill-(\w+)" x="([\d.]+)" width="([\d.]+)"', text)
    assert widths == [("ok", "0.0", "500.0"), ("busy", "500.0", "300.0")]


def test_a_bar_of_nothing_is_empty() -> None:
    assert "<rect" not in stack_bar([(0, "ok")], 0)


def test_the_burn_up_stacks_and_names_its_last_counts() -> None:
    text = burn_chart(SAMPLES, 10)
    assert text.count("<polygon") == 3
    assert "last: 8 confirmed, 2 failed, 0 in progress of 10" in text
    assert "style=" not in text


def test_the_live_chart_gets_the_same_numbers() -> None:
    assert burn_columns(SAMPLES) == [[0, 30.0, 60], [0, 3, 8], [0, 1, 2], [2, 4, 0]]


def test_charts_without_enough_points_say_so_or_stay_away() -> None:
    assert "starts with the first reports" in burn_chart(SAMPLES[:1], 10)
    assert sparkline([1], 10) == ""


@given(st.lists(st.integers(0, 50), min_size=2, max_size=20), st.integers(1, 50))
def test_no_point_of_a_line_leaves_its_frame(values: list[int], total: int) -> None:
    text = sparkline(values, total)
    points = re.findall(r"([\d.-]+),([\d.-]+)", text)
    assert all(0 <= float(x) <= 120 and 0 <= float(y) <= 28 for x, y in points)
