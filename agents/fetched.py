"""What a fetch brought of one partition: Kafka's packed batches, unpacked only when they are handed on.

The thread that fetches passes them on as they came, so that it does not compete with the worker for the interpreter,
and what waits takes little memory. Positions, assignments and errors stay aiokafka's, whose store of fetched data is
replaced by :class:`Unopened`; see :mod:`agents.batch_transport`, and :mod:`launch.load_reader`, which reads as much.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CorruptRecordException

__all__ = ["Fetched", "Part", "Parts", "Record", "Unopened", "leave_packed"]

#: The offset that was asked for, and a packed batch that may begin before it.
Part = tuple[int, Any]


class Record(Protocol):
    """What the agents read of a record. aiokafka's unpacked records have it: nothing is copied out of them."""

    @property
    def offset(self) -> int:
        """Where it lies in its partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch."""
        ...

    @property
    def timestamp_type(self) -> int:
        """Whether the sender (0) or the log (1) said when."""
        ...

    @property
    def key(self) -> bytes | None:
        """The key, as it was sent."""
        ...

    @property
    def value(self) -> bytes | None:
        """The value, as it was sent."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Names and values."""
        ...


class Fetched:
    """Records of one partition in offset order, some of them still packed."""

    def __init__(self, parts: Iterable[Part]) -> None:
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
        while not self._open and self._parts:
            start, packed = self._parts.popleft()
            self._open = list(packed)
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


def leave_packed(consumer: Any, *, check_crcs: bool) -> None:
    """Let an aiokafka consumer that was started, and asked for nothing yet, yield :data:`Part` instead of records."""
    fetcher = consumer._fetcher  # noqa: SLF001 - aiokafka has no public door to packed batches
    unopened = Unopened(check_crcs=check_crcs)
    for tp, found in fetcher._records.items():  # noqa: SLF001 - as above
        unopened[tp] = found
    fetcher._records = unopened  # noqa: SLF001 - as above
