"""Cursors and ids that a client may send in any form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.base.errors import InputError
from roadworthy.cloud.api.paging import LIMIT_MAX, cursor_of, next_cursor, offset_of
from roadworthy.cloud.names import check_id
from roadworthy.cloud.present.paging import paging


@given(st.integers(0, 10**18 - 1), st.integers(1, LIMIT_MAX))
def test_a_cursor_leads_back_to_its_place(offset: int, limit: int) -> None:
    assert offset_of(cursor_of(offset), limit) == offset


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda data: data.decode("latin-1")))
def test_any_cursor_is_a_place_or_a_typed_error(text: str) -> None:
    try:
        offset = offset_of(text, 1)
    except InputError:
        pass
    else:
        assert 0 <= offset < 10**18


@given(st.integers().filter(lambda limit: not 1 <= limit <= LIMIT_MAX))
def test_a_limit_out_of_range_is_refused(limit: int) -> None:
    with pytest.raises(InputError):
        offset_of(None, limit)


@given(st.integers(0, 300), st.integers(1, 50))
def test_following_the_cursors_gives_every_item_once(total: int, limit: int) -> None:
    items, seen, after = list(range(total)), list[int](), None
    while True:
        offset = offset_of(after, limit)
        found = items[offset : offset + limit]
        seen += found
        after = next_cursor(offset, limit, len(found))
        if after is None:
            break
    assert seen == items


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True))
def test_an_id_is_given_back_as_it_is(text: str) -> None:
    assert check_id(text, "id") == text


@given(st.text(max_size=70))
def test_any_text_is_an_id_or_a_typed_error(text: str) -> None:
    try:
        assert check_id(text, "campaign") == text
    except InputError:
        pass
    else:
        assert text.isascii()
        assert text == text.lower()
        assert 1 <= len(text) <= 64
        assert not set(text) & set("/.\\ \n")


@given(st.integers(0, 10**6), st.integers(), st.integers(1, 100))
def test_a_page_number_is_always_one_that_exists(total: int, page: int, rows: int) -> None:
    shown = paging(total, page, rows)
    assert 1 <= shown.page <= shown.page_count
    assert (shown.page - 1) * rows < max(1, total) <= shown.page_count * rows + (total == 0)
