"""Options that several commands share, and how they become settings: flags, then environment, then file, then defaults.

Nothing here imports Kafka, Redis or torch. Read next: ``launch/cli.py`` for the commands, ``config/loading.py`` for the
order of the sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from config.loading import LoadedSettings, SettingsProblem, load_settings
from config.settings import Settings
from trendloom.errors import SettingsError

__all__ = [
    "AsJson",
    "CatalogueDirectory",
    "ConfigFile",
    "DebounceMs",
    "KafkaAddress",
    "PresetName",
    "RedisAddress",
    "read_settings",
    "read_settings_with_origins",
]

KafkaAddress = Annotated[
    str | None,
    typer.Option("--kafka", metavar="HOST:PORT", help="Kafka brokers, comma-separated (setting kafka.bootstrap)."),
]
RedisAddress = Annotated[
    str | None,
    typer.Option("--redis", metavar="URL", help="Redis, as redis:// or rediss:// for TLS (setting redis.url)."),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="TOML file with settings; else TRENDLOOM_CONFIG, else trendloom.toml."
    ),
]
CatalogueDirectory = Annotated[
    str | None,
    typer.Option(
        "--catalogue", metavar="DIR", help="Catalogue directory; empty is the demo's (setting catalogue.directory)."
    ),
]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="NAME", help="Relevance preset: balanced, paper or learned (setting lists.preset)."
    ),
]
DebounceMs = Annotated[
    int | None,
    typer.Option(
        "--debounce-ms",
        metavar="MS",
        help="At most one list a customer in so many milliseconds; 0 is a list a purchase (setting lists.debounce_ms).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def read_settings(config: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings in force; flags that are None were not given.

    ``flags`` are by dotted name: ``{"kafka.bootstrap": kafka, "lists.top_k": top_k}``. Raises
    :class:`trendloom.errors.SettingsError`, which the command line prints as one sentence.

    >>> read_settings(flags={"lists.top_k": 5, "redis.url": None}).lists.top_k
    5
    """
    return read_settings_with_origins(config, flags).settings


def read_settings_with_origins(config: Path | None = None, flags: Mapping[str, Any] | None = None) -> LoadedSettings:
    """Return the settings in force and where each comes from; otherwise as :func:`read_settings`."""
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return load_settings(config, given)
    except SettingsProblem as problem:
        raise SettingsError(str(problem)) from None
