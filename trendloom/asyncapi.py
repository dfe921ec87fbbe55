"""The AsyncAPI 3 document of the topics, made from the topic table and the message models.

It computes a dictionary and its YAML, reads nothing and writes no file; ``asyncapi.yaml`` is its committed output and a
test compares. Read next: :mod:`trendloom.topics`, :mod:`trendloom.events`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from trendloom.events import SENT_AT_HEADER, Purchase
from trendloom.topics import TOPICS, Topic

__all__ = ["asyncapi_document", "asyncapi_yaml"]

_PLAIN_KEY = re.compile(r"[A-Za-z$_][A-Za-z0-9$_./-]*")


def asyncapi_document(version: str) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document; ``version`` is that of the package.

    >>> document = asyncapi_document("0.1.0")
    >>> document["asyncapi"], sorted(document["channels"])
    ('3.0.0', ['dead-letters', 'purchases', 'recommendations', 'trends'])
    """
    schemas: dict[str, Any] = {}
    for topic in TOPICS:
        schemas |= _schemas(topic.message)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Trendloom",
            "version": version,
            "description": "A trend-aware fashion recommender on the purchase stream. Values are JSON, UTF-8, one "
            "object a record; keys are UTF-8 text. Producers key by customer with Kafka's murmur2 partitioner "
            "(librdkafka: partitioner=murmur2_random). Delivery is at least once: of a customer's lists the greatest "
            "(version.epoch, version.number) is the right one.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {_operation_name(topic): _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {topic.message.__name__: _message(topic) for topic in TOPICS},
            "schemas": dict(sorted(schemas.items())),
        },
    }


def asyncapi_yaml(version: str) -> str:
    """Return the document as YAML, keys in the order of the document.

    >>> print(asyncapi_yaml("0.1.0").splitlines()[1])
    asyncapi: "3.0.0"
    """
    heading = "# Made by `trendloom topics contract` from trendloom/topics.py and trendloom/events.py; a test compares."
    return "\n".join([heading, *_yaml(asyncapi_document(version), 0)]) + "\n"


def _channel(topic: Topic) -> dict[str, Any]:
    name = topic.message.__name__
    return {
        "address": topic.name,
        "description": f"{topic.description} Key: {topic.key}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": topic.cleanup.split(","),
                    "retention.ms": topic.retention_ms,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation_name(topic: Topic) -> str:
    return f"{'receive' if topic.message is Purchase else 'send'}{topic.message.__name__}"


def _operation(topic: Topic) -> dict[str, Any]:
    """Trendloom receives purchases and sends everything else."""
    return {
        "action": "receive" if topic.message is Purchase else "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
    }


def _message(topic: Topic) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": topic.message.__name__,
        "summary": _first_line(topic.message),
        "contentType": "application/json",
    }
    if topic.message is Purchase:
        message["headers"] = {
            "type": "object",
            "properties": {
                SENT_AT_HEADER: {
                    "type": "string",
                    "pattern": "^[0-9]+$",
                    "description": "Intended send time, decimal ms since the epoch; copied into the list.",
                }
            },
        }
    message["payload"] = {"$ref": f"#/components/schemas/{topic.message.__name__}"}
    message["bindings"] = {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}}
    return message


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schemas of a model and of everything in it, by name.

    A purchase is described as its senders see it (defaults may be left out), the rest as its readers do.
    """
    mode: Any = "validation" if model is Purchase else "serialization"
    schema = model.model_json_schema(mode=mode, ref_template="#/components/schemas/{model}")
    inner = schema.pop("$defs", {})
    return {model.__name__: schema, **inner}


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _yaml(value: Any, depth: int) -> Iterator[str]:
    """Yield the lines of a document of dictionaries, lists and scalars; every scalar is written as in JSON.

    JSON scalars are YAML scalars, so that no rule of quoting is needed beyond JSON's own.
    """
    pad = "  " * depth
    entries = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in entries:
        lead = "-" if key is None else f"{_yaml_key(key)}:"
        if isinstance(item, (dict, list)) and item:
            yield f"{pad}{lead}"
            yield from _yaml(item, depth + 1)
        else:
            yield f"{pad}{lead} {json.dumps(item, ensure_ascii=False)}"


def _yaml_key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key)
