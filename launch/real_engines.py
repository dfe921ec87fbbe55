"""Real engines as plain processes, without an installation: Apache Kafka from its jars, Redis, and a Redis Cluster.

For tests and benchmarks, and for people who want to see the demo on the real ones; the data lives in the run's
temporary directory. ``make kafka`` fetches the jars. Read next: :mod:`launch.embedded`.
"""

from __future__ import annotations

import base64
import shutil
import uuid
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import redis

from launch.embedded import Engine, redis_arguments, start_valkey, valkey_binary
from launch.processes import Processes, ProgramFailed
from launch.readiness import answers_kafka, answers_redis, free_port, wait_until
from trendloom.errors import BrokerUnavailable, InputError, StoreUnavailable

__all__ = ["apache_kafka_jars", "start_apache_kafka", "start_redis_cluster", "start_redis_server"]

_ATTEMPTS = 3
_KAFKA_READY_S = 60.0
_CLUSTER_READY_S = 30.0
_SLOTS = 16384
_JAVA = ("-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4", "-Djava.net.preferIPv4Stack=true")


def apache_kafka_jars(directory: Path = Path("var/kafka")) -> Path | None:
    """Return the directory if it holds Apache Kafka's jars and ``java`` is on PATH, else ``None``."""
    found = shutil.which("java") is not None and any(directory.glob("kafka_2.13-*.jar"))
    return directory.resolve() if found else None


def start_apache_kafka(processes: Processes, jars: Path, *, settings: dict[str, str] | None = None) -> Engine:
    """Start one Apache Kafka node (KRaft, broker and controller in one) and return it once it answers.

    ``jars`` is what :func:`apache_kafka_jars` returned; ``settings`` are further lines of ``server.properties``.
    Raises :class:`BrokerUnavailable` if it does not start within a minute.
    """
    said = ""
    for attempt in range(1, _ATTEMPTS + 1):
        address, controller = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        home = processes.directory / f"kafka-{attempt}"
        home.mkdir()
        properties = home / "server.properties"
        properties.write_text(_server_properties(address, controller, home, settings or {}), encoding="utf-8")
        java = ["java", *_JAVA, "-cp", f"{jars}/*"]
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        formatting = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id, "-c", str(properties)]
        try:
            processes.start(f"kafka-format-{attempt}", [*java, *formatting]).wait(_KAFKA_READY_S)
            process = processes.start(f"kafka-{attempt}", [*java, "kafka.Kafka", str(properties)])
            wait_until(partial(answers_kafka, address, cluster_id), process, _KAFKA_READY_S)
        except ProgramFailed as error:
            said = str(error)
        else:
            return Engine(address, process)
    raise BrokerUnavailable(
        f"Apache Kafka does not start: {said} Action: run `make kafka` again, check `java -version`."
    )


def start_redis_server(processes: Processes, *extra: str) -> Engine:
    """Start the system's ``redis-server`` and return it once it answers.

    Raises :class:`InputError` if there is none on PATH, :class:`StoreUnavailable` if it does not start.
    """
    binary = shutil.which("redis-server")
    if binary is None:
        raise InputError("There is no redis-server on PATH. Action: install it (Debian: apt-get install redis-server).")
    return start_valkey(processes, *extra, binary=binary)


def start_redis_cluster(processes: Processes, nodes: int = 6, *, binary: str | None = None) -> list[Engine]:
    """Start a Redis Cluster: the first half of the ``nodes`` hold the slots, the others are their replicas.

    Returns the nodes, owners of slots first, once every one of them reports the cluster as whole. ``binary`` defaults
    to the packaged Valkey. Raises :class:`StoreUnavailable` if they do not find together within 30 s.
    """
    if nodes < 2 or nodes % 2:
        raise InputError(f"A cluster of {nodes} nodes cannot be halved. Action: ask for 2, 4, 6 ...")
    members = [_cluster_node(processes, binary or valkey_binary()) for _ in range(nodes)]
    clients = [redis.Redis.from_url(member.address) for member in members]
    try:
        _join(clients, [_port(member) for member in members])
        owners = nodes // 2
        bounds = [round(_SLOTS * part / owners) for part in range(owners + 1)]
        for client, (first, end) in zip(clients, pairwise(bounds), strict=False):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        names = [str(client.execute_command("CLUSTER", "MYID"), "ascii") for client in clients]
        wait_until(partial(_all_know, clients, names), members[0].process, _CLUSTER_READY_S)
        for position in range(owners, nodes):
            clients[position].execute_command("CLUSTER", "REPLICATE", names[position - owners])
        wait_until(partial(_is_whole, clients, nodes - owners), members[0].process, _CLUSTER_READY_S)
    except (ProgramFailed, redis.RedisError) as error:
        raise StoreUnavailable(f"The Redis Cluster does not start: {error}. Action: see above.") from error
    finally:
        for client in clients:
            client.close()
    return members


def _cluster_node(processes: Processes, binary: str) -> Engine:
    said = ""
    for _ in range(_ATTEMPTS):
        # the cluster bus takes a second port; asking for it by name keeps both below 65536
        port, bus = free_port(), free_port()
        data = processes.directory / f"redis-cluster-{port}"
        data.mkdir(exist_ok=True)
        cluster = ["--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000"]
        cluster += ["--repl-diskless-sync-delay", "0"]
        try:
            process = processes.start(data.name, [binary, *redis_arguments(port, data), *cluster])
            wait_until(partial(answers_redis, port, process.pid), process, _CLUSTER_READY_S)
        except ProgramFailed as error:
            said = str(error)
        else:
            return Engine(f"redis://127.0.0.1:{port}", process)
    raise StoreUnavailable(f"A node of the Redis Cluster does not start: {said} Action: see above.")


def _join(clients: Sequence[Any], ports: list[int]) -> None:
    for port, client in zip(ports, clients, strict=True):
        bus = client.config_get("cluster-port")["cluster-port"]
        clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)


def _all_know(clients: Sequence[Any], names: list[str]) -> bool:
    tables = [str(client.execute_command("CLUSTER", "NODES")) for client in clients]
    return all(name in table and "handshake" not in table for table in tables for name in names)


def _is_whole(clients: Sequence[Any], replicas: int) -> bool:
    for client in clients:
        if "cluster_state:ok" not in str(client.execute_command("CLUSTER", "INFO")):
            return False
        if str(client.execute_command("CLUSTER", "NODES")).count("slave") < replicas:
            return False
    links = [client.info("replication").get("master_link_status") for client in clients]
    return links.count("up") == replicas


def _port(engine: Engine) -> int:
    return int(engine.address.rpartition(":")[2].partition("/")[0])


def _server_properties(address: str, controller: str, home: Path, settings: dict[str, str]) -> str:
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": controller,
        "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(home / "log"),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "auto.create.topics.enable": "false",
        **settings,
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())
