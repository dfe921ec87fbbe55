"""Sends a load test's purchases: open loop, whole batches to each partition, bounded memory.

The schedule never waits for acknowledgements. What cannot be handed over because too much is in flight is handed over
later with the times that were intended, and counted as held back.
Read next: ``producers/load_records.py`` for what is sent, ``producers/load_batches.py`` for how it becomes batches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from producers.load_batches import AppendedLoad, LoadBatches
from producers.load_records import LoadRecords
from producers.load_schedule import LoadStep
from trendloom.errors import BrokerUnavailable
from trendloom.verify.freshness import DurationHistogram

__all__ = ["LoadSender", "StepSending"]

#: Bytes of a producer batch; about 800 purchases.
BATCH_BYTES = 262_144
#: Purchases made before the loop looks at the clock and at the network again.
_CHUNK = 2_000
#: A broker that has just started, or a topic that has just been made, may need so long to answer.
_BROKER_ANSWERS_S = 5.0
#: Shortest wait for the next purchase: what falls due within it travels together.
_TICK_S = 0.002
#: From so many purchases a second on it is longer, as Kafka's own producers linger: a batch of a few records costs the
#: broker, and whoever sends it, nearly what one of a hundred does.
_BUSY_TICKS_S = ((5_000.0, 0.005), (20_000.0, 0.010))


@dataclass(slots=True)
class StepSending:
    """How the sending of a step went; times are ms since the epoch."""

    start_ms: float
    end_ms: float = 0.0
    handed_over: int = 0
    #: Times that the loop had purchases to hand over and too many were in flight.
    held_back: int = 0
    #: How much later than intended purchases were handed over to the client (one value a chunk, its first).
    lateness: DurationHistogram = field(default_factory=DurationHistogram)


class LoadSender:
    """Sends to one topic through aiokafka's batch interface; an asynchronous context manager.

    ``options`` are keyword arguments for aiokafka (addresses, login, TLS); ``make_records`` makes the records once the
    number of partitions is known. At most ``max_in_flight`` purchases wait for their acknowledgement, which takes about
    600 bytes each. Raises :class:`BrokerUnavailable` where the broker does not answer, lacks the topic, or refuses a
    batch. A broker that cannot number producers is sent to without ``idempotent``. ``packed`` batches are written by a
    compiled kernel, which needs numba and knows no ``compression``.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        topic: str,
        make_records: Callable[[int], LoadRecords],
        *,
        max_in_flight: int = 200_000,
        compression: str | None = None,
        idempotent: bool = True,
        packed: bool = False,
        clock_ms: Callable[[], float] = lambda: time.time() * 1000.0,
    ) -> None:
        self._options, self._topic, self._make_records = dict(options), topic, make_records
        self._where = ",".join(options["bootstrap_servers"])
        self._max_in_flight, self._compression, self._clock_ms = max_in_flight, compression, clock_ms
        #: Whether the broker recognises a batch that is sent again; without it order may change where it falters.
        self.idempotent = idempotent
        self._packed = packed and compression is None
        self._waiting: list[LoadBatches] = []
        self._filled: list[asyncio.Event] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._fault: BaseException | None = None
        #: Purchases handed over to the client, and those that the broker has acknowledged.
        self.handed_over = 0
        self.acknowledged = 0
        #: Partitions of the topic; known once connected.
        self.partitions = 0

    async def __aenter__(self) -> Self:
        """Connect, and learn how many partitions the topic has."""
        partitions = await self._connect()
        self.partitions = len(partitions)
        self.records = self._make_records(self.partitions)
        self._waiting = self._new_batches(len(partitions))
        self._filled = [asyncio.Event() for _ in partitions]
        self._tasks = [asyncio.create_task(self._serve(number)) for number in range(len(partitions))]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the connection; what was not acknowledged is given up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        stopping = asyncio.ensure_future(self._producer.stop())
        await asyncio.wait([stopping], timeout=5.0)

    async def drain(self, first: int, count: int, stopped: Callable[[], bool] = lambda: False) -> StepSending:
        """Send ``count`` purchases, numbered from ``first`` on, as fast as they are taken; wait for all of them."""
        sending = StepSending(self._clock_ms())
        while sending.handed_over < count and not stopped():
            self.raise_if_failed()
            some = min(count - sending.handed_over, _CHUNK, self._max_in_flight - self._in_flight)
            if some <= 0:
                await asyncio.sleep(_TICK_S)
                continue
            now_ms = np.full(some, int(self._clock_ms()), np.int64)
            self._hand_over(first + sending.handed_over, now_ms)
            sending.handed_over += some
            await asyncio.sleep(0)
        await self.flush()
        sending.end_ms = self._clock_ms()
        return sending

    async def run_step(self, step: LoadStep, sending: StepSending, stopped: Callable[[], bool]) -> None:
        """Send a step's purchases when they are due from ``sending.start_ms`` on; count in ``sending`` as it goes.

        Returns when the last was handed over (not acknowledged), or soon after ``stopped()``.
        """
        tick_s = max([_TICK_S, *(tick_s for per_s, tick_s in _BUSY_TICKS_S if step.rate_per_s >= per_s)])
        while sending.handed_over < step.count and not stopped():
            self.raise_if_failed()
            now_ms = self._clock_ms()
            due = step.due(now_ms - sending.start_ms) - sending.handed_over
            if due <= 0:
                next_ms = sending.start_ms + sending.handed_over * 1000.0 / step.rate_per_s
                await asyncio.sleep(min(max((next_ms - now_ms) / 1000.0, tick_s), 0.25))
                continue
            some = min(due, _CHUNK, self._max_in_flight - self._in_flight)
            if some <= 0:
                sending.held_back += 1
                await asyncio.sleep(_TICK_S)
                continue
            done = sending.handed_over
            intended_ms = step.intended_ms(sending.start_ms, done, done + some)
            sending.lateness.add(now_ms - float(intended_ms[0]))
            self._hand_over(step.first + done, intended_ms)
            sending.handed_over += some
            await asyncio.sleep(0 if some < due else tick_s)
        sending.end_ms = self._clock_ms()

    async def flush(self) -> None:
        """Wait until everything handed over is acknowledged."""
        while self._in_flight:
            self.raise_if_failed()
            await asyncio.sleep(_TICK_S)
        self.raise_if_failed()

    def raise_if_failed(self) -> None:
        """Raise what ended the sending, if something did."""
        if self._fault is not None:
            raise BrokerUnavailable(
                f"Kafka at {self._where} did not take a batch ({type(self._fault).__name__}: {self._fault}); "
                f"{self.acknowledged} of {self.handed_over} purchases are safe. Action: see that the broker runs."
            ) from self._fault

    @property
    def _in_flight(self) -> int:
        return self.handed_over - self.acknowledged

    async def _connect(self) -> list[int]:
        """Start the producer and return the topic's partitions; a broker that has just started is asked again."""
        from aiokafka import AIOKafkaProducer
        from aiokafka.errors import KafkaError, UnknownError

        deadline_s = time.monotonic() + _BROKER_ANSWERS_S
        while True:
            self._producer = AIOKafkaProducer(
                **self._options,
                acks="all",
                enable_idempotence=self.idempotent,
                compression_type=self._compression,
                max_batch_size=BATCH_BYTES,
                max_request_size=32 << 20,
                linger_ms=0,
            )
            try:
                await self._producer.start()
                return sorted(await self._producer.partitions_for(self._topic))
            except UnknownError:
                await self._producer.stop()
                if not self.idempotent:
                    raise
                self.idempotent = False  # a broker that numbers no producers (the embedded one)
            except KafkaError as error:
                await self._producer.stop()
                if time.monotonic() > deadline_s:
                    raise BrokerUnavailable(
                        f"Kafka at {self._where} does not answer, or has no topic {self._topic!r} ({error}). "
                        f"Action: start it, or trendloom topics create --kafka {self._where}."
                    ) from error
            await asyncio.sleep(0.25)

    def _new_batches(self, partitions: int) -> list[LoadBatches]:
        if not self._packed:
            return [AppendedLoad(self.records) for _ in range(partitions)]
        from producers.packed_load import LoadPacker, PackedLoad

        packer = LoadPacker(self.records, BATCH_BYTES)
        return [PackedLoad(packer) for _ in range(partitions)]

    def _hand_over(self, first: int, intended_ms: Any) -> None:
        for number, drawn in enumerate(self.records.draw(first, intended_ms)):
            if drawn.numbers.size:
                self._waiting[number].add(drawn)
                self._filled[number].set()
        self.handed_over += len(intended_ms)

    async def _serve(self, partition: int) -> None:
        """Send what waits for a partition, batch after batch; while one is on its way the next one grows."""
        waiting, filled, producer = self._waiting[partition], self._filled[partition], self._producer
        try:
            while True:
                await filled.wait()
                batch, count = waiting.take(producer)
                if not waiting:
                    filled.clear()
                await (await producer.send_batch(batch, self._topic, partition=partition))
                self.acknowledged += count
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - kept whole, and raised from the next send or flush
            self._fault = error
