"""Purchases of one partition that wait for their batch, as aiokafka's builder takes them: one after the other.

This is the reference, and what runs without numba or with compression; ``producers/packed_load.py`` packs whole
batches. Read next: ``producers/load.py``.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from producers.load_records import Drawn, LoadRecord, LoadRecords

__all__ = ["AppendedLoad", "LoadBatches"]


class LoadBatches(Protocol):
    """Takes drawn purchases of one partition, and gives them back as batches."""

    def add(self, drawn: Drawn) -> None:
        """Let purchases wait, behind those that do."""
        ...

    def __bool__(self) -> bool:
        """Return whether a purchase waits."""
        ...

    def take(self, producer: Any) -> tuple[Any, int]:
        """Return the next purchases as a closed batch of an aiokafka producer, and how many they are."""
        ...


class AppendedLoad:
    """Appends record after record, whatever the producer compresses them with."""

    def __init__(self, records: LoadRecords) -> None:
        self._records = records
        self._waiting: deque[LoadRecord] = deque()

    def add(self, drawn: Drawn) -> None:
        """Let purchases wait, behind those that do."""
        self._waiting.extend(self._records.encode(drawn))

    def __bool__(self) -> bool:
        """Return whether a purchase waits."""
        return bool(self._waiting)

    def take(self, producer: Any) -> tuple[Any, int]:
        """Return the next purchases as a closed batch, and how many they are."""
        batch, waiting, count = producer.create_batch(), self._waiting, 0
        append = batch.append
        while waiting:
            key, value, ms, headers = waiting[0]
            if append(timestamp=ms, key=key, value=value, headers=headers) is None:
                break
            waiting.popleft()
            count += 1
        batch.close()
        return batch, count
