"""``trendloom settings``: every setting in force and where it comes from; secrets stay hidden.

It also writes the two generated files, ``config/default.toml`` and ``docs/settings.md``.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from config.loading import LoadedSettings, setting_names
from config.reference import render_default_toml, render_reference
from launch.options import (
    AsJson,
    CatalogueDirectory,
    ConfigFile,
    KafkaAddress,
    RedisAddress,
    read_settings_with_origins,
)

__all__ = ["settings"]


def settings(
    kafka: KafkaAddress = None,
    redis: RedisAddress = None,
    catalogue: CatalogueDirectory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    reference: Annotated[bool, typer.Option("--reference", help="Print docs/settings.md instead.")] = False,
    default_toml: Annotated[bool, typer.Option("--default-toml", help="Print config/default.toml instead.")] = False,
) -> None:
    """Show every setting in force and where it comes from."""
    if reference:
        typer.echo(render_reference(), nl=False)
        return
    if default_toml:
        typer.echo(render_default_toml(), nl=False)
        return
    flags = {"kafka.bootstrap": kafka, "redis.url": redis, "catalogue.directory": catalogue}
    rows = _rows(read_settings_with_origins(config, flags))
    if as_json:
        typer.echo(json.dumps({name: {"value": value, "from": origin} for name, value, origin in rows}, indent=2))
        return
    table = Table("setting", "value", "from", box=None, header_style="bold")
    for name, value, origin in rows:
        table.add_row(name, json.dumps(value), origin, style="" if origin == "default" else "bold")
    Console().print(table)


def _rows(loaded: LoadedSettings) -> list[tuple[str, Any, str]]:
    rows = []
    for name in setting_names():
        group, _, key = name.partition(".")
        value = getattr(getattr(loaded.settings, group), key)
        if isinstance(value, SecretStr):
            value = "(set, not shown)" if value.get_secret_value() else ""
        rows.append((name, value, loaded.origins[name]))
    return rows
