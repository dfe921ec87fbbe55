import hashlib
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.errors import LogFormatError
from trendloom.logs.event_time import DAY_MS, parse_moment, parse_stamps, seeded_times, unit_draw

MOMENT_MS = 1_600_387_200_000  # 2020-09-18T00:00:00Z


def u(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def plain_times(rows: list[tuple[int, str, str]], seed: int) -> list[float]:
    """The protocol of the field notes, written with loops and floats: start of the basket, then a minute an article."""
    baskets: dict[tuple[int, str], set[str]] = defaultdict(set)
    for day, customer, item in rows:
        baskets[day, customer].add(item)
    at: dict[tuple[int, str, str], float] = {}
    for (day, customer), items in baskets.items():
        stem = f"{seed}|{date(1970, 1, 1) + timedelta(days=day)}|{customer}"
        for rank, item in enumerate(sorted(items, key=lambda item: u(f"{stem}|{item}"))):
            at[day, customer, item] = day * 86_400.0 + u(stem) * 82_800.0 + 60.0 * rank
    return [at[row] for row in rows]


@given(
    st.lists(st.tuples(st.integers(10_958, 20_000), st.sampled_from("abc"), st.sampled_from("uvwxyz")), max_size=40),
    st.integers(0, 9),
)
def test_seeded_times_are_the_protocols_and_repeats_follow_in_milliseconds(
    rows: list[tuple[int, str, str]], seed: int
) -> None:
    days = np.array([row[0] for row in rows], np.int64)
    times = seeded_times(days, [row[1] for row in rows], [row[2] for row in rows], seed=seed)
    seen: dict[tuple[int, str, str], int] = defaultdict(int)
    for row, found, expected_s in zip(rows, times.tolist(), plain_times(rows, seed), strict=True):
        assert -1.001 < found - seen[row] - expected_s * 1000 < 0.001  # whole ms, rounded down; floats round too
        assert found // DAY_MS == row[0]
        seen[row] += 1


def test_the_seed_changes_the_times() -> None:
    days = np.array([18_522])
    assert seeded_times(days, ["c"], ["a"], seed=1) != seeded_times(days, ["c"], ["a"], seed=2)


def test_unit_draw_is_the_first_eight_bytes() -> None:
    assert unit_draw("x") / 2**64 == pytest.approx(u("x"))


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["2020-09-18T00:00:00Z"]),
        pa.array(["2020-09-18 02:00:00+02:00"]),
        pa.array(["2020-09-18 00:00"]),
        pa.array([" 2020-09-18T00:00:00.000123 "]),
        pa.array(["1600387200"]),
        pa.array(["1600387200000"]),
        pa.array([1_600_387_200]),
        pa.array([1_600_387_200.0]),
        pa.array([MOMENT_MS * 1000]),
        pa.array([MOMENT_MS * 1_000_000]),
        pa.array([datetime(2020, 9, 18)]),  # noqa: DTZ001 - a column without a zone is the case
        pa.array([datetime(2020, 9, 18, tzinfo=UTC)]),
        pa.array([MOMENT_MS * 1_000_000], pa.timestamp("ns")),
    ],
)
def test_stamps_of_many_kinds_are_the_same_moment(column: pa.Array) -> None:
    stamps = parse_stamps(column)
    assert (stamps.ms.tolist(), stamps.readable.tolist(), stamps.date_only.tolist()) == ([MOMENT_MS], [True], [False])


@pytest.mark.parametrize("column", [pa.array(["2020-09-18"]), pa.array([date(2020, 9, 18)])])
def test_dates_are_known_as_dates(column: pa.Array) -> None:
    stamps = parse_stamps(column)
    assert (stamps.ms.tolist(), stamps.date_only.tolist()) == ([MOMENT_MS], [True])


def test_what_is_no_time_is_said_to_be_none_and_spoils_no_other_row() -> None:
    stamps = parse_stamps(pa.array(["yesterday", None, "2020-13-01", "2020-09-18", "", "2020-09-18T01:00:00", "17"]))
    assert stamps.readable.tolist() == [False, False, False, True, False, True, False]
    assert stamps.ms[[3, 5]].tolist() == [MOMENT_MS, MOMENT_MS + 3_600_000]


def test_an_invalid_date_among_dates_is_the_only_one_lost() -> None:
    assert parse_stamps(pa.array(["2020-09-18", "2020-02-31"])).readable.tolist() == [True, False]


def test_a_given_format_is_used() -> None:
    stamps = parse_stamps(pa.array(["18/09/2020 07:45", "2020-09-18"]), time_format="%d/%m/%Y %H:%M")
    assert stamps.readable.tolist() == [True, False]
    assert stamps.ms[0] == MOMENT_MS + (7 * 60 + 45) * 60_000
    assert parse_stamps(pa.array(["18.09.2020"]), time_format="%d.%m.%Y").date_only.tolist() == [True]


def test_a_moment_that_is_none_is_refused() -> None:
    with pytest.raises(LogFormatError, match=r"Action: "):
        parse_moment("soon")
