"""``trendloom recommend CUSTOMER``: a customer's list, made now from the state."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from launch.options import AsJson, CatalogueDirectory, ConfigFile, PresetName, RedisAddress, read_settings

__all__ = ["recommend"]


def recommend(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    redis: RedisAddress = None,
    catalogue: CatalogueDirectory = None,
    preset: PresetName = None,
    top_k: Annotated[int | None, typer.Option(help="Items in the list (setting lists.top_k).")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a customer's list as it would be refreshed now, with the parts of each score; nothing is published."""
    settings = read_settings(
        config,
        {"redis.url": redis, "catalogue.directory": catalogue, "lists.preset": preset, "lists.top_k": top_k},
    )
    told = asyncio.run(_list(settings, customer))
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("item", "title", "score", "parts", title=f"{customer}: trendiness {told['trendiness']:.2f}")
    for entry in told["entries"]:
        parts = "  ".join(f"{name} {value:.3f}" for name, value in entry["parts"].items())
        table.add_row(entry["item_id"], entry["title"], f"{entry['score']:.4f}", parts)
    Console().print(table)


async def _list(settings: Any, customer_id: str) -> dict[str, Any]:
    from launch.assembly import open_catalogue, open_refresher, open_store

    catalogue = open_catalogue(settings)
    store = open_store(settings)
    try:
        refresher = await open_refresher(settings, store, catalogue)
        number, trend, top = await refresher.current(customer_id)
        ids = refresher.mirror.ids
    finally:
        await store.close()
    entries = []
    for item, score, parts in zip(top.items[0].tolist(), top.scores[0].tolist(), top.parts[0].tolist(), strict=True):
        if item < 0:
            break
        row = catalogue.row_of.get(ids[item])
        entries.append(
            {
                "item_id": ids[item],
                "title": "" if row is None else catalogue.titles[row],
                "score": score,
                "parts": {name: value for name, value in zip(top.part_names, parts, strict=True) if value},
            }
        )
    return {
        "customer": customer_id,
        "purchases": number,
        "trendiness": trend,
        "preset": settings.lists.preset,
        "entries": entries,
    }
