"""The verifying consumer of a load test, in a process of its own, so that it neither slows the sender nor waits for it.

It belongs to no group and commits nothing. Counts come back over a pipe ten times a second, the checks at the end.
Read next: :mod:`trendloom.verify.load_check` for what is checked, :mod:`launch.load_run` for who asks.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Self

from agents.fetched import Fetched, leave_packed
from config.settings import KafkaSettings
from launch.compose import aiokafka_options
from trendloom.errors import BrokerUnavailable
from trendloom.verify.load_check import LoadCheck

__all__ = ["LoadReader", "Progress"]

_SAMPLE_EVERY_S = 0.1
_POLL_MS = 20
_READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What had come back at a moment (ms since the epoch): purchases with a list, set aside, covered by later lists."""

    at_ms: float
    listed: int
    refused: int
    covered: int = 0

    @property
    def settled(self) -> int:
        """Purchases that nothing more is awaited for."""
        return self.listed + self.refused + self.covered


class LoadReader:
    """Reads the lists' and the dead letters' topics in another process; a context manager.

    ``make_check`` makes the checks, in that process. ``from_beginning`` is for topics that are
    empty before the run; otherwise only what comes from now on is read. Raises :class:`BrokerUnavailable` if the topics
    cannot be read.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        recommendations: str,
        dead_letters: str,
        *,
        make_check: Callable[[], LoadCheck],
        from_beginning: bool,
    ) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawning.Pipe()
        self._process = spawning.Process(
            target=_read_in_process,
            args=(theirs, kafka, recommendations, dead_letters, make_check, from_beginning),
            name="load-reader",
            daemon=True,
        )
        self._process.start()
        theirs.close()
        #: What has come back so far, oldest first.
        self.progress: list[Progress] = []
        self._check: LoadCheck | None = None
        #: CPU seconds that the process has used; known at the end.
        self.cpu_s = 0.0
        try:
            self._take(self._receive() if self._pipe.poll(_READY_S) else f"no answer for {_READY_S:g} s")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return itself; reading ends with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop reading."""
        self.close()

    def look(self) -> Progress:
        """Take in what the process has told since the last look, and return the latest."""
        while self._pipe.poll():
            self._take(self._receive())
        return self.progress[-1]

    def finish(self) -> LoadCheck:
        """Stop reading and return the checks."""
        self._pipe.send("finish")
        while self._check is None:
            self._take(self._receive())
        return self._check

    def close(self) -> None:
        """End the process; may be called twice."""
        self._pipe.close()
        self._process.join(2.0)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def _receive(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            raise BrokerUnavailable(
                "The process that reads the lists has ended by itself. Action: see what it said above."
            ) from None

    def _take(self, told: Any) -> None:
        if isinstance(told, Progress):
            self.progress.append(told)
        elif isinstance(told, tuple):
            self._check, self.cpu_s = told
        else:
            raise BrokerUnavailable(f"The lists cannot be read: {told}. Action: see that the broker runs.")


def _read_in_process(
    pipe: Connection,
    kafka: KafkaSettings,
    recommendations: str,
    dead_letters: str,
    make_check: Callable[[], LoadCheck],
    from_beginning: bool,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then asks for the checks
    with suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
        asyncio.run(_read(pipe, kafka, recommendations, dead_letters, make_check(), from_beginning))


async def _read(
    pipe: Connection,
    kafka: KafkaSettings,
    recommendations: str,
    dead_letters: str,
    check: LoadCheck,
    from_beginning: bool,
) -> None:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.errors import KafkaError

    consumer = AIOKafkaConsumer(
        recommendations,
        dead_letters,
        **aiokafka_options(kafka),
        group_id=None,
        enable_auto_commit=False,
        # not by a seek: aiokafka lets the answer of a reset that is under way overrule it
        auto_offset_reset="earliest" if from_beginning else "latest",
        check_crcs=False,
        fetch_max_wait_ms=_POLL_MS,
        fetch_max_bytes=64 << 20,
        max_partition_fetch_bytes=8 << 20,
    )
    try:
        await consumer.start()
        leave_packed(consumer, check_crcs=False)
        places = sorted(consumer.assignment())  # without a group: every partition of both
        if {place.topic for place in places} != {recommendations, dead_letters}:
            pipe.send(f"there are no topics {recommendations!r} and {dead_letters!r}")
            return
        for place in places:
            await consumer.position(place)  # settled before the first purchase is sent
        pipe.send(Progress(time.time() * 1000.0, 0, 0))
        await _read_until_asked(consumer, pipe, check, dead_letters)
    except KafkaError as error:
        pipe.send(f"{type(error).__name__}: {error}")
    finally:
        await consumer.stop()


async def _read_until_asked(consumer: Any, pipe: Connection, check: LoadCheck, dead_letters: str) -> None:
    began_s = time.process_time()
    told_s = 0.0
    while True:
        fetched = await consumer.getmany(timeout_ms=_POLL_MS)
        received_ms = time.time() * 1000.0
        for place, parts in fetched.items():
            records = Fetched(parts).take(sys.maxsize)
            values = [record.value for record in records if record.value is not None]
            if place.topic == dead_letters:
                for value in values:
                    check.take_dead_letter(value)
            else:
                check.take(values, received_ms)
        now_s = time.monotonic()
        if now_s - told_s >= _SAMPLE_EVERY_S:
            told_s = now_s
            pipe.send(Progress(received_ms, check.listed, check.refused, check.covered))
            if pipe.poll():
                if pipe.recv() == "finish":
                    pipe.send((check, time.process_time() - began_s))
                return
