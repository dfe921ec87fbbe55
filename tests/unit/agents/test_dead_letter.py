import asyncio
import base64

import pytest
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from agents.dead_letter import PAYLOAD_LIMIT_BYTES, DeadLetters, dead_letter
from agents.publishing import Publisher
from tests.fake_producer import FakeProducer
from trendloom.errors import BadMessage
from trendloom.events import DeadLetter

WHY = BadMessage("not_json", "The record is not JSON. Action: send one JSON object a record.")
NOW_MS = 1_600_000_000_000
PLACE = TP("purchases", 3)


def record(value: bytes | None, key: bytes | None = b"ann", offset: int = 41) -> "ConsumerRecord[bytes, bytes]":
    return ConsumerRecord("purchases", 3, offset, NOW_MS, 0, key, value, None, 3, 3, ())


def payload_of(letter: DeadLetter) -> bytes:
    raw = letter.payload.encode()
    return raw if letter.payload_encoding == "utf-8" else base64.b64decode(raw)


@pytest.mark.parametrize(
    ("value", "encoding"),
    [(b"", "utf-8"), (b'{"a": 1}', "utf-8"), ("Gr\u00fc\u00dfe".encode(), "utf-8"), (b"\xff\x00\xfe", "base64")],
)
def test_a_letter_holds_the_whole_record_its_place_and_the_reason(value: bytes, encoding: str) -> None:
    letter = dead_letter(PLACE, record(value), WHY, NOW_MS)
    assert payload_of(letter) == value
    assert (letter.payload_encoding, letter.payload_bytes) == (encoding, len(value))
    assert (letter.topic, letter.partition, letter.offset, letter.key) == ("purchases", 3, 41, "ann")
    assert (letter.reason, letter.detail, letter.dead_at) == ("not_json", WHY.detail, NOW_MS)


def test_a_record_without_key_or_value() -> None:
    letter = dead_letter(PLACE, record(None, key=None), WHY, NOW_MS)
    assert (letter.key, letter.payload, letter.payload_bytes) == (None, "", 0)


def test_a_key_that_is_no_text_is_base64() -> None:
    assert dead_letter(PLACE, record(b"x", key=b"\xff\xfe"), WHY, NOW_MS).key == base64.b64encode(b"\xff\xfe").decode()


@pytest.mark.parametrize("filling", [b"x", b"\xff", "\u00fc".encode()])
def test_a_payload_that_would_not_fit_is_cut_and_says_how_long_it_was(filling: bytes) -> None:
    value = b"-" + filling * (PAYLOAD_LIMIT_BYTES // len(filling))
    letter = dead_letter(PLACE, record(value), WHY, NOW_MS)
    assert payload_of(letter) == value[:PAYLOAD_LIMIT_BYTES]
    assert letter.payload_bytes == len(value)


@pytest.mark.parametrize("filling", [b"\x00", b'"', b"\n", b"x", b"\xff"])
def test_whatever_a_record_holds_its_letter_fits_into_a_record(filling: bytes) -> None:
    """Otherwise one record could stop a partition for good."""
    letter = dead_letter(PLACE, record(filling * (2 * PAYLOAD_LIMIT_BYTES), key=filling * 2000), WHY, NOW_MS)
    producer = FakeProducer({"dead-letters": 1})
    asyncio.run(DeadLetters(Publisher(lambda: producer, retry_budget_s=1.0), "dead-letters").publish([letter], 77))
    assert payload_of(DeadLetter.model_validate_json(producer.values("dead-letters")[0])) == (
        filling * PAYLOAD_LIMIT_BYTES
    )


def test_letters_are_keyed_by_place_so_that_a_second_delivery_is_recognisable() -> None:
    producer = FakeProducer({"dead-letters": 1})
    letters = [dead_letter(PLACE, record(b"x", offset=offset), WHY, NOW_MS) for offset in (41, 42)]
    asyncio.run(DeadLetters(Publisher(lambda: producer, retry_budget_s=1.0), "dead-letters").publish(letters, 77))
    [(_, _, batch)] = producer.sent
    assert [(key, stamp) for key, _, stamp in batch] == [(b"purchases-3-41", 77), (b"purchases-3-42", 77)]
    assert [DeadLetter.model_validate_json(value) for _, value, _ in batch] == letters
