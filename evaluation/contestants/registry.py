"""Contestants by name: how each is built on a ground. A new one is one line here and one file beside this one.

Factories import what is heavy when they are called, so listing the names costs nothing. Read next:
:mod:`evaluation.prequential`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evaluation.contestant import Contestant, Ground
from trendloom.errors import InputError

__all__ = ["CONTESTANTS", "Factory", "build"]

Factory = Callable[[str, Ground], Contestant]


def _popularity(half_life_s: float | None) -> Factory:
    def made(name: str, ground: Ground) -> Contestant:
        from evaluation.contestants.popularity import Popularity

        return Popularity(name, ground, half_life_s=half_life_s)

    return made


CONTESTANTS: Mapping[str, Factory] = {
    "popularity": _popularity(None),
    "popularity-6h": _popularity(21_600.0),
    "popularity-1d": _popularity(86_400.0),
    "popularity-7d": _popularity(604_800.0),
}


def build(name: str, ground: Ground) -> Contestant:
    """Return the contestant of that name.

    Raises :class:`~trendloom.errors.InputError` for a name that nobody has.
    """
    if name not in CONTESTANTS:
        raise InputError(f"There is no model {name!r}. Action: use one of {', '.join(sorted(CONTESTANTS))}.")
    return CONTESTANTS[name](name, ground)
