"""Measures a detector on photos that it has not seen, beside boxes that need no picture: each class' mean box.

Read next: :mod:`trendloom.detector.measures` for what the figures mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from trendloom.catalogue.photos import PhotoSource, UnusablePhoto, decode_bytes, read_photo, upright_size
from trendloom.detector.boxes import Box, BoxTable, scale_boxes
from trendloom.detector.detect import Detector
from trendloom.detector.measures import BoxScores, mean_boxes, score_boxes
from trendloom.errors import CatalogueError

__all__ = ["Evaluation", "evaluate_detector"]

#: Measures take nearly everything that a detector says; people are shown less.
_LEAST_SCORE, _MOST_BOXES = 0.02, 50


@dataclass(frozen=True)
class Evaluation:
    """A detector's figures, and those of the mean boxes on the same photos."""

    detector: BoxScores
    mean_boxes: BoxScores
    ms_per_photo: float
    left_out: tuple[tuple[str, str], ...]

    def told(self) -> dict[str, object]:
        """Return everything, rounded, for JSON."""
        return {
            "detector": self.detector.told(),
            "mean_box_per_class": self.mean_boxes.told(),
            "ms_per_photo": round(self.ms_per_photo, 1),
            "left_out": dict(self.left_out),
        }


def evaluate_detector(
    detector: Detector,
    table: BoxTable,
    photos: PhotoSource,
    *,
    train: Sequence[str],
    held_out: Sequence[str],
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Evaluation:
    """Return the figures on ``held_out``; ``train`` are the photos whose boxes make the mean boxes.

    Raises :class:`CatalogueError` when nothing can be measured.
    """
    sizes: dict[str, tuple[int, int]] = {}
    found: dict[str, list[Box]] = {}
    left_out: list[tuple[str, str]] = []
    spent_s = 0.0
    for place, name in enumerate([*held_out, *train]):
        try:
            content = read_photo(photos, name)
            photo = decode_bytes(content)
        except UnusablePhoto as error:
            left_out.append((name, str(error)))
            continue
        sizes[name] = upright_size(content)  # large photos are decoded smaller
        if place < len(held_out):
            started = perf_counter()
            seen = detector.detect(photo, least_score=_LEAST_SCORE, most=_MOST_BOXES)
            spent_s += perf_counter() - started
            found[name] = list(scale_boxes(seen, photo.size, sizes[name]))
            progress("evaluate", place + 1, len(held_out))
    wanted = {name: table.in_pixels(name, *sizes[name]) for name in found}
    learnt = [name for name in train if name in sizes]
    if not wanted or not learnt:
        raise CatalogueError("No photo is held out, or none is left. Action: give more photos with boxes.")
    baseline = mean_boxes(table, learnt, sizes)
    return Evaluation(
        detector=score_boxes(found, wanted, table.labels),
        mean_boxes=score_boxes({name: baseline[name] for name in found}, wanted, table.labels),
        ms_per_photo=1000 * spent_s / len(found),
        left_out=tuple(left_out),
    )
