"""``trendloom recommend CUSTOMER``: a customer's list, made now from the state, or by a trained model alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from launch.options import AsJson, CatalogueDirectory, ConfigFile, PresetName, RedisAddress, read_settings
from trendloom.errors import CollaborativeModelError, InputError

__all__ = ["recommend"]


def recommend(
    customer: Annotated[str | None, typer.Argument(help="The customer's id.")] = None,
    customer_option: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="The customer's id, as an option.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Ask a trained model alone, without Redis: a file of `trendloom train`, or gmf, mlp, neumf or "
            "image-mlp for the newest of that kind in var/models.",
        ),
    ] = None,
    redis: RedisAddress = None,
    catalogue: CatalogueDirectory = None,
    preset: PresetName = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", "--topk", min=1, help="Items in the list (setting lists.top_k).")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a customer's list as it would be refreshed now, with the parts of each score; nothing is published."""
    if (customer is None) == (customer_option is None):
        raise InputError("Whose list? Action: give one customer, as an argument or with --customer.")
    asked = customer or customer_option or ""
    settings = read_settings(
        config,
        {"redis.url": redis, "catalogue.directory": catalogue, "lists.preset": preset, "lists.top_k": top_k},
    )
    if model is not None:
        _tell_of_model(model, asked, settings.lists.top_k, as_json=as_json)
        return
    told = asyncio.run(_list(settings, asked))
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("item", "title", "score", "parts", title=f"{asked}: trendiness {told['trendiness']:.2f}")
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


def _tell_of_model(name: str, customer_id: str, top_k: int, *, as_json: bool) -> None:
    from trendloom.collaborative.listing import list_for
    from trendloom.collaborative.model_file import load_model

    model = load_model(_model_file(name))
    listed = list_for(model, customer_id, top_k)
    if as_json:
        entries = [{"item_id": item, "score": score} for item, score in zip(listed.items, listed.scores, strict=True)]
        typer.echo(
            json.dumps(
                {"customer": customer_id, "model": model.kind, "rule": listed.rule, "entries": entries}, indent=2
            )
        )
        return
    if listed.rule == "popular":
        typer.echo(f"the model does not know {customer_id!r}; these are the items that most customers took", err=True)
    for item, score in zip(listed.items, listed.scores, strict=True):
        typer.echo(f"{item}\t{score:.4f}")


def _model_file(name: str) -> Path:
    """Return the file of a model, or the newest in var/models whose name ends with a kind."""
    if Path(name).is_file():
        return Path(name)
    kinds = ("gmf", "mlp", "neumf", "image-mlp")
    found = list((Path("var") / "models").glob(f"*_{name}.safetensors")) if name in kinds else []
    if not found:
        raise CollaborativeModelError(
            f"There is no model {name!r}. Action: name a file, or train one with trendloom train {kinds[0]}."
        )
    return max(found, key=lambda path: path.stat().st_mtime_ns)
