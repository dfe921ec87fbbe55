"""A foreign consumer: keep the list with the greatest version of each customer, and you are always right.

python examples/e03_follow_lists.py HOST:PORT
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition


def follow(bootstrap: str, topic: str = "recommendations", *, from_beginning: bool = False) -> Iterator[dict[str, Any]]:
    """Yield each list that is newer than what is held of its customer: lists may be published twice, never older."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(partitions)
    if from_beginning:
        consumer.seek_to_beginning()
    newest: dict[str, tuple[int, int]] = {}
    try:
        for record in consumer:
            found = json.loads(record.value)
            version = (found["version"]["epoch"], found["version"]["number"])
            if version > newest.get(found["customer_id"], (-1, -1)):
                newest[found["customer_id"]] = version
                yield found
    finally:
        consumer.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: e03_follow_lists.py HOST:PORT")
    for found in follow(sys.argv[1]):
        shown = ", ".join(entry["item_id"] for entry in found["entries"][:3])
        print(f"{found['customer_id']} #{found['version']['number']}: {shown}, ...")
