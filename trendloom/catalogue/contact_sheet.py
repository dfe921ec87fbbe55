"""One picture of many garments, so that a person sees at a glance what a catalogue holds.

Drawn from the thumbnails, category by category; no list and no fingerprint depends on it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["draw_contact_sheet"]

_COLUMNS, _ROWS, _CELL_PX, _GAP_PX = 12, 8, 96, 4


def draw_contact_sheet(thumbnails: Sequence[bytes | None], category: npt.NDArray[np.integer]) -> bytes | None:
    """Return a JPEG of up to 96 of the garments that have a picture, spread evenly; None when none has.

    ``category`` (N,) decides the order: garments of one kind stand together.

    >>> draw_contact_sheet([None, None], np.zeros(2, np.int16)) is None
    True
    """
    shown = np.array([row for row, picture in enumerate(thumbnails) if picture], np.int64)
    if not len(shown):
        return None
    ordered = shown[np.argsort(category[shown], kind="stable")]
    places = np.unique(np.linspace(0, len(ordered) - 1, _COLUMNS * _ROWS).astype(np.int64))
    step = _CELL_PX + _GAP_PX
    columns = min(_COLUMNS, len(places))
    sheet = Image.new("RGB", (_GAP_PX + columns * step, _GAP_PX + -(-len(places) // columns) * step), "white")
    for place, row in enumerate(ordered[places].tolist()):
        picture = Image.open(io.BytesIO(thumbnails[row] or b""), formats=("WEBP",)).convert("RGB")
        picture.thumbnail((_CELL_PX, _CELL_PX), Image.Resampling.LANCZOS)
        left = _GAP_PX + place % columns * step + (_CELL_PX - picture.width) // 2
        top = _GAP_PX + place // columns * step + (_CELL_PX - picture.height) // 2
        sheet.paste(picture, (left, top))
    sink = io.BytesIO()
    sheet.save(sink, "JPEG", quality=85)
    return sink.getvalue()
