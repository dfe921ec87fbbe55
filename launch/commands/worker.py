"""``trendloom worker``: take purchases from Kafka, keep the state in Redis, publish refreshed lists."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Annotated

import typer

from launch.options import (
    CatalogueDirectory,
    ConfigFile,
    DebounceMs,
    KafkaAddress,
    PresetName,
    RedisAddress,
    read_settings,
)

__all__ = ["worker"]


def worker(
    kafka: KafkaAddress = None,
    redis: RedisAddress = None,
    catalogue: CatalogueDirectory = None,
    preset: PresetName = None,
    config: ConfigFile = None,
    group: Annotated[str | None, typer.Option(help="Consumer group (setting kafka.group).")] = None,
    instance_id: Annotated[
        str | None, typer.Option(help="Name kept over restarts: static membership (setting kafka.instance_id).")
    ] = None,
    session_timeout_s: Annotated[
        float | None, typer.Option(help="Seconds of silence after which another worker takes over.")
    ] = None,
    max_batch: Annotated[int | None, typer.Option(help="Most purchases in one step (setting kafka.max_batch).")] = None,
    top_k: Annotated[int | None, typer.Option(help="Items in a list (setting lists.top_k).")] = None,
    unknown_items: Annotated[
        str | None, typer.Option(help="dead_letter or count: what becomes of items the catalogue does not know.")
    ] = None,
    debounce_ms: DebounceMs = None,
    health_port: Annotated[
        int | None, typer.Option(help="Loopback port of GET /health; 0 is none (setting worker.health_port).")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="So many worker processes on this machine; health ports count upwards."),
    ] = None,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Take purchases from Kafka, keep the state in Redis, publish a refreshed list for each; SIGTERM drains."""
    settings = read_settings(
        config,
        {
            "kafka.bootstrap": kafka,
            "redis.url": redis,
            "catalogue.directory": catalogue,
            "lists.preset": preset,
            "kafka.group": group,
            "kafka.instance_id": instance_id,
            "kafka.session_timeout_s": session_timeout_s,
            "kafka.max_batch": max_batch,
            "lists.top_k": top_k,
            "lists.unknown_items": unknown_items,
            "lists.debounce_ms": debounce_ms,
            "worker.health_port": health_port,
        },
    )
    if processes is not None:
        from launch.worker_group import members_of, run_group

        members = members_of(settings, processes, log_level=log_level)
        raise typer.Exit(run_group(members, drain_timeout_s=settings.worker.drain_timeout_s, out=sys.stderr))
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("kafka",):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
    os.environ.setdefault("FAUST_LOOP", "aio")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing of ours is worth threads that spin while they wait
    from launch.worker import serve  # Faust is imported only here, so that --help is quick

    asyncio.run(serve(settings))
