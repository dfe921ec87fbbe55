"""The composition root's parts: settings in, open stores and built workers out. Imported by commands only.

Read next: :mod:`launch.commands.worker` for the shortest use.
"""

from __future__ import annotations

import importlib.util
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from config.settings import Settings
from config.stores import store_positions
from launch.compose import redis_options, topic_table
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.collaborative.model_file import load_model
from trendloom.errors import MissingExtra, SettingsError
from trendloom.refresh import LearnedRules, ListRules, Refresher
from trendloom.refresh.availability import read_availability
from trendloom.refresh.season_file import read_season
from trendloom.relevance.arrangement import Arrangement
from trendloom.relevance.presets import PRESETS
from trendloom.state.on_redis import RedisStore, connect
from trendloom.state.rules import StateRules

__all__ = [
    "can_compile",
    "catalogue_path",
    "clock_ms",
    "list_rules",
    "open_catalogue",
    "open_refresher",
    "open_store",
    "ranker_path",
    "seed_initial_popularity",
    "state_rules",
    "topic_names",
]


def can_compile() -> bool:
    """Return whether numba is installed (the extra ``fast``): lists are then made some ten times faster."""
    return importlib.util.find_spec("numba") is not None


def clock_ms() -> int:
    """Return the wall clock, milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def state_rules(settings: Settings) -> StateRules:
    """Return the rules that the state is made under."""
    state = settings.state
    return StateRules(
        slow_half_life_s=state.slow_half_life_s,
        fast_half_life_s=state.fast_half_life_s,
        history_length=state.history_length,
        co_purchase_window=state.co_purchase_window,
        co_purchase_keep=state.co_purchase_keep,
        co_purchase_limit=state.co_purchase_limit,
        trendiness_prior_weight=state.trendiness_prior_weight,
        customer_shards=state.customer_shards,
        customer_ttl_s=state.customer_ttl_s,
        max_items=state.max_items,
    )


def list_rules(settings: Settings) -> ListRules:
    """Return what a list looks like.

    Raises SettingsError for a preset or a part that does not exist, RankerError and MissingExtra where the preset
    learned lacks its trees or numba.
    """
    lists = settings.lists
    learned = _learned_rules(settings) if lists.preset == "learned" else None
    if lists.preset not in PRESETS:
        raise SettingsError(
            f"There is no preset {lists.preset!r}. Action: set lists.preset to one of {', '.join(sorted(PRESETS))}."
        )
    preset = PRESETS["balanced" if learned is not None else lists.preset].weighing(lists.weights)
    if "trained" in preset.parts and not lists.trained_model:
        raise SettingsError(
            "The part `trained` weighs, but there is no model. "
            "Action: set lists.trained_model to a file of trendloom train."
        )
    if "season" in preset.parts and not lists.season_file:
        raise SettingsError(
            "The part `season` weighs, but no earlier years are known. "
            "Action: set lists.season_file to a file of trendloom train season."
        )
    return ListRules(
        preset,
        lists.top_k,
        lists.exclude_other_views,
        Arrangement(
            per_product=lists.product_limit,
            per_type=lists.type_limit,
            complements=lists.complement_items,
            diversity=lists.diversity_weight,
            pool=lists.pool_items,
        ),
        changing_availability=bool(lists.availability_file),
        trained=load_model(Path(lists.trained_model)) if lists.trained_model else None,
        season=read_season(Path(lists.season_file)) if lists.season_file else None,
        new_items=lists.new_items,
        new_item_limit=lists.new_item_limit,
        learned=learned,
    )


def _learned_rules(settings: Settings) -> LearnedRules:
    path = ranker_path(settings)
    if path is None:
        raise SettingsError(
            "The preset learned needs trees. Action: train some with `trendloom train ranker LOG --catalogue DIR --out "
            "FILE` and set lists.ranker to the file, or set lists.preset to balanced."
        )
    if not can_compile():
        raise MissingExtra("The preset learned needs numba. Action: pip install 'trendloom[fast]'")
    from trendloom.relevance.learned.ranker_file import read_ranker

    forest = read_ranker(path, with_season=bool(settings.lists.season_file)).forest
    return LearnedRules(PRESETS["learned"], forest, settings.lists.linear_above_ms)


def ranker_path(settings: Settings) -> Path | None:
    """Return the file of the trees that lists come from; None where they come from none."""
    return Path(settings.lists.ranker) if settings.lists.preset == "learned" and settings.lists.ranker else None


def catalogue_path(settings: Settings) -> Path:
    """Return the catalogue's directory: the one that is set, or the demo's."""
    return Path(settings.catalogue.directory) if settings.catalogue.directory else demo_catalogue_path()


def open_catalogue(settings: Settings) -> Catalogue:
    """Load the catalogue that is set. Raises CatalogueError."""
    return load_catalogue(catalogue_path(settings))


def open_store(settings: Settings) -> RedisStore:
    """Return a store on the Redis, or the Redis Cluster, that is set; nothing is sent yet."""
    return connect(
        settings.redis.url,
        prefix=settings.redis.key_prefix,
        retry_budget_s=settings.worker.retry_budget_s,
        cluster=settings.redis.cluster,
        compiled=can_compile(),
        **redis_options(settings.redis),
    )


async def seed_initial_popularity(settings: Settings, counts: Mapping[str, float]) -> None:
    """Tell the state how popular items were before a simulation began, by item id; kept apart from purchases."""
    store = open_store(settings)
    try:
        await store.open(state_rules(settings), clock_ms())
        numbers = await store.number_items(list(counts))
        known = numbers >= 0
        await store.seed_initial(numbers[known], np.array(list(counts.values()), np.float64)[known])
    finally:
        await store.close()


async def open_refresher(
    settings: Settings, store: RedisStore, catalogue: Catalogue, *, compiled: bool = False
) -> Refresher:
    """Return a refresher with its items read from the store; ``compiled`` lists need :func:`can_compile`.

    Raises CatalogueError for an availability file that cannot be used.
    """
    refresher = Refresher(
        store,
        catalogue,
        state_rules=state_rules(settings),
        list_rules=list_rules(settings),
        stores=store_positions(),
        worker=f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}",
        follow_every_s=settings.state.mirror_refresh_ms / 1000.0,
        monotonic=time.monotonic,
        cpu_s=time.thread_time,
        compiled=compiled,
    )
    await refresher.open(clock_ms())
    if settings.lists.availability_file:
        await refresher.allow(read_availability(Path(settings.lists.availability_file)))
    return refresher


def topic_names(settings: Settings) -> tuple[str, str, str, str]:
    """Return the names of purchases, recommendations, dead letters and trends."""
    purchases, recommendations, dead_letters, trends = (topic.name for topic in topic_table(settings.kafka))
    return purchases, recommendations, dead_letters, trends
