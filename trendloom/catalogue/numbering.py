"""Names as numbers: how a catalogue writes categories, products and views, when it is made and when it is changed.

Codes and numbers that were given stay what they are when items are added. Knows no files. Read next:
:mod:`trendloom.catalogue.build`, :mod:`trendloom.catalogue.changing`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trendloom.errors import CatalogueError

__all__ = ["codes_among", "codes_of", "numbers_among", "numbers_of", "without_gaps"]


def codes_of(names: Sequence[str]) -> tuple[npt.NDArray[np.int16], tuple[str, ...]]:
    """Return a code for each name and the names by code, in their order; no name is "unknown".

    Raises :class:`CatalogueError` where there are more than 32,767.

    >>> codes_of(["hat", "", "dress", "hat"])[1]
    ('dress', 'hat', 'unknown')
    """
    known, codes = np.unique(np.array([name or "unknown" for name in names], np.str_), return_inverse=True)
    if len(known) > np.iinfo(np.int16).max:
        raise CatalogueError(f"{len(known)} different categories are too many. Action: name a coarser column.")
    return codes.astype(np.int16), tuple(known.tolist())


def numbers_of(names: Sequence[str]) -> npt.NDArray[np.int32]:
    """Return a number for each name, equal names equal numbers; no name is -1.

    >>> numbers_of(["b", "", "a", "b"]).tolist()
    [1, -1, 0, 1]
    """
    known, codes = np.unique(np.array(names, np.str_), return_inverse=True)
    return (codes - int(known[0] == "")).astype(np.int32)


def codes_among(told: Sequence[str], known: Sequence[str]) -> tuple[npt.NDArray[np.int16], list[str]]:
    """Return codes into the known names, with new names behind them: known codes stay."""
    wanted = [name or "unknown" for name in told]
    names = [*known, *(name for name in sorted(set(wanted)) if name not in known)]
    place = {name: code for code, name in enumerate(names)}
    return np.array([place[name] for name in wanted], np.int16), names


def numbers_among(told: Sequence[str], known: Sequence[str], numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Return the numbers of products (or views) by name; new names get the next ones, no name is -1."""
    number_of = {name: int(number) for name, number in zip(known, numbers, strict=True) if name}
    following = int(numbers.max(initial=-1)) + 1
    found = []
    for name in told:
        if name and name not in number_of:
            number_of[name] = following
            following += 1
        found.append(number_of[name] if name else -1)
    return np.array(found, np.int32)


def without_gaps(numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Return numbers without gaps, in the same order; -1 stays.

    >>> without_gaps(np.array([4, -1, 9, 4])).tolist()
    [0, -1, 1, 0]
    """
    known, places = np.unique(numbers, return_inverse=True)
    dense: npt.NDArray[np.int32] = (places - int(len(known) > 0 and known[0] < 0)).astype(np.int32)
    return dense
