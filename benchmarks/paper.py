"""The source paper's experiment on photos that anybody may have, and what each of its faults changes.

``python -m benchmarks.paper`` uses the pictures of the demo catalogue (CC0), writes ``benchmarks/results/paper.json``;
``--catalogue NAME=DIR`` asks another catalogue with pictures and adds what it says to that file. It needs the extra
``vision``. Means are over ``--seeds`` runs of the experiment's defaults.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes_seen import machine
from config.stores import store_positions
from evaluation.paper.customers import Faults
from evaluation.paper.experiment import Plan, run
from evaluation.paper.garments import Garments, garments_of_catalogue
from evaluation.paper.looks import look_at
from launch.commands.paper import BACKBONES
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.embedding import open_backbone

__all__ = ["study"]

_RESULT = Path(__file__).parent / "results" / "paper.json"
_FIRST_SEED = 42


def study(garments: Garments, backbones: list[str], seeds: int, keep_in: Path) -> dict[str, Any]:
    """Return the experiment's report with everything right, and what it says with each fault of the original back."""
    looks = look_at(garments, [open_backbone(name) for name in backbones], keep_in=keep_in)
    plan = Plan(seeds=tuple(range(_FIRST_SEED, _FIRST_SEED + seeds)))
    stores = store_positions()
    told = run(looks, stores, plan)
    told["faults"] = {}
    for name, faults in (
        ("threshold of the sum", Faults(threshold_of_sum=True)),
        ("gender of the garment bought", Faults(gender_of_bought=True)),
    ):
        faulty = run(looks, stores, replace(plan, faults=faults, ablation=False))
        told["faults"][name] = {"sales": faulty["sales"], "measures": faulty["measures"]}
    return told


def _some(garments: Garments, items: int) -> Garments:
    if items >= len(garments):
        return garments
    return garments.take(np.sort(np.random.default_rng(_FIRST_SEED).permutation(len(garments))[:items]))


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__)
    parser.add_argument("--catalogue", metavar="NAME=DIR", default="", help="another than the demo's, with pictures")
    parser.add_argument("--items", type=int, default=2_000, help="garments taken of it at most, at random")
    parser.add_argument("--backbone", action="append", default=[], help="networks; default: the command's")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--keep", type=Path, default=Path("results") / "features", help="where features are kept")
    parser.add_argument("--out", type=Path, default=_RESULT)
    given = parser.parse_args()
    name, _, directory = given.catalogue.partition("=")
    path, backbones = Path(directory) if directory else demo_catalogue_path(), given.backbone or list(BACKBONES)
    garments = garments_of_catalogue(load_catalogue(path), stores=len(store_positions()), seed=_FIRST_SEED)
    told = json.loads(given.out.read_text(encoding="utf-8")) if given.out.is_file() else {}
    told[name or "demo"] = {
        "command": "python -m benchmarks.paper"
        + (f" --catalogue {name}=DIR --items {given.items}" if name else "")
        + "".join(f" --backbone {backbone}" for backbone in given.backbone)
        + f" --seeds {given.seeds}",
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {package: version(package) for package in ("numpy", "pillow", "torch")},
        **study(_some(garments, given.items), backbones, given.seeds, given.keep / (name or "demo")),
    }
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told[name or "demo"]["measures"], indent=1))


if __name__ == "__main__":
    _main()
