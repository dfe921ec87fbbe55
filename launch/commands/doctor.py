"""``trendloom doctor``: what is well, what is not, and what to do about it.

The checks themselves stand in :mod:`launch.checkup`.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.text import Text

from launch.checkup import check_everything
from launch.options import AsJson, CatalogueDirectory, ConfigFile, KafkaAddress, RedisAddress, read_settings

__all__ = ["doctor"]

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_UNREACHABLE, _UNUSABLE = 3, 2  # exit codes, as launch/cli.py lists them


def doctor(
    kafka: KafkaAddress = None,
    redis: RedisAddress = None,
    catalogue: CatalogueDirectory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check this machine, Kafka, Redis and the catalogue, and say what to do; exits 0 if nothing fails."""
    flags = {"kafka.bootstrap": kafka, "redis.url": redis, "catalogue.directory": catalogue}
    settings = read_settings(config, flags)
    console = Console()
    findings = []
    for finding in check_everything(settings):
        findings.append(finding)
        if not as_json:
            line = Text.assemble((f"{finding.status:<5}", _COLOURS[finding.status]), finding.found)
            if finding.action:
                line.append(f" → {finding.action}", style="italic")
            console.print(line, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    failed = {finding.area for finding in findings if finding.status == "fail"}
    if failed:
        raise typer.Exit(_UNREACHABLE if failed & {"kafka", "redis"} else _UNUSABLE)
