"""A foreign producer: purchases are plain JSON, keyed by customer; nothing of Trendloom is imported.

python examples/e02_send_purchases.py HOST:PORT ann ITEM [ITEM ...]
"""

from __future__ import annotations

import json
import sys
import time
import uuid

from kafka import KafkaProducer


def send(bootstrap: str, customer: str, items: list[str], topic: str = "purchases") -> list[str]:
    """Send one purchase of each item, acknowledged by the broker; return the event ids."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    events = []
    for item in items:
        now_ms = time.time_ns() // 1_000_000
        purchase = {
            "schema_version": 1,
            "event_id": str(uuid.uuid4()),  # sent again with the same id it counts once
            "customer_id": customer,
            "item_id": item,
            "occurred_at": now_ms,
        }
        # the key keeps a customer's purchases in order; the header lets freshness be measured
        producer.send(
            topic,
            key=customer.encode(),
            value=json.dumps(purchase).encode(),
            headers=[("sent_at", str(now_ms).encode())],
        )
        events.append(str(purchase["event_id"]))
    producer.flush()
    producer.close()
    return events


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("usage: e02_send_purchases.py HOST:PORT CUSTOMER ITEM [ITEM ...]")
    for event in send(sys.argv[1], sys.argv[2], sys.argv[3:]):
        print(event)
