from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest
from aiokafka.partitioner import murmur2

from producers.load_records import LoadRecord, LoadRecords, ZipfRanks
from trendloom.errors import SettingsError
from trendloom.events import SENT_AT_HEADER, decode_purchase, encode

RUN = uuid.UUID("7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10")
NOW_MS = 1_600_000_000_000
ITEMS = ["tee", 'a "quoted" one', "naïve-Größe-猫", "x" * 128]


def _records(**changed: Any) -> LoadRecords:
    plain: dict[str, Any] = {"customers": 50, "exponent": 1.0, "seed": 3, "run": RUN, "partitions": 4}
    return LoadRecords(ITEMS, **(plain | changed))


def _make(records: LoadRecords, first: int, intended_ms: Any) -> list[list[LoadRecord]]:
    return [records.encode(drawn) for drawn in records.draw(first, intended_ms)]


def _by_number(made: list[list[LoadRecord]]) -> dict[int, LoadRecord]:
    return {int(value[len(b'{"schema_version":1,"event_id":"') + 24 :][:12], 16): record
            for records in made for record in records for value in [record[1]]}  # fmt: skip


def test_the_template_gives_what_encode_gives() -> None:
    made = _make(_records(), 250, np.arange(NOW_MS, NOW_MS + 400))
    found = _by_number(made)
    assert sorted(found) == list(range(250, 650))
    for number, (key, value, ms, headers) in found.items():
        purchase = decode_purchase(value, NOW_MS)
        assert encode(purchase) == value
        assert str(purchase.event_id) == f"7f8de1cf-93fc-4b4f-9d3d-{number:012x}"
        assert purchase.customer_id.encode() == key
        assert len(key) == 16
        assert purchase.occurred_at == ms == NOW_MS + number - 250
        assert headers == [(SENT_AT_HEADER, str(ms).encode())]
    assert {decode_purchase(value, NOW_MS).item_id for _, value, _, _ in found.values()} == set(ITEMS)


def test_records_lie_in_their_customers_partition_in_order() -> None:
    made = _make(_records(), 0, np.full(500, NOW_MS))
    assert len(made) == 4
    for partition, records in enumerate(made):
        assert {(murmur2(key) & 0x7FFFFFFF) % 4 for key, _, _, _ in records} <= {partition}
        numbers = [value[32 + 24 : 32 + 36] for _, value, _, _ in records]
        assert numbers == sorted(numbers)


def test_the_same_seed_buys_the_same_however_it_is_cut() -> None:
    whole = _by_number(_make(_records(), 0, np.full(300, NOW_MS)))
    cut = _records()
    parts: dict[int, LoadRecord] = {}
    for first in range(0, 300, 7):
        parts |= _by_number(_make(cut, first, np.full(min(7, 300 - first), NOW_MS)))
    assert parts == whole
    assert _by_number(_make(_records(seed=4), 0, np.full(300, NOW_MS))) != whole


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_frequencies_follow_zipf(exponent: float) -> None:
    drawn = ZipfRanks(20, exponent, np.random.default_rng(1)).draw(200_000)
    expected = np.arange(1, 21) ** -exponent
    found = np.sort(np.bincount(drawn, minlength=20))[::-1]
    assert found / 200_000 == pytest.approx(expected / expected.sum(), abs=0.006)


def test_ids_are_as_long_for_one_customer_as_for_a_million() -> None:
    assert _records(customers=1).customer_digits == 7


@pytest.mark.parametrize("changed", [{"customers": 0}, {"exponent": -1.0}])
def test_what_cannot_be_drawn_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="Action: "):
        _records(**changed)
