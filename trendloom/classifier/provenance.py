"""What a head says of its own origin: photos, terms, seed, recipe, held-out figures and versions.

Never says where files lay. Read next: :mod:`trendloom.classifier.checkpoint`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from models.heads import HeadRecipe
from trendloom.classifier.training import Examples, Measured

__all__ = ["describe_training"]


def describe_training(
    examples: Examples, recipe: HeadRecipe, *, seed: int, views: Sequence[str], measured: Measured | None, credit: str
) -> dict[str, Any]:
    """Return the provenance of a head that is trained on ``examples``, for its metadata."""
    told: dict[str, Any] = {
        "photos": len(examples),
        "groups": len(np.unique(examples.groups)),
        "photos_by_label": dict(
            zip(
                examples.labels,
                np.bincount(examples.wanted, minlength=len(examples.labels)).tolist(),
                strict=True,
            )
        ),
        "views": list(views),
        "seed": seed,
        "recipe": asdict(recipe),
        "versions": {name: version(name) for name in ("trendloom", "torch", "numpy")},
        "credit": credit,
    }
    if measured is not None:
        told["held_out"] = {
            "splits": len(measured.splits),
            **measured.mean(),
            "baselines": {name: dict(figures) for name, figures in measured.baselines.items()},
            "by": "heads trained the same way without the held-out groups",
        }
    return told
