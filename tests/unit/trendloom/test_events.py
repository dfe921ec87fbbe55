from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trendloom.errors import BadMessage
from trendloom.events import EARLIEST_MS, FUTURE_LIMIT_MS, Purchase, RecommendationList, decode_purchase, encode

NOW_MS = 1_700_000_000_000
GOOD: dict[str, Any] = {
    "schema_version": 1,
    "event_id": "7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10",
    "customer_id": "c1",
    "item_id": "i1",
    "occurred_at": NOW_MS,
}

identifiers = st.text(min_size=1, max_size=128)
purchases = st.builds(
    Purchase,
    schema_version=st.just(1),
    event_id=st.uuids(),
    customer_id=identifiers,
    item_id=identifiers,
    occurred_at=st.integers(EARLIEST_MS, NOW_MS + FUTURE_LIMIT_MS),
    quantity=st.integers(1, 1_000_000),
    price=st.none() | st.floats(0, 1e9),
    store_id=st.none() | identifiers,
    variant_id=st.none() | identifiers,
    source=st.sampled_from(["live", "synthetic", "replay"]),
)


@given(purchases)
def test_what_is_encoded_is_decoded_the_same(purchase: Purchase) -> None:
    assert decode_purchase(encode(purchase), NOW_MS) == purchase


@given(st.binary(max_size=300))
def test_any_bytes_are_a_purchase_or_a_bad_message(raw: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        decode_purchase(raw, NOW_MS)
    assert "Action: " in caught.value.detail


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "x"]), inner),
    )
)
def test_any_json_is_a_purchase_or_a_bad_message(value: object) -> None:
    with pytest.raises(BadMessage) as caught:
        decode_purchase(json.dumps(value).encode(), NOW_MS)
    assert "Action: " in caught.value.detail


def changed(**fields: object) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


@pytest.mark.parametrize(
    ("raw", "reason", "named"),
    [
        (None, "empty", "no value"),
        (b"", "empty", "no value"),
        (b"\xff\xfe", "not_json", "not JSON"),
        (b'{"schema_version": 1', "not_json", "not JSON"),
        (b"[]", "wrong_schema", "the record"),
        (b'"text"', "wrong_schema", "the record"),
        (changed(schema_version=2), "unknown_schema", "is '2'"),
        (changed(schema_version="1"), "unknown_schema", "schema_version"),
        (without("schema_version"), "unknown_schema", "schema_version"),
        (changed(event_id="not-a-uuid"), "wrong_schema", "event_id"),
        (changed(customer_id=7), "wrong_schema", "customer_id"),
        (changed(customer_id=""), "wrong_schema", "customer_id"),
        (changed(customer_id="x" * 129), "wrong_schema", "customer_id"),
        (without("item_id"), "wrong_schema", "item_id"),
        (changed(occurred_at="yesterday"), "wrong_schema", "occurred_at"),
        (changed(occurred_at=1_700_000_000), "too_old", "milliseconds"),
        (changed(occurred_at=EARLIEST_MS - 1), "too_old", "2000"),
        (changed(occurred_at=NOW_MS + FUTURE_LIMIT_MS + 1), "in_the_future", "ahead"),
        (changed(quantity=0), "wrong_schema", "quantity"),
        (changed(quantity=1.5), "wrong_schema", "quantity"),
        (changed(price=-1), "wrong_schema", "price"),
        (changed(source="dream"), "wrong_schema", "source"),
    ],
)
def test_a_bad_record_says_why(raw: bytes | None, reason: str, named: str) -> None:
    with pytest.raises(BadMessage) as caught:
        decode_purchase(raw, NOW_MS)
    assert caught.value.reason == reason
    assert named in caught.value.detail
    assert "Action: " in caught.value.detail


def test_the_limits_themselves_are_good() -> None:
    assert decode_purchase(changed(occurred_at=EARLIEST_MS), NOW_MS).occurred_at == EARLIEST_MS
    assert decode_purchase(changed(occurred_at=NOW_MS + FUTURE_LIMIT_MS), NOW_MS).source == "live"
    assert len(decode_purchase(changed(customer_id="x" * 128), NOW_MS).customer_id) == 128


def test_a_further_field_is_no_fault() -> None:
    assert decode_purchase(changed(loyalty_points=12), NOW_MS).item_id == "i1"


def test_the_detail_stays_short_whatever_was_sent() -> None:
    with pytest.raises(BadMessage) as caught:
        decode_purchase(changed(customer_id="x" * 10_000), NOW_MS)
    assert len(caught.value.detail) < 300


def test_messages_cannot_be_changed() -> None:
    purchase = decode_purchase(changed(), NOW_MS)
    with pytest.raises(ValidationError, match="frozen"):
        purchase.item_id = "i2"  # type: ignore[misc]


def test_a_list_survives_the_wire() -> None:
    made = RecommendationList.model_validate_json(
        json.dumps(
            {
                "schema_version": 1,
                "customer_id": "c1",
                "version": {"epoch": 5, "number": 2},
                "cause": {
                    "event_id": str(uuid.UUID(int=1)),
                    "item_id": "i1",
                    "occurred_at": NOW_MS,
                    "partition": 0,
                    "offset": 9,
                },
                "sent_at": None,
                "made_at": NOW_MS,
                "preset": "balanced",
                "catalogue": "abc",
                "trendiness": 0.5,
                "percentile": 1.0,
                "entries": [{"item_id": "i2", "score": 0.3, "parts": {"visual": 0.1, "popularity": 0.2}}],
            }
        )
    )
    assert RecommendationList.model_validate_json(encode(made)) == made
    with pytest.raises(ValidationError):
        RecommendationList.model_validate_json(encode(made).replace(b'"trendiness":0.5', b'"trendiness":1.5'))
