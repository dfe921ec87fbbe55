"""Every message that may travel, and ``decode_purchase`` (``decode_purchases`` for a batch), the only way in.

The four models are the wire contract (schema version 1): JSON, UTF-8, one object a record. Nothing here knows Kafka.
Read next: :mod:`trendloom.topics` for which topic carries which message.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from trendloom.errors import BadMessage
from trendloom.event_ids import spelt_usually

__all__ = [
    "EARLIEST_MS",
    "FUTURE_LIMIT_MS",
    "SCHEMA_VERSION",
    "SENT_AT_HEADER",
    "Cause",
    "DeadLetter",
    "Entry",
    "Purchase",
    "PurchaseRecord",
    "RecommendationList",
    "RisingItem",
    "TrendSnapshot",
    "Version",
    "decode_purchase",
    "decode_purchases",
    "encode",
]

SCHEMA_VERSION = 1
#: Event times before 2000-01-01T00:00:00Z are refused: such a stamp is a unit mistake (seconds for milliseconds).
EARLIEST_MS = 946_684_800_000
#: Event times further ahead of the clock than this are refused: five minutes of clock skew is generous.
FUTURE_LIMIT_MS = 5 * 60 * 1000
#: Record header with the intended send time of a purchase, decimal milliseconds since the epoch.
SENT_AT_HEADER = "sent_at"

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
EventTime = Annotated[int, Field(description="Milliseconds since the epoch, UTC.", ge=EARLIEST_MS)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    schema_version: Literal[1] = Field(default=1, description="An unknown version is a dead letter.")


class Purchase(_Message):
    """One purchase. Its event time is ``occurred_at``; its quantity is carried along but never weighs."""

    schema_version: Literal[1] = Field(description="An unknown version is a dead letter.")
    event_id: uuid.UUID = Field(description="The same purchase sent twice has the same id and counts once.")
    customer_id: Identifier
    item_id: Identifier
    occurred_at: EventTime
    quantity: int = Field(default=1, ge=1, le=1_000_000)
    price: float | None = Field(default=None, ge=0.0)
    store_id: Identifier | None = Field(default=None, description="Where it was bought; null: in no store, or unknown.")
    variant_id: Identifier | None = Field(default=None, description="The size bought.")
    source: Literal["live", "synthetic", "replay"] = "live"


_ReadIdentifier = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class PurchaseRecord(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A purchase as a batch reads it: the fields of :class:`Purchase`, checked alike, in an object made in no time.

    It is no contract of its own: what it does not plainly accept (a further field, too), :class:`Purchase` decides.
    """

    schema_version: Literal[1]
    #: Spelt as UUIDs usually are: another spelling is read as :class:`Purchase` reads it, and spelt anew.
    event_id: str
    customer_id: _ReadIdentifier
    item_id: _ReadIdentifier
    occurred_at: Annotated[int, msgspec.Meta(ge=EARLIEST_MS)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    price: Annotated[float, msgspec.Meta(ge=0)] | None = None
    store_id: _ReadIdentifier | None = None
    variant_id: _ReadIdentifier | None = None
    source: Literal["live", "synthetic", "replay"] = "live"


_read = msgspec.json.Decoder(PurchaseRecord).decode


class Version(BaseModel):
    """Orders a customer's lists: the greatest (epoch, number) is the right one, whatever was delivered twice."""

    model_config = ConfigDict(frozen=True, strict=True)

    epoch: int = Field(ge=0, description="When the state was begun, ms since the epoch; grows when it is rebuilt.")
    number: int = Field(ge=1, description="The customer's purchase number: 1, 2, 3 ...")


class Cause(BaseModel):
    """The purchase that a list answers, and where it lies in the log."""

    model_config = ConfigDict(frozen=True, strict=True)

    event_id: uuid.UUID
    item_id: Identifier
    occurred_at: EventTime
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)


class Entry(BaseModel):
    """One recommended item; its parts sum to its score."""

    model_config = ConfigDict(frozen=True, strict=True)

    item_id: Identifier
    score: float
    parts: dict[str, float] = Field(description="Weighted parts of the score by name; they sum to it.")


class RecommendationList(_Message):
    """A customer's refreshed top-k list, with all that is needed to explain it."""

    customer_id: Identifier
    version: Version
    cause: Cause
    sent_at: int | None = Field(description="Intended send time of the purchase, from its header; ms.")
    made_at: EventTime
    preset: str
    catalogue: str = Field(description="Fingerprint of the catalogue that the list was made from.")
    trendiness: Share = Field(description="The customer's trendiness after this purchase.")
    percentile: Share = Field(description="Popularity percentile of the item bought, just before the purchase.")
    entries: tuple[Entry, ...]


class DeadLetter(_Message):
    """A record that could not be used, whole, with its place in the log and a reason to act on."""

    reason: str = Field(description="One word, for counters: not_json, wrong_schema, unknown_item ...")
    detail: str = Field(description="What is wrong and what to do.")
    topic: str
    partition: int
    offset: int
    key: str | None = Field(description="The record's key as text; bytes that are not UTF-8 are base64.")
    payload: str = Field(description="The record's value as text, or base64, as payload_encoding says.")
    payload_encoding: Literal["utf-8", "base64"]
    payload_bytes: int = Field(ge=0, description="Size of the whole value; the payload is cut after 512 KiB.")
    dead_at: int = Field(description="When it was set aside, ms since the epoch.")


class RisingItem(BaseModel):
    """One item of a trend snapshot."""

    model_config = ConfigDict(frozen=True, strict=True)

    item_id: Identifier
    rising: float = Field(description="Fast over slow popularity, smoothed; 1 is steady, more is rising.")
    popularity: float = Field(description="Purchases, decayed by the slow half-life.")
    purchases: int = Field(ge=0)


class TrendSnapshot(_Message):
    """What is rising at the end of a window of event time."""

    window_end: EventTime
    slow_half_life_s: float
    fast_half_life_s: float
    items: tuple[RisingItem, ...]


def decode_purchase(value: bytes | None, now_ms: int) -> Purchase:
    """Return the purchase that a record's value holds: the only way in.

    ``now_ms`` is the clock in milliseconds since the epoch. Raises :class:`BadMessage`, whose ``reason`` is one of
    ``empty``, ``not_json``, ``unknown_schema``, ``wrong_schema``, ``too_old`` and ``in_the_future``.

    >>> raw = (b'{"schema_version": 1, "event_id": "7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10", "customer_id": "c1",'
    ...        b' "item_id": "i1", "occurred_at": 1600000000000}')
    >>> decode_purchase(raw, now_ms=1600000000000).item_id
    'i1'
    >>> decode_purchase(b"[1, 2", now_ms=0)
    Traceback (most recent call last):
        ...
    trendloom.errors.BadMessage: The record is not JSON. Action: send one JSON object a record, in UTF-8.
    """
    if not value:
        raise BadMessage("empty", "The record has no value. Action: send one JSON object a record.")
    try:
        purchase = Purchase.model_validate_json(value)
    except ValidationError as error:
        raise _explained(value, error) from None
    if purchase.occurred_at > now_ms + FUTURE_LIMIT_MS:
        ahead_s = (purchase.occurred_at - now_ms) / 1000
        raise BadMessage(
            "in_the_future",
            f"occurred_at {purchase.occurred_at} is {ahead_s:.0f} s ahead of the clock, more than "
            f"{FUTURE_LIMIT_MS // 1000} s. Action: send milliseconds since the epoch, UTC, and set the sender's clock.",
        )
    return purchase


def decode_purchases(values: Sequence[bytes | None], now_ms: int) -> list[PurchaseRecord | BadMessage]:
    """Return for each record's value, in order, its purchase, or why there is none: as :func:`decode_purchase` judges.

    Several times faster than one after the other: a plainly good value never meets pydantic. A bad one raises nothing.

    >>> good = (b'{"schema_version": 1, "event_id": "7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10", "customer_id": "c1",'
    ...         b' "item_id": "i1", "occurred_at": 1600000000000}')
    >>> bought, bad = decode_purchases([good, b"[1, 2"], now_ms=1600000000000)
    >>> bought.item_id, bad.reason
    ('i1', 'not_json')
    """
    latest_ms = now_ms + FUTURE_LIMIT_MS
    found: list[PurchaseRecord | BadMessage] = []
    ids: list[str] = []
    for value in values:
        try:
            record = _read(value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError):  # the latter where a text is not UTF-8
            found.append(_UNREAD)
            ids.append("")
        else:
            found.append(record)
            ids.append(record.event_id if record.occurred_at <= latest_ms else "")
    for place in np.flatnonzero(~spelt_usually(ids)).tolist():
        found[place] = _judged(values[place], now_ms)
    return found


#: Stands for a value that is not plainly good until it is judged.
_UNREAD = BadMessage("unread", "Not judged yet.")


def _judged(value: bytes | None, now_ms: int) -> PurchaseRecord | BadMessage:
    try:
        purchase = decode_purchase(value, now_ms)
        return PurchaseRecord(**vars(purchase) | {"event_id": str(purchase.event_id)})
    except BadMessage as bad:
        return bad


def _explained(value: bytes, error: ValidationError) -> BadMessage:
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return BadMessage("not_json", "The record is not JSON. Action: send one JSON object a record, in UTF-8.")
    found = {problem["loc"][0]: problem for problem in error.errors(include_url=False) if problem["loc"]}
    if "schema_version" in found:
        try:
            given = orjson.loads(value).get("schema_version")
        except (orjson.JSONDecodeError, AttributeError):
            given = None
        return BadMessage(
            "unknown_schema",
            f"schema_version is {str(given)[:40]!r}, this reader knows {SCHEMA_VERSION}. Action: send version "
            f"{SCHEMA_VERSION}, or update the workers first.",
        )
    old = found.get("occurred_at")
    if old is not None and old["type"] == "greater_than_equal":
        return BadMessage(
            "too_old",
            f"occurred_at {old['input']} lies before the year 2000. Action: send milliseconds since the epoch, "
            "not seconds.",
        )
    field = ".".join(str(step) for step in first["loc"]) or "the record"
    given = repr(first.get("input"))
    shown = given if len(given) <= 60 else given[:60] + "..."
    return BadMessage(
        "wrong_schema",
        f"{field}: {first['msg']} (given: {shown}). Action: correct the sender; asyncapi.yaml holds the contract.",
    )


def encode(message: BaseModel) -> bytes:
    """Return the JSON, in UTF-8, that a record carries for this message.

    >>> encode(Version(epoch=1, number=2))
    b'{"epoch":1,"number":2}'
    """
    return message.model_dump_json().encode()
