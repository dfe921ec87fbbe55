import uuid
from pathlib import Path

import pytest

from trendloom.logs.purchase_log import PurchaseLog, row_event_id
from trendloom.logs.read import read_log


@pytest.fixture
def log(tmp_path: Path) -> PurchaseLog:
    path = tmp_path / "log.csv"
    path.write_text(
        "customer_id,item_id,occurred_at,price\n"
        "b,shirt,2020-09-18T10:00:00Z,\n"
        "a,shirt,2020-09-18T09:00:00Z,9.5\n"
        "a,shirt,2020-09-18T11:00:00Z,9.5\n"
        "a,shirt,2020-09-19T11:00:00Z,9.5\n"
    )
    return read_log(path)


def test_purchases_come_in_event_time_order_with_the_ids_of_their_rows(log: PurchaseLog) -> None:
    found = list(log.purchases(chunk=3))
    assert [purchase.occurred_at for purchase in found] == sorted(log.occurred_at_ms.tolist())
    assert [purchase.event_id for purchase in found] == [row_event_id(log.sha256, row) for row in (1, 0, 2, 3)]
    assert [purchase.price for purchase in found] == [9.5, None, 9.5, 9.5]
    assert {purchase.source for purchase in found} == {"replay"}


def test_event_ids_are_version_5_of_the_hash_and_the_row(log: PurchaseLog) -> None:
    assert log.event_ids(0, 1) == [uuid.uuid5(uuid.UUID(log.sha256[:32]), "1")]
    assert log.event_ids(0, 1)[0].version == 5


def test_any_stretch_is_the_same_as_that_part_of_the_whole(log: PurchaseLog) -> None:
    whole = list(log.purchases())
    assert list(log.purchases(1, 3)) == whole[1:3]
    assert list(log.purchases(3, 99)) == whole[3:]


def test_a_further_piece_on_the_same_day_is_a_repeat(log: PurchaseLog) -> None:
    assert log.repeated().tolist() == [False, False, True, False]
