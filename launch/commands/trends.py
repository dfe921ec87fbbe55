"""``trendloom trends``: what is rising, and what is popular, as of the latest purchase."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from launch.options import AsJson, CatalogueDirectory, ConfigFile, RedisAddress, read_settings

__all__ = ["trends"]


def trends(
    redis: RedisAddress = None,
    catalogue: CatalogueDirectory = None,
    config: ConfigFile = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many items.")] = 15,
    as_json: AsJson = False,
) -> None:
    """Show the fastest rising items at the time of the latest purchase; 1 is steady, more is rising."""
    settings = read_settings(config, {"redis.url": redis, "catalogue.directory": catalogue})
    told = asyncio.run(_trends(settings, count))
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("item", "title", "rising", "popularity", "purchases", title=f"rising at {told['at']}")
    for item in told["items"]:
        table.add_row(
            item["item_id"],
            item["title"],
            f"{item['rising']:.2f}",
            f"{item['popularity']:.1f}",
            str(item["purchases"]),
        )
    Console().print(table)


async def _trends(settings: Any, count: int) -> dict[str, Any]:
    from agents.popularity import latest_event_ms, rising_items
    from launch.assembly import clock_ms, open_catalogue, open_store, state_rules
    from trendloom.state.mirror import Mirror

    rules, catalogue, store = state_rules(settings), open_catalogue(settings), open_store(settings)
    mirror = Mirror(rules)
    try:
        await store.open(rules, clock_ms())
        await mirror.load(store)
    finally:
        await store.close()
    at_ms = latest_event_ms(mirror, rules)
    items = []
    for item in rising_items(mirror, rules, at_ms, count):
        row = catalogue.row_of.get(item.item_id)
        items.append({**item.model_dump(), "title": "" if row is None else catalogue.titles[row]})
    return {"at": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds"), "items": items}
