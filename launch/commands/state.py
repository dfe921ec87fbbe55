"""``trendloom state``: make the state anew from the log, or show what it holds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from launch.options import AsJson, CatalogueDirectory, ConfigFile, KafkaAddress, RedisAddress, read_settings

__all__ = ["app", "rebuild", "show"]

app = typer.Typer(no_args_is_help=True, help="Rebuild the state from the log, or show it.")


@app.command()
def rebuild(
    kafka: KafkaAddress = None,
    redis: RedisAddress = None,
    catalogue: CatalogueDirectory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    force: Annotated[bool, typer.Option("--force", help="Even while workers of the group are running.")] = False,
) -> None:
    """Drop the state and make it anew from the log, up to where the group has committed; then start the workers."""
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from launch.rebuild import rebuild_state

    settings = read_settings(config, {"kafka.bootstrap": kafka, "redis.url": redis, "catalogue.directory": catalogue})
    with Progress(
        *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn(), disable=as_json
    ) as bar:
        task = bar.add_task("records", total=None)
        done = asyncio.run(
            rebuild_state(settings, force=force, progress=lambda at, total: bar.update(task, completed=at, total=total))
        )
    if as_json:
        typer.echo(json.dumps(asdict(done), indent=2))
    else:
        typer.echo(
            f"{done.purchases} purchases of {done.records} records in {done.partitions} partitions; {done.duplicates} "
            f"duplicates and {done.unusable} unusable records left out. The new epoch is {done.epoch}."
        )


@app.command()
def show(
    customer: Annotated[str | None, typer.Argument(help="A customer's id: show what is remembered of them.")] = None,
    redis: RedisAddress = None,
    catalogue: CatalogueDirectory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the totals, fences and bounds of the state, or one customer's record."""
    settings = read_settings(config, {"redis.url": redis, "catalogue.directory": catalogue})
    told = asyncio.run(_customer(settings, customer) if customer else _totals(settings))
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    for name, value in told.items():
        if isinstance(value, list):
            typer.echo(f"{name}:")
            for entry in value:
                typer.echo("  " + "  ".join(f"{key} {entry[key]}" for key in entry))
        else:
            typer.echo(f"{name}: {value}")


async def _totals(settings: Any) -> dict[str, Any]:
    from launch.assembly import clock_ms, open_store, state_rules

    store = open_store(settings)
    try:
        epoch = await store.open(state_rules(settings), clock_ms())
        items, population = await store.items(), await store.population()
        fences = await store.fences()
        return {
            "epoch": epoch,
            "begun": datetime.fromtimestamp(epoch / 1000, UTC).isoformat(timespec="seconds"),
            "purchases": int(items.purchases.sum()),
            "items_sold": int((items.purchases > 0).sum()),
            "mean_percentile": population.mean_percentile,
            "co_purchase_rows": sum(bool(row) for row in items.co_purchases),
            "fences": [
                {"topic": place.topic, "partition": place.partition, "offset": fence}
                for place, fence in sorted(fences.items())
            ],
        }
    finally:
        await store.close()


async def _customer(settings: Any, customer_id: str) -> dict[str, Any]:
    from launch.assembly import clock_ms, open_store, state_rules
    from trendloom.errors import InputError
    from trendloom.state.customer import Customer, trendiness

    store = open_store(settings)
    rules = state_rules(settings)
    try:
        await store.open(rules, clock_ms())
        record = await store.customer(customer_id)
        if record is None:
            raise InputError(f"The state knows no customer {customer_id!r}. Action: name one who has bought something.")
        known, ids, population = Customer.unpack(record), await store.item_ids(), await store.population()
    finally:
        await store.close()
    trend = trendiness(
        known.number,
        known.percentile_sum,
        prior_mean=population.mean_percentile,
        prior_weight=rules.trendiness_prior_weight,
    )
    history = [
        {
            "number": known.number - back,
            "item": ids[item],
            "at": datetime.fromtimestamp(at_s, UTC).isoformat(),
            "percentile": round(percentile, 6),
        }
        for back, (item, at_s, percentile, _event, _store) in enumerate(reversed(known.entries()))
    ]
    return {"customer": customer_id, "purchases": known.number, "trendiness": trend, "history": history}
