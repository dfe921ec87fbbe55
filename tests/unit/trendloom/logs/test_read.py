import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trendloom.errors import LogFormatError
from trendloom.events import encode
from trendloom.logs.columns import ColumnMap
from trendloom.logs.event_time import DAY_MS, parse_moment
from trendloom.logs.read import REASONS, read_log

HEADER = "customer_id,item_id,occurred_at,quantity,price,event_id\n"
GOOD = "c1,i1,2020-09-18T10:00:00Z,1,1.0,7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10\n"


def write_hm(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    days, customers, articles = zip(*rows, strict=True)
    pq.write_table(
        pa.table({"t_dat": days, "customer_id": customers, "article_id": articles, "price": [0.01] * len(rows)}), path
    )
    return path


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GOOD.replace("c1", ""), "no_customer"),
        (GOOD.replace("i1", " "), "no_item"),
        (GOOD.replace("2020-09-18T10:00:00Z", "soon"), "bad_time"),
        (GOOD.replace("2020", "1999"), "too_old"),
        (GOOD.replace("c1", "c" * 129), "id_too_long"),
        (GOOD.replace(",1,", ",0,"), "bad_quantity"),
        (GOOD.replace(",1,", ",-3,"), "bad_quantity"),
        (GOOD.replace(",1,", ",1.5,"), "bad_quantity"),
        (GOOD.replace("1.0", "cheap"), "bad_price"),
        (GOOD.replace("1.0", "-1"), "bad_price"),
        (GOOD.replace("7f8de1cf", "zzz"), "bad_event_id"),
        ("c1,i1\n", "malformed"),
    ],
)
def test_each_row_that_cannot_be_used_is_counted_under_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(HEADER + GOOD + row)
    log = read_log(path)
    assert (len(log), log.rows_read, log.rejected) == (1, 2, {reason: 1})
    assert reason in REASONS


def test_what_is_read_can_be_sent(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(HEADER + GOOD)
    log = read_log(path)
    purchase = next(log.purchases())
    assert purchase.event_id == uuid.UUID("7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10")
    assert b'"occurred_at":1600423200000' in encode(purchase)


def test_a_log_of_our_own_purchases_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(HEADER + GOOD + GOOD.replace("8f10", "8f11").replace("c1", "c2"))
    first = list(read_log(path).purchases())
    again = tmp_path / "again.jsonl"
    again.write_bytes(b"".join(encode(purchase) + b"\n" for purchase in first))
    assert list(read_log(again).purchases()) == first


def test_a_log_with_no_usable_row_is_refused_with_the_reasons(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(HEADER + GOOD.replace("c1", ""))
    with pytest.raises(LogFormatError, match="no_customer 1"):
        read_log(path)


def test_hm_rows_are_all_purchases_and_dropping_repeats_leaves_the_protocols_times(tmp_path: Path) -> None:
    rows = [("2020-09-18", "c", "0000000001"), ("2020-09-18", "c", "0000000001"), ("2020-09-18", "c", "0000000002")]
    log = read_log(write_hm(tmp_path / "hm.parquet", rows), "hm")
    assert (len(log), log.dates_only) == (3, 3)
    once = read_log(write_hm(tmp_path / "once.parquet", rows[1:]), "hm")
    kept = ~log.repeated()
    assert log.occurred_at_ms[kept].tolist() == once.occurred_at_ms.tolist()
    assert np.diff(log.occurred_at_ms).min() == 1
    assert set(log.items) == {"0000000001", "0000000002"}


def test_what_hm_sold_online_was_bought_in_no_store(tmp_path: Path) -> None:
    rows = pq.read_table(write_hm(tmp_path / "hm.parquet", [("2020-09-18", f"c{n}", "i") for n in range(4)]))
    without = read_log(tmp_path / "hm.parquet", "hm")
    assert [one.store_id for one in without.purchases()] == [None] * 4
    pq.write_table(rows.append_column("sales_channel_id", pa.array([1, 2, None, 2], pa.int8())), tmp_path / "c.parquet")
    log = read_log(tmp_path / "c.parquet", "hm")
    told = {one.customer_id: one.store_id for one in log.purchases()}
    assert told == {"c0": "1", "c1": None, "c2": None, "c3": None}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.data())
def test_the_order_of_rows_in_the_file_changes_no_times(tmp_path: Path, data: st.DataObject) -> None:
    row = st.tuples(st.sampled_from(["2020-09-18", "2020-09-19"]), st.sampled_from("ab"), st.sampled_from("xyz"))
    rows = data.draw(st.lists(row, min_size=1, max_size=12))
    other = data.draw(st.permutations(rows))
    first = read_log(write_hm(tmp_path / "a.parquet", rows), "hm")
    second = read_log(write_hm(tmp_path / "b.parquet", other), "hm")

    def told(log: object) -> list[tuple[str, str, int]]:
        return [(p.customer_id, p.item_id, p.occurred_at) for p in log.purchases()]  # type: ignore[attr-defined]

    assert sorted(told(first)) == sorted(told(second))
    assert (np.diff(first.occurred_at_ms) >= 0).all()


def test_the_seed_moves_times_within_their_day_and_keeps_ids(tmp_path: Path) -> None:
    path = write_hm(tmp_path / "hm.parquet", [("2020-09-18", f"c{n}", "i") for n in range(20)])
    first, second = read_log(path, "hm", seed=1), read_log(path, "hm", seed=2)
    assert set(first.event_ids()) == set(second.event_ids())
    assert first.occurred_at_ms.tolist() != second.occurred_at_ms.tolist()
    assert set((second.occurred_at_ms // DAY_MS).tolist()) == {parse_moment("2020-09-18") // DAY_MS}
    assert first.order_key != second.order_key


def test_a_window_is_half_open_and_changes_no_ids(tmp_path: Path) -> None:
    path = write_hm(
        tmp_path / "hm.parquet", [(f"2020-09-{day}", f"c{n}", "i") for day in (17, 18, 19) for n in range(5)]
    )
    whole = read_log(path, "hm")
    day = read_log(path, "hm", from_ms=parse_moment("2020-09-18"), to_ms=parse_moment("2020-09-19"))
    assert (len(day), day.rows_outside) == (5, 10)
    assert day.event_ids() == whole.event_ids(5, 10)
    edge = int(whole.occurred_at_ms[5])
    assert len(read_log(path, "hm", from_ms=edge, to_ms=edge + 1)) == 1
    assert len(read_log(path, "hm", to_ms=edge)) == 5
    assert len(read_log(path, "hm", to_ms=edge + 1)) == 6
    assert len(read_log(path, "hm", from_ms=edge + 1, to_ms=edge + 1)) == 0


def test_uci_rows_are_judged_and_one_invoice_keeps_its_order(tmp_path: Path) -> None:
    path = tmp_path / "uci.csv"
    path.write_bytes(
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,CustomerID,Country\n"
        "489434,85048,CAF\xc9 SIGN,12,2009-12-01 07:45:00,6.95,13085.0,UK\n"
        '489434,79323P,"LIGHTS, PINK",1,2009-12-01 07:45:00,6.75,13085.0,UK\n'
        "489435,POST,POSTAGE,1,2009-12-01 07:46:00,18,13085.0,UK\n"
        "C489436,22041,RECORD FRAME,-1,2009-12-01 07:46:00,2.1,13085.0,UK\n"
        "489437,22041,RECORD FRAME,1,2009-12-01 07:46:00,2.1,,UK\n"
        "489438,22041,RECORD FRAME,1,2009-12-01 07:45:00,2.1,13086.0,UK\n".encode("latin-1")
    )
    log = read_log(path, "uci")
    assert log.rejected == {"not_a_product": 1, "cancelled": 1, "no_customer": 1}
    stamp = parse_moment("2009-12-01T07:45")
    assert [(p.customer_id, p.item_id, p.quantity, p.occurred_at - stamp) for p in log.purchases()] == [
        ("13085", "85048", 12, 0),
        ("13086", "22041", 1, 0),
        ("13085", "79323P", 1, 1),
    ]


def test_a_log_whose_stamps_are_all_midnight_has_dates_only(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("customer_id,item_id,occurred_at\nc,i,2020-09-18T00:00:00Z\nd,i,2020-09-19T00:00:00Z\n")
    assert read_log(path).dates_only == 2
    assert read_log(path, ColumnMap(times="stamps")).dates_only == 0


def test_an_unknown_preset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogFormatError, match="log preset"):
        read_log(tmp_path / "log.csv", "hnm")
