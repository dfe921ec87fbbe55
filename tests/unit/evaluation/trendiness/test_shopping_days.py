from pathlib import Path

import numpy as np
import pytest

from evaluation.trendiness.shopping_days import percentiles_before, shopping_days
from trendloom.logs.read import read_log

DAYS = ("2020-01-01", "2020-01-02", "2020-01-05")


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    rows = [
        ("2020-01-01", "ann", "hat"),
        ("2020-01-01", "bob", "hat"),
        ("2020-01-01", "bob", "hat"),  # two pieces
        ("2020-01-01", "bob", "belt"),
        ("2020-01-02", "ann", "hat"),
        ("2020-01-02", "ann", "shoe"),
        ("2020-01-05", "bob", "shoe"),
    ]
    path = tmp_path / "log.csv"
    path.write_text(
        "t_dat,customer_id,article_id,price,sales_channel_id\n" + "".join(f"{','.join(row)},1,1\n" for row in rows)
    )
    return path


def test_a_day_knows_nothing_of_itself() -> None:
    day = np.array([0, 0, 0, 1, 1, 3])
    item = np.array([0, 0, 1, 0, 2, 2])
    # before day 1: item 0 sold twice, item 1 once; before day 3: items 3, 1, 1
    assert percentiles_before(day, item, None).tolist() == [0.0, 0.0, 0.0, 0.75, 0.0, pytest.approx(1 / 3)]


def test_what_was_sold_lately_counts_for_more_where_popularity_fades() -> None:
    day, item = np.array([0, 0, 5, 6, 6]), np.array([0, 0, 1, 0, 1])
    assert percentiles_before(day, item, None)[3:].tolist() == [0.75, 0.25]
    assert percentiles_before(day, item, 1.0)[3:].tolist() == [0.25, 0.75]


def test_a_log_by_customer_and_day(log_file: Path) -> None:
    days = shopping_days(read_log(log_file, "hm"), half_life_days=None)
    first = int(np.datetime64("2020-01-01", "D").astype(int))
    by_customer: dict[int, list[tuple[int, int]]] = {}
    for place, (customer, day) in enumerate(zip(days.customer.tolist(), days.day.tolist(), strict=True)):
        by_customer.setdefault(customer, []).append((day - first, int(days.starts[place + 1] - days.starts[place])))
    assert sorted(by_customer.values()) == [[(0, 1), (1, 2)], [(0, 2), (4, 1)]]
    # before the fifth: hat 3, belt 1, shoe 1
    last = int(np.flatnonzero(days.day == first + 4)[0])
    assert days.percentile[days.starts[last]] == pytest.approx(1 / 3)
