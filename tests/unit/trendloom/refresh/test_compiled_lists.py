from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.candidates import TopK
from trendloom.events import Purchase, RecommendationList, encode
from trendloom.refresh.compiled_lists import ListEncoder
from trendloom.refresh.lists import Heads, encode_heads, encode_lists
from trendloom.state.columns import Arrival, Arrivals, Listed, Listings, Span
from trendloom.state.store import Partition

START_MS = 1_600_000_000_000
NAMES = ("visual", "popularity", 'odd "name"')
PLACE: dict[str, Any] = {"epoch": START_MS, "made_at_ms": START_MS + 5}
HOUSE: dict[str, Any] = {"preset": 'bal"anced', "catalogue": "f\u00fc1"}

IDS = ["a", "b\u00fc", 'c"', "d\\", "e,]}", "\U0001f457", "\n"]


@pytest.fixture(scope="module")
def encoder() -> ListEncoder:
    """One for all tests: what was written before must not shine through."""
    return ListEncoder(NAMES, **HOUSE)


def top_of(items: list[list[int]], parts: npt.NDArray[np.float64], names: tuple[str, ...] = NAMES) -> TopK:
    shaped = parts.reshape(len(items), len(items[0]) if items else 0, len(names))
    return TopK(np.array(items, np.int32).reshape(shaped.shape[:2]), np.zeros(shaped.shape[:2]), shaped, names)


def plain_heads(rows: int) -> Heads:
    return Heads(
        [f"c{row}" for row in range(rows)],
        [row + 1 for row in range(rows)],
        [uuid.UUID(int=row) for row in range(rows)],
        ["x"] * rows,
        [START_MS + row for row in range(rows)],
        [3 * row for row in range(rows)],
        list(range(rows)),
        [None] * rows,
        [0.5] * rows,
        [0.25] * rows,
    )


def test_heads_and_entries_are_written_as_the_reference_writes_them(encoder: ListEncoder) -> None:
    assert list(
        encoder.encode(plain_heads(2), top_of([[2, 0], [1, -1]], np.arange(12.0)), ids=IDS, **PLACE)
    ) == encode_heads(plain_heads(2), top_of([[2, 0], [1, -1]], np.arange(12.0)), ids=IDS, **HOUSE, **PLACE)


texts = st.text(max_size=20) | st.sampled_from(['"', "\\", '\\"', ",", "]", "\\\\", "\u2028"])
values = (
    st.floats(-9, 9)
    | st.floats(-1e-5, 1e-5)
    | st.integers(-(10**7), 10**7).map(lambda units: units / 10**6)
    | st.integers(-99, 99).map(lambda halves: halves / 2 / 10**6)
    | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-6, -1e-6, 999_999.999999, -999_999.0, 0.1, 0.2, -0.3])
)
unusual = st.sampled_from([1e6, -2e9, 123_456_789_012.345_678, -1e17, float("nan"), float("inf"), -float("inf")])


@st.composite
def drawn(draw: st.DrawFn, values: st.SearchStrategy[float] = values) -> tuple[Heads, TopK]:
    rows, k = draw(st.integers(0, 3)), draw(st.integers(1, 3))

    def column(of: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(of, min_size=rows, max_size=rows))

    heads = Heads(
        column(texts),
        column(st.integers(1, 2**40)),
        column(st.uuids()),
        column(texts),
        column(st.integers(START_MS, 2**50)),
        column(st.integers(0, 2**31)),
        column(st.integers(0, 2**62)),
        column(st.none() | st.integers(0, 2**50)),
        column(st.floats(0, 1)),
        column(st.floats(0, 1, width=32)),
    )
    items = [draw(st.lists(st.integers(-1, len(IDS) - 1), min_size=k, max_size=k)) for _ in range(rows)]
    size = rows * k * len(NAMES)
    parts = np.array(draw(st.lists(values, min_size=size, max_size=size)), np.float64).reshape(rows, k, len(NAMES))
    return heads, TopK(np.array(items, np.int32).reshape(rows, k), np.zeros((rows, k)), parts, NAMES)


@given(drawn())
def test_the_bytes_are_those_of_the_reference(encoder: ListEncoder, batch: tuple[Heads, TopK]) -> None:
    heads, top = batch
    assert list(encoder.encode(heads, top, ids=IDS, **PLACE)) == encode_heads(heads, top, ids=IDS, **HOUSE, **PLACE)


@given(drawn(values | unusual))
def test_numbers_that_the_kernel_does_not_write_are_left_to_the_reference(
    encoder: ListEncoder, batch: tuple[Heads, TopK]
) -> None:
    heads, top = batch
    assert list(encoder.encode(heads, top, ids=IDS, **PLACE)) == encode_heads(heads, top, ids=IDS, **HOUSE, **PLACE)


def test_every_number_has_the_notation_of_orjson() -> None:
    small = np.arange(20_000)
    great = np.random.default_rng(5).integers(0, 10 ** np.arange(5, 12).repeat(3_000), endpoint=True)
    numbers = np.concatenate([small, great, 10 ** np.arange(12), 10 ** np.arange(1, 12) - 1]) / 10**6
    numbers = np.concatenate([numbers, -numbers])
    numbers = numbers[numbers != 0]
    encoder = ListEncoder(("only",), **HOUSE)
    top = top_of([[0] * numbers.size], numbers, ("only",))
    (raw,) = encoder.encode(plain_heads(1), top, ids=IDS, **PLACE)
    entries = raw.partition(b'"entries":[{')[2].removesuffix(b"}]}").split(b"},{")
    for entry, number in zip(entries, numbers.tolist(), strict=True):
        text = orjson.dumps(number)
        assert entry == b'"item_id":"a","score":%b,"parts":{"only":%b}' % (text, text)


def test_parts_that_cancel_out_leave_a_score_of_plain_zero(encoder: ListEncoder) -> None:
    top = top_of([[0]], np.array([0.1, 0.2, -0.3]))
    (raw,) = encoder.encode(plain_heads(1), top, ids=IDS, **PLACE)
    assert b'"score":0.0,' in raw
    assert encode_heads(plain_heads(1), top, ids=IDS, **HOUSE, **PLACE) == [raw]


def test_a_list_keeps_the_contract(encoder: ListEncoder) -> None:
    (raw,) = encoder.encode(plain_heads(1), top_of([[2, 0, -1]], np.arange(9.0)), ids=IDS, **PLACE)
    found = RecommendationList.model_validate_json(raw)
    assert encode(found) == raw
    assert [(entry.item_id, entry.score) for entry in found.entries] == [('c"', 3.0), ("a", 12.0)]


def test_ids_are_learnt_as_they_come_however_many() -> None:
    encoder = ListEncoder(NAMES, **HOUSE)
    ids: list[str] = []
    for size in (1, 5_000, 5_001, 30_000):
        ids = ids + [f"item-{number:09d}" * (1 + number % 3) for number in range(len(ids), size)]
        top = top_of([[0, size // 2, size - 1]], np.ones(9))
        (raw,) = encoder.encode(plain_heads(1), top, ids=ids, **PLACE)
        assert [entry["item_id"] for entry in json.loads(raw)["entries"]] == [ids[0], ids[size // 2], ids[size - 1]]


def test_columns_may_be_arrays(encoder: ListEncoder) -> None:
    heads, top = plain_heads(3), top_of([[0], [1], [2]], np.arange(9.0))
    arrays = heads._replace(
        numbers=np.array(heads.numbers, np.int64),
        times_ms=np.array(heads.times_ms, np.int64),
        offsets=np.array(heads.offsets, np.int64),
        trendiness=np.array(heads.trendiness),
        percentiles=np.array(heads.percentiles),
        event_ids=[str(one) for one in heads.event_ids],
    )
    expected = list(encoder.encode(heads, top, ids=IDS, **PLACE))
    assert list(encoder.encode(arrays, top, ids=IDS, **PLACE)) == expected
    assert encode_heads(arrays, top, ids=IDS, **HOUSE, **PLACE) == expected


def test_listed_purchases_are_encoded_as_by_the_reference(encoder: ListEncoder) -> None:
    some = []
    for number in range(1, 4):
        bought = Purchase(
            schema_version=1, event_id=uuid.uuid4(), customer_id=f"c\u00e9{number}", item_id="i", occurred_at=START_MS
        )
        some.append(Listed(Arrival(40 + number, bought, 2), number, 0.25, 1 / 3, b""))
    top = top_of([[0, 1], [2, 3], [4, -1]], np.linspace(-1, 1, 18))
    sent: list[int | None] = [START_MS, None, 0]
    arrivals = Arrivals.of([one.arrival for one in some])
    arrivals.spans = [Span(Partition("purchases", 3), 41, 43, 3)]
    listed = Listings.of(some, arrivals, history_length=2)
    expected = encode_lists(listed, top, sent, ids=IDS, **HOUSE, **PLACE)
    assert list(encoder.lists(listed, top, sent, ids=IDS, **PLACE)) == expected


def test_what_does_not_fit_together_is_refused(encoder: ListEncoder) -> None:
    top = top_of([[0], [1]], np.ones(6))
    with pytest.raises(ValueError, match="2 lists"):
        encoder.encode(plain_heads(1), top, ids=IDS, **PLACE)
    with pytest.raises(ValueError, match="only"):
        encoder.encode(plain_heads(2), top_of([[0], [1]], np.ones(2), ("only",)), ids=IDS, **PLACE)
    with pytest.raises(IndexError, match="item 7 of 7"):
        encoder.encode(plain_heads(2), top_of([[0], [7]], np.ones(6)), ids=IDS, **PLACE)
