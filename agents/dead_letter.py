"""The fate of a record that cannot be used: whole, with its place and a reason, to the ``dead-letters`` topic.

A batch is committed only after its dead letters were acknowledged, so nothing is lost silently and the stream goes on.
"""

from __future__ import annotations

import base64
from typing import Literal

import orjson
from faust.types import TP

from agents import fetched
from agents.publishing import Publisher, Record
from trendloom.errors import BadMessage
from trendloom.events import DeadLetter, encode

__all__ = ["DeadLetters", "dead_letter"]

#: A payload is cut after this many bytes, so that its dead letter fits into a record; the log still holds it whole.
PAYLOAD_LIMIT_BYTES = 512 * 1024
_JSON_LIMIT_BYTES = PAYLOAD_LIMIT_BYTES * 4 // 3


def dead_letter(tp: TP, record: fetched.Record, why: BadMessage, now_ms: int) -> DeadLetter:
    """Return the dead letter of a partition's record: text where it is UTF-8, base64 where it is not or would swell."""
    value = record.value or b""
    payload, encoding = _payload(value[:PAYLOAD_LIMIT_BYTES])
    return DeadLetter(
        reason=why.reason,
        detail=why.detail,
        topic=tp.topic,
        partition=tp.partition,
        offset=record.offset,
        key=None if record.key is None else _text(record.key),
        payload=payload,
        payload_encoding=encoding,
        payload_bytes=len(value),
        dead_at=now_ms,
    )


class DeadLetters:
    """Publishes dead letters, keyed by where the record lies, so that a second delivery is recognisable."""

    def __init__(self, publisher: Publisher, topic: str) -> None:
        self._publisher = publisher
        self._topic = topic

    async def publish(self, letters: list[DeadLetter], now_ms: int) -> None:
        """Publish and wait for the acknowledgement of each."""
        records: list[Record] = [
            (f"{letter.topic}-{letter.partition}-{letter.offset}".encode(), encode(letter)) for letter in letters
        ]
        await self._publisher.publish(self._topic, records, now_ms)


def _payload(cut: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    try:
        text = cut.decode()
    except UnicodeDecodeError:
        text = None
    # JSON writes a control character in six bytes: such a payload must not grow beyond what base64 would take
    if text is not None and len(orjson.dumps(text)) <= _JSON_LIMIT_BYTES:
        return text, "utf-8"
    return base64.b64encode(cut).decode(), "base64"


def _text(raw: bytes) -> str:
    try:
        return raw[:1024].decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw[:1024]).decode()
