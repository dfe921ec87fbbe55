"""A worker put together from settings, and run: the composition root of the stream path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from agents.app import Names, WorkerRules, build_app
from agents.runner import run_worker
from config.settings import Settings
from launch.assembly import (
    can_compile,
    catalogue_path,
    open_catalogue,
    open_refresher,
    open_store,
    ranker_path,
    state_rules,
    topic_names,
)
from launch.availability_watch import AvailabilityWatch
from launch.catalogue_watch import CatalogueWatch
from launch.compose import kafka_ssl_context
from launch.topic_identity import check_topic
from trendloom.refresh import Refresher

__all__ = ["serve", "worker_rules"]

log = logging.getLogger(__name__)


def worker_rules(settings: Settings) -> WorkerRules:
    """Return how the worker reads and writes Kafka, as plain values."""
    kafka = settings.kafka
    return WorkerRules(
        bootstrap=kafka.bootstrap,
        group=kafka.group,
        instance_id=kafka.instance_id,
        session_timeout_s=kafka.session_timeout_s,
        fetch_max_wait_ms=kafka.fetch_max_wait_ms,
        max_batch=kafka.max_batch,
        commit_interval_s=kafka.commit_interval_s,
        compression=None if kafka.compression == "none" else kafka.compression,
        retry_budget_s=settings.worker.retry_budget_s,
        trends_interval_s=settings.worker.trends_interval_s,
        health_port=settings.worker.health_port,
        unknown_items=settings.lists.unknown_items,
        debounce_ms=settings.lists.debounce_ms,
        ssl_context=kafka_ssl_context(kafka),
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_username=kafka.sasl_username,
        sasl_password=kafka.sasl_password.get_secret_value(),
    )


async def serve(settings: Settings) -> None:
    """Run a worker until a signal or a fault."""
    catalogue = open_catalogue(settings)
    store = open_store(settings)
    try:
        if not can_compile():
            log.warning("Lists are made by numpy, slowly. Action: pip install 'trendloom[fast]'")
        refresher = await open_refresher(settings, store, catalogue, compiled=can_compile())
        purchases, recommendations, dead_letters, trends = topic_names(settings)
        await check_topic(settings, store, purchases)
        worker = build_app(
            worker_rules(settings),
            refresher,
            names=Names(purchases, recommendations, dead_letters, trends),
            state_rules=state_rules(settings),
        )
        every_s = settings.catalogue.look_every_s
        watch = CatalogueWatch(catalogue_path(settings), catalogue.fingerprint, refresher.take, every_s=every_s)
        del catalogue  # a new version takes its place, and then nobody holds it
        beside = [watch.run()] if every_s else []
        if settings.lists.availability_file:
            available = AvailabilityWatch(
                Path(settings.lists.availability_file),
                refresher.allow,
                every_s=settings.lists.availability_look_every_s,
            )
            beside.append(available.run())
        ranker = _watched_ranker(settings, refresher)
        if ranker is not None:
            beside.append(ranker)
        await _together(run_worker(worker, drain_timeout_s=settings.worker.drain_timeout_s), *beside)
    finally:
        await store.close()


def _watched_ranker(settings: Settings, refresher: Refresher) -> Coroutine[Any, Any, None] | None:
    """Return the watch of the ranker file, where lists come from one and it is to be watched."""
    path, every_s = ranker_path(settings), settings.catalogue.look_every_s
    if path is None or not every_s:
        return None
    from launch.ranker_watch import RankerWatch  # needs numba

    return RankerWatch(path, refresher.take_forest, every_s=every_s, with_season=bool(settings.lists.season_file)).run()


async def _together(work: Coroutine[Any, Any, None], *beside: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end; a fault in what runs ``beside`` it ends all, and is raised."""
    tasks = [asyncio.create_task(one) for one in (work, *beside)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()  # nothing for one that has ended
        await asyncio.wait(tasks)
    for task in tasks[::-1]:
        if not task.cancelled():
            task.result()
