import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.candidates import TopK
from trendloom.events import Purchase, RecommendationList, encode
from trendloom.refresh.lists import encode_lists
from trendloom.state.columns import Arrival, Arrivals, Listed, Listings, Span
from trendloom.state.store import Partition

START_MS = 1_600_000_000_000
IDS = ["a", "b\u00fc", 'c"', "d"]


def listed(number: int = 1, *, customer: str = "ann", trendiness: float = 0.5, percentile: float = 0.25) -> Listed:
    bought = Purchase(
        schema_version=1, event_id=uuid.UUID(int=number), customer_id=customer, item_id="x\\y", occurred_at=START_MS
    )
    return Listed(Arrival(40 + number, bought, 2), number, percentile, trendiness, b"")


def encoded(
    some: list[Listed], items: list[list[int]], parts: list[list[list[float]]], sent: int | None
) -> list[bytes]:
    values = np.array(parts, np.float64).reshape(len(some), len(items[0]) if items else 0, 2)
    top = TopK(np.array(items, np.int32), values.sum(axis=2), values, ("visual", "popularity"))
    arrivals = Arrivals.of([one.arrival for one in some])
    arrivals.spans = [Span(Partition("purchases", 3), 0, 100, len(some))]
    return encode_lists(
        Listings.of(some, arrivals, history_length=2),
        top,
        [sent] * len(some),
        epoch=START_MS,
        made_at_ms=START_MS + 5,
        preset="balanced",
        catalogue="f1",
        ids=IDS,
    )


def test_a_list_says_whose_it_is_why_and_what_is_in_it() -> None:
    raws = encoded(
        [listed(1), listed(2, customer="bob")],
        [[2, 0], [1, -1]],
        [[[0.5, 0.25], [0.0, 0.125]], [[0.75, 0.0], [9.0, 9.0]]],
        START_MS - 9,
    )
    first, second = (RecommendationList.model_validate_json(raw) for raw in raws)
    assert (first.customer_id, first.version.epoch, first.version.number) == ("ann", START_MS, 1)
    assert (first.cause.event_id, first.cause.item_id, first.cause.occurred_at) == (uuid.UUID(int=1), "x\\y", START_MS)
    assert (first.cause.partition, first.cause.offset) == (3, 41)
    assert (first.sent_at, first.made_at, first.preset, first.catalogue) == (
        START_MS - 9,
        START_MS + 5,
        "balanced",
        "f1",
    )
    assert (first.trendiness, first.percentile) == (0.5, 0.25)
    assert [(entry.item_id, entry.score, entry.parts) for entry in first.entries] == [
        ('c"', 0.75, {"visual": 0.5, "popularity": 0.25}),
        ("a", 0.125, {"popularity": 0.125}),  # a part of nothing is left out
    ]
    assert [entry.item_id for entry in second.entries] == ["b\u00fc"]  # what lies after -1 is padding
    assert second.customer_id == "bob"


@given(
    parts=st.lists(st.tuples(st.floats(-9, 9), st.floats(-1e-5, 1e-5)), min_size=3, max_size=3),
    trendiness=st.floats(0, 1),
    percentile=st.floats(0, 1, width=32),
    sent=st.none() | st.integers(0, 2**50),
)
def test_the_bytes_are_those_that_the_contracts_own_encoder_makes(
    parts: list[tuple[float, float]], trendiness: float, percentile: float, sent: int | None
) -> None:
    some = [listed(trendiness=trendiness, percentile=percentile)]
    raw = encoded(some, [[0, 1, 2]], [[list(pair) for pair in parts]], sent)[0]
    assert encode(RecommendationList.model_validate_json(raw)) == raw


@given(parts=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=2, max_size=2))
def test_the_parts_sum_to_the_score_as_published(parts: list[tuple[float, float]]) -> None:
    found = RecommendationList.model_validate_json(
        encoded([listed()], [[0, 1]], [[list(pair) for pair in parts]], None)[0]
    )
    for entry, pair in zip(found.entries, parts, strict=True):
        assert entry.score == pytest.approx(sum(entry.parts.values()), abs=1e-12)
        assert entry.score == pytest.approx(sum(pair), abs=1.1e-6)


def test_no_list_for_nobody() -> None:
    assert encoded([], [], [], None) == []
