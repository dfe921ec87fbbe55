"""Which categories a set of photos holds, and how many of each.

Predictions in, counts out; draws nothing. Read next: :func:`trendloom.classifier.pictures.photo_grid`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trendloom.classifier.head import Prediction

__all__ = ["CategoryCount", "count_categories"]


@dataclass(frozen=True)
class CategoryCount:
    """A category, the photos that were taken for it, surest first, and how many are to be expected.

    ``expected`` is the sum of the category's calibrated probabilities where they are among the best of a photo.
    """

    label: str
    photos: int
    expected: float
    #: Names and probabilities.
    members: tuple[tuple[str, float], ...]


def count_categories(
    names: Sequence[str], predictions: Sequence[Prediction], most: int | None = None
) -> list[CategoryCount]:
    """Return the ``most`` common categories (all by default), most photos first, equal counts by name.

    >>> sure, unsure = Prediction("hat", 0.9, (("cap", 0.1),)), Prediction("hat", 0.6, (("cap", 0.4),))
    >>> found = count_categories(["a", "b"], [unsure, sure])
    >>> [(count.label, count.photos, round(count.expected, 2)) for count in found], found[0].members[0]
    ([('hat', 2, 1.5)], ('b', 0.9))
    """
    members: dict[str, list[tuple[str, float]]] = {}
    expected: dict[str, float] = {}
    for name, prediction in zip(names, predictions, strict=True):
        members.setdefault(prediction.label, []).append((name, prediction.probability))
        for label, probability in ((prediction.label, prediction.probability), *prediction.others):
            expected[label] = expected.get(label, 0.0) + probability
    counts = [
        CategoryCount(
            label, len(found), expected[label], tuple(sorted(found, key=lambda member: (-member[1], member[0])))
        )
        for label, found in members.items()
    ]
    return sorted(counts, key=lambda count: (-count.photos, count.label))[:most]
