import uuid

import orjson
import pytest

from producers.sender import KafkaSender, RecordingSender
from trendloom.errors import BrokerUnavailable
from trendloom.events import Purchase, decode_purchase

PURCHASE = Purchase(
    schema_version=1,
    event_id=uuid.UUID("7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10"),
    customer_id="kundin-ö",
    item_id="i1",
    occurred_at=1_600_000_000_000,
    price=0.03388,
    source="synthetic",
)


def test_a_record_is_keyed_by_customer_in_utf8_and_decodes_to_the_purchase() -> None:
    sender = RecordingSender()
    sender.send(PURCHASE, sent_at_ms=1_600_000_000_123)
    record = sender.records[0]
    assert record.key == b"kundin-\xc3\xb6"
    assert decode_purchase(record.value, now_ms=1_600_000_000_000) == PURCHASE
    assert orjson.loads(record.value)["schema_version"] == 1
    assert record.sent_at_ms == 1_600_000_000_123


def test_acknowledgements_come_late_and_a_flush_waits_for_them() -> None:
    sender = RecordingSender(delay=2, fail_after=5)
    for _ in range(5):
        sender.send(PURCHASE, sent_at_ms=0)
    assert (sender.sent, sender.acknowledged) == (5, 3)
    with pytest.raises(BrokerUnavailable):
        sender.send(PURCHASE, sent_at_ms=0)
    sender.flush()
    assert (sender.sent, sender.acknowledged, sender.failed) == (5, 5, 1)


def test_a_broker_that_does_not_answer_is_named_with_what_to_do() -> None:
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 .*Action: start it, or correct --kafka"):
        KafkaSender({"bootstrap_servers": ["127.0.0.1:1"]}, give_up_after_s=0.2)
