"""How each backbone sees the garments: unit rows of its own features, without projection or tuning.

What a photo told is kept on disk under everything that decided it (network, weights, transform, isolation, masks), so
nothing stale is ever read. Read next: :mod:`evaluation.paper.lists`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluation.paper.garments import Garments
from trendloom.catalogue.embedding import Embedder
from trendloom.catalogue.looking import isolation_of
from trendloom.catalogue.photo_stage import PhotoIsolator, look_at_photos
from trendloom.catalogue.photos import PhotoSource
from trendloom.catalogue.unfinished import Unfinished
from trendloom.errors import CatalogueError

__all__ = ["Looks", "Progress", "look_at", "masks_digest"]

#: ``progress(backbone, done, total)``, in photos
Progress = Callable[[str, int, int], None]
_THUMBNAIL_SIDE_PX, _THUMBNAIL_QUALITY = 160, 70


@dataclass(frozen=True)
class Looks:
    """The garments that could be seen, the unit rows (N, F) that each backbone made of them, and what could not.

    A row of zeros (a network that answers nothing) stays zero: its cosine with everything is 0.
    """

    garments: Garments
    rows: dict[str, npt.NDArray[np.float16]]
    #: (photo, reason)
    left_out: tuple[tuple[str, str], ...]
    #: backbone -> what it says of itself: weights, transform, versions
    made_with: dict[str, dict[str, str | int]]


def look_at(
    garments: Garments,
    embedders: Sequence[Embedder],
    *,
    isolator: PhotoIsolator | None = None,
    masks: str = "",
    keep_in: Path | None = None,
    progress: Progress | None = None,
) -> Looks:
    """Return the garments as every embedder sees them; those whose photo cannot be used are left out with the reason.

    ``masks`` is :func:`masks_digest` of what the isolator reads; features are kept in ``keep_in``, if given. Raises
    :class:`~trendloom.errors.CatalogueError` where no photo can be used.
    """
    features: dict[str, npt.NDArray[np.float32]] = {}
    made_with: dict[str, dict[str, str | int]] = {}
    seen: npt.NDArray[np.int64] = np.arange(len(garments))
    left_out: tuple[tuple[str, str], ...] = ()
    for embedder in embedders:
        told = embedder.describe()
        name = str(told["name"])
        if name in features:
            raise CatalogueError(f"The backbone {name} is named twice. Action: name each once.")
        decided_by = {
            "backbone": told,
            "isolation": isolation_of(isolator),
            "masks": masks,
            "pillow": version("pillow"),
        }
        kept = nullcontext() if keep_in is None else Unfinished(keep_in / name.replace("+", "-"), decided_by)

        def tell(_: str, done: int, total: int, backbone: str = name) -> None:
            if progress is not None:
                progress(backbone, done, total)

        with kept as unfinished:
            stage = look_at_photos(
                garments.items,
                garments.source,
                embedder,
                side_px=_THUMBNAIL_SIDE_PX,
                quality=_THUMBNAIL_QUALITY,
                progress=tell,
                isolator=isolator,
                unfinished=unfinished,
                named_by_path=True,
            )
        seen, left_out = np.flatnonzero(stage.photo_row >= 0), stage.left_out
        if not seen.size:
            why = stage.left_out[0] if stage.left_out else ("the folder", "holds none of them")
            raise CatalogueError(f"No photo can be used; {why[0]}: {why[1]}. Action: give photos that can.")
        features[name], made_with[name] = stage.features, told  # photos are refused before any network sees them
    return Looks(
        garments.take(seen),
        {name: _unit(rows).astype(np.float16) for name, rows in features.items()},
        left_out,
        made_with,
    )


def masks_digest(masks: PhotoSource) -> str:
    """Return a SHA-256 over the names and bytes of all masks: another mask is another look.

    >>> masks_digest(PhotoSource(frozenset({"a"}), lambda name: b"1")) == masks_digest(
    ...     PhotoSource(frozenset({"a"}), lambda name: b"2"))
    False
    """
    digest = hashlib.sha256()
    for name in sorted(masks.names):
        digest.update(f"{name}\n".encode("utf-8", "replace"))
        digest.update(hashlib.sha256(masks.read(name)).digest())
    return digest.hexdigest()


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    unit: npt.NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
