"""What the studies of trees have in common: the command line's first arguments, the machine, and how a report is told.

Reads no log. Read next: :mod:`evaluation.ranking.study`, :mod:`evaluation.ranking.ablation`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["made_with", "study_parser", "tell"]


def study_parser(program: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows the log, its columns, the catalogue, the batch and where the report goes.

    >>> study_parser("study", None).parse_args(["log.parquet", "--catalogue", "shop"]).batch
    500
    """
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("log", type=Path, help="a recorded purchase log")
    parser.add_argument("--columns", default="hm", help="column preset of the log (default hm)")
    parser.add_argument("--catalogue", type=Path, required=True, help="a catalogue directory")
    parser.add_argument("--batch", type=int, default=500, help="purchases a batch")
    parser.add_argument("--json", dest="json_file", type=Path, help="write the report to this file, too")
    return parser


def made_with() -> dict[str, str]:
    """Return the versions and the machine that a figure was measured with."""
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "numba", "lightgbm")}
    return {"python": platform.python_version(), **versions, "machine": platform.machine()}


def tell(report: Mapping[str, Any], json_file: Path | None) -> None:
    """Print a report as JSON and write it to a file, if one is named."""
    text = json.dumps(report, indent=1) + "\n"
    if json_file is not None:
        json_file.write_text(text)
    sys.stdout.write(text)
