"""How good boxes are: average precision, recall of proposals, and the boxes that need no picture at all.

Works on lists of boxes by photo and knows no network. Read next: :mod:`trendloom.detector.training`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trendloom.detector.boxes import Box, BoxTable, overlaps

__all__ = ["BoxScores", "average_precision", "mean_boxes", "recall", "score_boxes"]

#: Numbers of proposals a photo that recall is told for.
PROPOSALS = (6, 10, 20, 50)
Found = Mapping[str, Sequence[Box]]


@dataclass(frozen=True)
class BoxScores:
    """What was measured on ``photos`` photos with ``boxes`` boxes, at an overlap of ``iou``."""

    photos: int
    boxes: int
    iou: float
    #: Mean of the average precision over classes.
    mean_average_precision: float
    average_precision: Mapping[str, float]
    #: Proposals a photo -> share of boxes that one of them covers, whatever its class.
    recall: Mapping[int, float]
    #: Proposals that there were a photo, at most.
    proposals_per_photo: float

    def told(self) -> dict[str, object]:
        """Return everything, rounded, for JSON."""
        return {
            "photos": self.photos,
            "boxes": self.boxes,
            "iou": self.iou,
            "mean_average_precision": round(self.mean_average_precision, 4),
            "average_precision": {label: round(value, 4) for label, value in self.average_precision.items()},
            "class_agnostic_recall_by_proposals": {str(n): round(value, 4) for n, value in self.recall.items()},
            "proposals_per_photo": round(self.proposals_per_photo, 2),
        }


def _corners(boxes: Sequence[Box]) -> npt.NDArray[np.float64]:
    return np.array([(box.left, box.top, box.right, box.bottom) for box in boxes], np.float64).reshape(-1, 4)


def _best_first(boxes: Sequence[Box]) -> list[Box]:
    return sorted(boxes, key=lambda box: -box.score)


def _hits(found: Sequence[Box], wanted: Sequence[Box], iou: float) -> list[bool]:
    """Return for each found box, best first, whether it is the first to cover a wanted one by at least ``iou``."""
    shares = overlaps(_corners(found), _corners(wanted))
    taken: set[int] = set()
    hits = []
    for row in shares:
        free = [place for place in np.argsort(-row, kind="stable") if row[place] >= iou and int(place) not in taken]
        taken.update(int(place) for place in free[:1])
        hits.append(bool(free))
    return hits


def average_precision(found: Found, wanted: Found, label: str, *, iou: float = 0.5) -> float:
    """Return the area under precision over recall of one class, precision made to fall only (Pascal VOC from 2010).

    A found box is right when it covers a wanted one of the class by at least ``iou`` and none with a higher score does.

    >>> wanted = {"a": [Box("top", 1, 0, 0, 10, 10)], "b": [Box("top", 1, 0, 0, 10, 10)]}
    >>> found = {"a": [Box("top", 0.9, 50, 50, 60, 60), Box("top", 0.5, 0, 0, 10, 9)], "b": []}
    >>> average_precision(found, wanted, "top")  # wrong, right: half the boxes, at a precision of a half
    0.25
    """
    marks: list[tuple[float, bool]] = []
    total = 0
    for photo, all_wanted in wanted.items():
        of_label = [box for box in all_wanted if box.label == label]
        guesses = _best_first([box for box in found.get(photo, ()) if box.label == label])
        total += len(of_label)
        hits = _hits(guesses, of_label, iou)
        marks += [(box.score, hit) for box, hit in zip(guesses, hits, strict=True)]
    if not total or not marks:
        return 0.0
    marks.sort(key=lambda mark: -mark[0])
    right = np.cumsum([hit for _, hit in marks])
    precision = right / np.arange(1, len(marks) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(right, prepend=0) / total
    return float((falling * steps).sum())


def recall(found: Found, wanted: Found, proposals: int, *, iou: float = 0.5) -> float:
    """Return the share of wanted boxes that one of the best ``proposals`` boxes of their photo covers, of any class."""
    covered = sum(
        sum(_hits(_best_first(found.get(photo, ()))[:proposals], boxes, iou)) for photo, boxes in wanted.items()
    )
    return covered / max(1, sum(map(len, wanted.values())))


def score_boxes(found: Found, wanted: Found, labels: Sequence[str], *, iou: float = 0.5) -> BoxScores:
    """Return every measure of ``found`` against ``wanted``; classes without a wanted box do not count."""
    present = Counter(box.label for boxes in wanted.values() for box in boxes)
    precisions = {label: average_precision(found, wanted, label, iou=iou) for label in labels if present[label]}
    return BoxScores(
        photos=len(wanted),
        boxes=present.total(),
        iou=iou,
        mean_average_precision=float(np.mean(list(precisions.values()))) if precisions else 0.0,
        average_precision=precisions,
        recall={number: recall(found, wanted, number, iou=iou) for number in PROPOSALS},
        proposals_per_photo=sum(len(found.get(photo, ())) for photo in wanted) / max(1, len(wanted)),
    )


def mean_boxes(table: BoxTable, train: Sequence[str], sizes: Mapping[str, tuple[int, int]]) -> dict[str, list[Box]]:
    """Return for every photo of ``sizes`` (width, height), training photos too, one box a class: the training mean.

    The mean is taken in shares of the photos' sides; a class' score is the share of training photos that have it.
    """
    corners: dict[str, list[npt.NDArray[np.float64]]] = {label: [] for label in table.labels}
    seen: Counter[str] = Counter()
    for photo in train:
        width, height = sizes[photo]
        boxes = table.in_pixels(photo, width, height)
        seen.update({box.label for box in boxes})
        for box in boxes:
            corners[box.label].append(_corners([box])[0] / (width, height, width, height))
    means = {label: np.mean(some, axis=0) for label, some in corners.items() if some}
    return {
        photo: [
            Box(label, seen[label] / len(train), *(mean * (width, height, width, height)).tolist())
            for label, mean in means.items()
        ]
        for photo, (width, height) in sizes.items()
    }
