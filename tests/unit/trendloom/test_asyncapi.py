from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from trendloom.asyncapi import asyncapi_document, asyncapi_yaml
from trendloom.events import (
    Cause,
    DeadLetter,
    Entry,
    Purchase,
    RecommendationList,
    RisingItem,
    TrendSnapshot,
    Version,
    encode,
)
from trendloom.topics import TOPICS

ROOT = Path(__file__).parents[3]
NOW_MS = 1_700_000_000_000
DOCUMENT = asyncapi_document("0.1.0")
CAUSE = Cause(event_id=uuid.UUID(int=1), item_id="i1", occurred_at=NOW_MS, partition=0, offset=0)
MESSAGES: list[BaseModel] = [
    Purchase(schema_version=1, event_id=uuid.UUID(int=1), customer_id="c", item_id="i", occurred_at=NOW_MS),
    RecommendationList(
        customer_id="c",
        version=Version(epoch=1, number=1),
        cause=CAUSE,
        sent_at=None,
        made_at=NOW_MS,
        preset="balanced",
        catalogue="f",
        trendiness=0.5,
        percentile=0.5,
        entries=(Entry(item_id="i2", score=0.25, parts={"visual": 0.25}),),
    ),
    DeadLetter(
        reason="not_json",
        detail="It is not. Action: mend it.",
        topic="purchases",
        partition=0,
        offset=7,
        key=None,
        payload="{",
        payload_encoding="utf-8",
        payload_bytes=1,
        dead_at=NOW_MS,
    ),
    TrendSnapshot(
        window_end=NOW_MS,
        slow_half_life_s=86_400.0,
        fast_half_life_s=3_600.0,
        items=(RisingItem(item_id="i", rising=2.0, popularity=3.5, purchases=4),),
    ),
]


def schema_of(name: str) -> dict[str, Any]:
    """The payload's schema as a document of its own: references then point into it."""
    return {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}


def validate(value: object, name: str) -> None:
    jsonschema.Draft202012Validator(schema_of(name)).validate(value)


def test_the_committed_document_is_what_is_rendered() -> None:
    assert (ROOT / "asyncapi.yaml").read_text(encoding="utf-8") == asyncapi_yaml("0.1.0"), "run make generate"


def test_the_yaml_says_the_same_as_the_document() -> None:
    assert yaml.safe_load(asyncapi_yaml("0.1.0")) == DOCUMENT


def test_every_reference_leads_somewhere() -> None:
    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for inner in value.values() for found in references(inner)]
        return [found for inner in value for found in references(inner)] if isinstance(value, list) else []

    found = references(DOCUMENT)
    assert len(found) > 12
    for reference in found:
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_topic_is_a_channel_with_an_operation() -> None:
    assert list(DOCUMENT["channels"]) == [topic.name for topic in TOPICS]
    directions = {name: operation["action"] for name, operation in DOCUMENT["operations"].items()}
    assert directions == {
        "receivePurchase": "receive",
        "sendRecommendationList": "send",
        "sendDeadLetter": "send",
        "sendTrendSnapshot": "send",
    }


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_we_send_fits_the_published_schema(message: BaseModel) -> None:
    value = json.loads(encode(message))
    name = type(message).__name__
    validate(value, name)
    for required in DOCUMENT["components"]["schemas"][name]["required"]:
        with pytest.raises(jsonschema.ValidationError):
            validate({key: inner for key, inner in value.items() if key != required}, name)


def test_a_sender_may_leave_out_what_has_a_default() -> None:
    required = DOCUMENT["components"]["schemas"]["Purchase"]["required"]
    assert sorted(required) == ["customer_id", "event_id", "item_id", "occurred_at", "schema_version"]


@pytest.mark.parametrize(
    ("field", "value"), [("schema_version", 2), ("customer_id", ""), ("occurred_at", 1_700_000_000), ("quantity", 0)]
)
def test_what_we_would_set_aside_does_not_fit_the_schema(field: str, value: object) -> None:
    purchase = json.loads(encode(MESSAGES[0]))
    with pytest.raises(jsonschema.ValidationError):
        validate({**purchase, field: value}, "Purchase")
