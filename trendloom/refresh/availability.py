"""What may be listed now, in a shop's own words: items that never may, or the only ones that may.

Read from a small JSON file whose owner changes it whenever stock changes; nothing here watches it. Read next:
:mod:`trendloom.refresh.scorer`, which honours it in the next list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trendloom.errors import CatalogueError

__all__ = ["EVERYTHING", "Availability", "read_availability"]

_FORM = 'Action: write {"never": ["item", ...]} or {"only": ["item", ...]}, or both.'


@dataclass(frozen=True)
class Availability:
    """``never``: item ids that are not listed; ``only``: the ids that may be, None for all others.

    An id that nobody knows yet is no mistake: it counts as soon as the item does.
    """

    never: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    @property
    def limits(self) -> bool:
        """Whether anything is denied at all."""
        return bool(self.never) or self.only is not None

    def denied(self, number_of: Mapping[str, int], room: int) -> npt.NDArray[np.bool_]:
        """Return which item numbers (room,) may not be listed; ``number_of`` gives the number of each known id.

        >>> Availability(frozenset({"b"}), frozenset({"a", "b"})).denied({"a": 0, "b": 1, "c": 2}, 3).tolist()
        [False, True, True]
        """
        denied = np.zeros(room, np.bool_) if self.only is None else np.ones(room, np.bool_)
        for ids, value in ((self.only or (), False), (self.never, True)):
            numbers = [number_of[item_id] for item_id in ids if item_id in number_of]
            denied[[number for number in numbers if number < room]] = value
        return denied


EVERYTHING = Availability()


def read_availability(path: Path) -> Availability:
    """Return what a file says may be listed; a file that is not there denies nothing.

    Raises :class:`~trendloom.errors.CatalogueError` for a file that cannot be used.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return EVERYTHING
    except (OSError, ValueError) as error:
        raise CatalogueError(f"The availability file {path} cannot be read ({error}). {_FORM}") from error
    if not isinstance(told, dict) or (unknown := sorted(set(told) - {"never", "only"})):
        what = f"holds {unknown[0]!r}" if isinstance(told, dict) else "is no JSON object"
        raise CatalogueError(f"The availability file {path} {what}. {_FORM}")
    for name, ids in told.items():
        if not isinstance(ids, list) or not all(isinstance(item_id, str) for item_id in ids):
            raise CatalogueError(f"{name!r} of the availability file {path} is no list of item ids. {_FORM}")
    return Availability(frozenset(told.get("never", ())), frozenset(told["only"]) if "only" in told else None)
