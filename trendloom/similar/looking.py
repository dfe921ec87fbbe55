"""What a search asks of whoever looks at photos: an embedding like the catalogue's own, and how likely each label is.

Both are opened when the first photo comes, because torch takes seconds to load; searching by an item never needs them.
Read next: :mod:`trendloom.similar.search`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.isolation import open_isolator
from trendloom.catalogue.look import open_look

__all__ = [
    "Embeds",
    "Labels",
    "OnceOpened",
    "isolation_for_queries",
    "open_query_look",
]

_Opened = TypeVar("_Opened")


class Embeds(Protocol):
    """Embeds photos exactly as the catalogue's own rows were made."""

    def embed(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Return (B, D) unit rows for B upright RGB photos."""


class Labels(Protocol):
    """Says what garments are: calibrated probabilities over named labels."""

    @property
    def labels(self) -> Sequence[str]:
        """The C labels."""

    def probabilities(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.floating]:
        """Return (B, C) probabilities for B upright RGB photos."""


class OnceOpened(Generic[_Opened]):
    """Something that is opened at its first use, once, whichever thread comes first."""

    def __init__(self, open_it: Callable[[], _Opened]) -> None:
        self._open_it = open_it
        self._lock = Lock()
        self._opened: _Opened | None = None

    def get(self) -> _Opened:
        """Return it; what opening raises is raised, and the next call tries again."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open_it()
            return self._opened


def open_query_look(directory: Path, manifest: Mapping[str, object], *, weights: str = "") -> Embeds:
    """Return how a catalogue looks at photos to search with.

    ``weights`` and what is raised: as :func:`trendloom.catalogue.look.open_look`.
    """
    kind = isolation_for_queries(manifest)
    return open_look(directory, weights=weights, isolator=None if kind == "none" else open_isolator(kind))


def isolation_for_queries(manifest: Mapping[str, object]) -> str:
    """Return the kind of isolation for photos to search with: the catalogue's, or one that needs no masks beside them.

    >>> isolation_for_queries({}), isolation_for_queries({"isolation": {"kind": "saliency"}})
    ('none', 'saliency')
    >>> isolation_for_queries({"isolation": {"kind": "colour-mask"}})
    'near-white'
    """
    told = manifest.get("isolation")
    kind = str(told.get("kind", "none")) if isinstance(told, Mapping) else "none"
    return "near-white" if kind in {"colour-mask", "label-map"} else kind
