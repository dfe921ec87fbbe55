"""What a fetch brought of one partition: Kafka's packed batches, unpacked only when they are handed on.

The thread that fetches passes them on as they came, so that it does not compete with the worker for the interpreter,
and what waits takes little memory. Positions, assignments and errors stay aiokafka's, whose store of fetched data is
replaced by :class:`Unopened`; see :mod:`agents.batch_transport`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import Any

from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CorruptRecordException
from faust.types import TP

__all__ = ["Fetched", "Part", "Parts", "Record", "Unopened"]

#: The offset that was asked for, and a packed batch that may begin before it.
Part = tuple[int, Any]


class Record:
    """One record, with what the agents read of it; the names are those of aiokafka's ``ConsumerRecord``."""

    __slots__ = ("headers", "key", "offset", "partition", "timestamp", "timestamp_type", "topic", "value")

    topic: str
    partition: int
    offset: int
    #: Milliseconds since the epoch.
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]

    def __init__(self, topic: str, partition: int, packed: Any) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = packed.offset
        self.timestamp = packed.timestamp
        self.timestamp_type = packed.timestamp_type
        self.key = packed.key
        self.value = packed.value
        self.headers = packed.headers

    def __repr__(self) -> str:
        return f"Record({self.topic}-{self.partition}@{self.offset})"


class Fetched:
    """Records of one partition in offset order, some of them still packed."""

    def __init__(self, tp: TP, parts: Iterable[Part]) -> None:
        self._tp = tp
        self._parts = deque(parts)
        self._open: list[Record] = []

    @property
    def size(self) -> int:
        """How many records there are, or a few more where the log has gaps."""
        return len(self._open) + sum(int(packed.next_offset) - start for start, packed in self._parts)

    def add(self, parts: Iterable[Part]) -> None:
        """Add what the next fetch brought."""
        self._parts.extend(parts)

    def first(self) -> Record | None:
        """Return the first record that was not taken; None if none is left."""
        self._unpack()
        return self._open[0] if self._open else None

    def take(self, most: int) -> list[Record]:
        """Return the next records, at most so many of them; empty once all were taken."""
        taken: list[Record] = []
        while len(taken) < most:
            self._unpack()
            if not self._open:
                break
            room = most - len(taken)
            taken += self._open[:room]
            self._open = self._open[room:]
        return taken

    def _unpack(self) -> None:
        """See to it that a record lies open, if there is any."""
        topic, partition = self._tp
        while not self._open and self._parts:
            start, packed = self._parts.popleft()
            self._open = [Record(topic, partition, record) for record in packed]
            if self._open and self._open[0].offset < start:  # a compressed batch comes whole
                self._open = [record for record in self._open if record.offset >= start]


class Parts:
    """Stands where aiokafka keeps the records of a fetch, and yields packed batches instead of records.

    ``next_fetch_offset`` is the offset behind what was yielded: aiokafka compares it with its position.
    """

    def __init__(self, tp: Any, packed: Any, first_offset: int, *, check_crcs: bool) -> None:
        self.next_fetch_offset = first_offset
        self._parts = self._walk(tp, packed, check_crcs)

    def __iter__(self) -> Iterator[Part]:
        return self._parts

    def _walk(self, tp: Any, packed: Any, check_crcs: bool) -> Iterator[Part]:  # noqa: FBT001 - private
        while packed.has_next():
            batch = packed.next_batch()
            if check_crcs and not batch.validate_crc():
                msg = f"{tp.topic}-{tp.partition}: the checksum of a batch after {self.next_fetch_offset} is wrong"
                raise CorruptRecordException(msg)
            start = self.next_fetch_offset
            self.next_fetch_offset = max(start, batch.next_offset)
            if not batch.is_control_batch:  # a transaction's marker, which is nobody's record
                yield start, batch


class Unopened(OrderedDict[Any, Any]):
    """aiokafka's store of fetched data by partition, in which results stay packed."""

    def __init__(self, *, check_crcs: bool) -> None:
        super().__init__()
        self._check_crcs = check_crcs

    def __setitem__(self, tp: Any, found: Any) -> None:
        if isinstance(found, FetchResult):
            records = found._partition_records  # noqa: SLF001 - aiokafka has no public door to packed batches
            found._partition_records = Parts(  # noqa: SLF001 - as above
                tp,
                records._records,  # noqa: SLF001 - as above
                records.next_fetch_offset,
                check_crcs=self._check_crcs,
            )
        super().__setitem__(tp, found)
