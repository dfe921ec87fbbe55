"""What the composition root does to a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from config.loading import load_settings
from launch.assembly import clock_ms, open_store, seed_initial_popularity, state_rules

pytestmark = pytest.mark.redis


def test_initial_popularity_is_kept_apart_from_purchases(embedded_valkey: str, fresh_prefix: Callable[[], str]) -> None:
    settings = load_settings(None, {"redis.url": embedded_valkey, "redis.key_prefix": fresh_prefix()}).settings

    async def check() -> None:
        await seed_initial_popularity(settings, {"dress": 7, "coat": 0, "hat": 2.5})
        store = open_store(settings)
        try:
            await store.open(state_rules(settings), clock_ms())
            ids, items = await store.item_ids(), await store.items()
            assert dict(zip([ids[n] for n in items.numbers], items.initial, strict=True)) == {
                "dress": 7.0,
                "coat": 0.0,
                "hat": 2.5,
            }
            assert items.purchases.sum() == 0
        finally:
            await store.close()

    asyncio.run(check())
