import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.app import start_offset
from trendloom.errors import LogTruncated

PLACE = TP("purchases", 3)


@pytest.mark.parametrize(
    ("committed", "log_start", "fence", "journaled", "start"),
    [
        (None, 0, -1, None, 0),  # everything is new
        (None, 40, 39, None, 40),  # a rebuilt state on a log that begins late
        (100, 0, 99, 60, 100),  # the group and the state agree; the journal is not yet dropped
        (90, 0, 99, 90, 90),  # applied, not yet committed: lists are published again
        (200, 0, 99, 60, 100),  # the store lost its tail: it is applied again
        (None, 0, 99, 0, 0),  # killed before the first commit: no list may be missing
        (None, 0, 99, None, 100),  # the group was forgotten, and the journal knows of nothing unpublished
        (None, 50, 99, 20, 50),  # the same, and the log has lost what was journaled
        (10, 50, 99, 20, 50),  # the log lost what the state has
        (200, 100, 99, None, 100),  # the log begins just where the state ends
    ],
)
def test_where_reading_begins(
    committed: int | None, log_start: int, fence: int, journaled: int | None, start: int
) -> None:
    assert start_offset(PLACE, committed, log_start, fence, journaled) == start


@pytest.mark.parametrize("committed", [None, 0, 5, 11, 500])
def test_a_log_that_lost_what_the_state_needs_is_an_error_whatever_the_group_says(committed: int | None) -> None:
    with pytest.raises(LogTruncated, match=r"purchases-3: .*up to offset 9, the log begins at 11.*Action: .*rebuild"):
        start_offset(PLACE, committed, log_start=11, fence=9)


def test_an_empty_state_on_a_log_that_has_lost_its_beginning_is_an_error() -> None:
    with pytest.raises(LogTruncated):
        start_offset(PLACE, None, log_start=1, fence=-1)


@given(committed=st.none() | st.integers(0, 50), log_start=st.integers(0, 50), fence=st.integers(-1, 50))
def test_no_record_that_the_state_needs_is_left_out(committed: int | None, log_start: int, fence: int) -> None:
    try:
        start = start_offset(PLACE, committed, log_start, fence)
    except LogTruncated:
        assert log_start > fence + 1
    else:
        assert log_start <= start <= fence + 1
        if committed is not None and committed >= log_start:
            assert start <= committed
