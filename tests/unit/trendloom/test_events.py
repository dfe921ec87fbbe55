from __future__ import annotations

import json
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trendloom.errors import BadMessage
from trendloom.events import (
    EARLIEST_MS,
    FUTURE_LIMIT_MS,
    Purchase,
    RecommendationList,
    decode_purchase,
    decode_purchases,
    encode,
)

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


def judged_one_by_one(values: list[bytes | None]) -> list[object]:
    """What :func:`decode_purchase` makes of each value, in a form that compares."""
    found: list[object] = []
    for value in values:
        try:
            purchase = decode_purchase(value, NOW_MS)
            found.append(dict(purchase) | {"event_id": str(purchase.event_id)})
        except BadMessage as bad:
            found.append((bad.reason, bad.detail))
    return found


def judged_at_once(values: list[bytes | None]) -> list[object]:
    return [
        (one.reason, one.detail) if isinstance(one, BadMessage) else msgspec.structs.asdict(one)
        for one in decode_purchases(values, NOW_MS)
    ]


def spelt(**fields: str) -> bytes:
    """A good purchase with fields in a JSON spelling of one's own."""
    spellings = {name: json.dumps(value) for name, value in GOOD.items()} | fields
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in spellings.items()) + "}").encode()


RAW = spelt()
ODD_RECORDS: list[bytes | None] = [
    None,
    b"",
    b"[]",
    b'"text"',
    RAW,
    b" \r\n\t" + RAW + b"\n",
    b"\xef\xbb\xbf" + RAW,
    RAW + b"x",
    RAW + RAW,
    RAW + b"," + RAW,
    RAW[:-1],
    RAW[:-1] + b",}",
    RAW[:-1] + b', "item_id": "i2"}',
    RAW[:-1] + b', "item_id": 5}',
    b'{"item_id": 5, ' + RAW[1:],
    RAW.replace(b"item_id", b"item_\\u0069d"),
    *(RAW.replace(b"c1", odd) for odd in (b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"\n")),
    *(spelt(schema_version=text) for text in ("1.0", "1e0", "true", "2", '"1"')),
    *(
        spelt(event_id=f'"{text}"')
        for text in (
            "7F8DE1CF-93FC-4B4F-9D3D-5F2C2F1F8F10",
            "7f8de1cf93fc4b4f9d3d5f2c2f1f8f10",
            "{7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10}",
            "urn:uuid:7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10",
            "7f8d-e1cf93fc4b4f9d3d5f2c2f1f-8f10aa",
            "7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f1\\u0030",
            "7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f1g",
            "7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f1",
            "\\ud800",
            "",
        )
    ),
    *(
        spelt(customer_id=f'"{text}"')
        for text in (
            "",
            "\\ud800",
            "\\udc00",
            "\\ud83d\\ude00",
            "\\u0000",
            "\t",
            "\\/",
            "é" * 128,
            "é" * 129,
            "😀" * 129,
        )
    ),
    *(
        spelt(occurred_at=text)
        for text in ("17e11", "1700000000000.0", "01700000000000", "-1", "9223372036854775808", "1" + "0" * 30, "NaN")
    ),
    *(spelt(occurred_at=str(at)) for at in (EARLIEST_MS, EARLIEST_MS - 1)),
    *(spelt(occurred_at=str(NOW_MS + FUTURE_LIMIT_MS + more)) for more in (0, 1)),
    *(spelt(quantity=text) for text in ("0", "1", "1000000", "1000001", "1.0", "1.5", "null", "true", "-0")),
    *(
        spelt(price=text)
        for text in ("1", "-1", "-0.0", "NaN", "Infinity", "1e400", "null", "true", "1" + "0" * 310, "9007199254740993")
    ),
    *(spelt(store_id=text) for text in ("null", '""', '"s"', "5")),
    *(spelt(source=text) for text in ('"replay"', '"dream"', "null")),
    *(spelt(loyalty_points=text) for text in ("12", '"\\ud800"', "[" * 500 + "]" * 500, "[")),
]


def test_a_batch_is_judged_as_its_records_would_be_one_by_one() -> None:
    expected = judged_one_by_one(ODD_RECORDS)
    assert judged_at_once(ODD_RECORDS) == expected
    assert sum(isinstance(one, dict) for one in expected) > 20 < sum(isinstance(one, tuple) for one in expected)


@given(st.lists(purchases, max_size=5))
def test_a_batch_of_good_purchases_is_read_whole(some: list[Purchase]) -> None:
    assert judged_at_once([encode(purchase) for purchase in some]) == [
        dict(purchase) | {"event_id": str(purchase.event_id)} for purchase in some
    ]


scraps = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=140)
fields = st.dictionaries(
    st.sampled_from([*Purchase.model_fields, "x"]),
    scraps
    | st.lists(scraps, max_size=2)
    | st.sampled_from([1, 1.0, EARLIEST_MS, 1e12, "live", "ab", GOOD["event_id"]]),
)


@given(st.lists(fields | st.text(), max_size=3), st.booleans())
def test_a_batch_of_any_json_is_judged_as_its_records_would_be(some: list[object], ascii_only: bool) -> None:
    whole = [{**GOOD, **one} if isinstance(one, dict) else one for one in some]
    values: list[bytes | None] = [
        json.dumps(one, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for one in whole
    ]
    assert judged_at_once(values) == judged_one_by_one(values)


@given(st.integers(0, len(RAW) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_record_is_judged_the_same_in_a_batch(place: int, instead: bytes, length: int) -> None:
    damaged = RAW[:place] + instead + RAW[place + length :]
    assert judged_at_once([damaged]) == judged_one_by_one([damaged])
