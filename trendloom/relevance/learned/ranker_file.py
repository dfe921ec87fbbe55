"""The file that a forest is kept in, with where it came from: numpy arrays and one JSON text in a ``.npz``, no pickle.

A file is refused if its signals are not the ones known here, so that trees are never asked about other columns than
they were grown from. Read next: :mod:`trendloom.relevance.learned.forest`.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trendloom.errors import RankerError
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.signals import SEASON, SIGNALS

__all__ = ["RankerFile", "read_ranker", "write_ranker"]

FORMAT = 1
_TYPES = {
    "signal": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "value": np.float64,
    "root": np.int32,
}
_AGAIN = "Action: train one with `trendloom train ranker LOG --catalogue DIR --out FILE`."


@dataclass(frozen=True)
class RankerFile:
    """A forest and its provenance: log, rows, dates, settings, versions, as JSON values."""

    forest: Forest
    provenance: Mapping[str, object]


def write_ranker(path: Path, ranker: RankerFile) -> None:
    """Write a ranker, whole or not at all: a worker that watches the file never sees half of it."""
    told = {"format": FORMAT, "signals": list(SIGNALS), "provenance": dict(ranker.provenance)}
    arrays: dict[str, npt.NDArray[np.generic]] = {
        one.name: np.ascontiguousarray(getattr(ranker.forest, one.name), _TYPES[one.name]) for one in fields(Forest)
    }
    arrays["told"] = np.frombuffer(json.dumps(told, sort_keys=True).encode(), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as out:
            np.savez_compressed(out, allow_pickle=False, **arrays)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_ranker(path: Path, *, with_season: bool = True) -> RankerFile:
    """Read a ranker. Raises :class:`~trendloom.errors.RankerError` for a file that is missing, damaged or of others.

    ``with_season`` says whether earlier years are known where the trees are asked; without them, trees that ask about
    the season are refused, too.
    """
    if not path.is_file():
        raise RankerError(f"There is no ranker {path}. {_AGAIN}")
    try:
        # ZipFile refuses what is no archive, and the file is closed in any case
        with path.open("rb") as raw, zipfile.ZipFile(raw), np.load(raw, allow_pickle=False) as held:
            told = json.loads(held["told"].tobytes())
            arrays = {name: held[name] for name in _TYPES}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RankerError(f"The ranker {path} cannot be read ({error}). {_AGAIN}") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise RankerError(f"The ranker {path} is not of format {FORMAT}. {_AGAIN}")
    if tuple(told.get("signals", ())) != SIGNALS:
        raise RankerError(f"The ranker {path} was grown from other signals than this version knows. {_AGAIN}")
    if any(arrays[name].dtype != kind or arrays[name].ndim != 1 for name, kind in _TYPES.items()):
        raise RankerError(f"The ranker {path} holds arrays of another kind. {_AGAIN}")
    forest = Forest(**arrays)
    if not _is_sound(forest):
        raise RankerError(f"The trees of the ranker {path} do not hang together. {_AGAIN}")
    asked = {SIGNALS[signal] for signal in np.unique(forest.signal[forest.signal >= 0]).tolist()}
    if not with_season and asked & set(SEASON):
        raise RankerError(
            f"The trees of the ranker {path} ask about the season, and no earlier years are known. Action: set "
            "lists.season_file to the file of `trendloom train season` that they were grown with."
        )
    return RankerFile(forest, told.get("provenance", {}))


def _is_sound(forest: Forest) -> bool:
    """Return whether every walk through the trees ends at a leaf: children lie behind their parents."""
    nodes = forest.signal.size
    if any(getattr(forest, name).size != nodes for name in ("threshold", "left", "right", "value")) or not nodes:
        return False
    inner = np.flatnonzero(forest.signal >= 0)
    children = np.concatenate([forest.left[inner], forest.right[inner]])
    parents = np.concatenate([inner, inner])
    return bool(
        forest.root.size > 0
        and ((forest.root >= 0) & (forest.root < nodes)).all()
        and ((forest.signal >= -1) & (forest.signal < len(SIGNALS))).all()
        and ((children > parents) & (children < nodes)).all()
        and np.isfinite(forest.value).all()
    )
