"""How a label that is only probable weighs candidates: softly, so that an unsure label never hides the right answer.

The formula is all that is here; it knows neither classifier nor catalogue. Read next: :mod:`trendloom.similar.search`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["LABEL_WEIGHT", "label_bonus", "match_labels"]

#: A label that is quite improbable costs a candidate so much cosine (docs/similar.md says how it was chosen).
LABEL_WEIGHT = 0.2

Floats = npt.NDArray[np.float32]


def label_bonus(probabilities: npt.NDArray[np.floating], weight: float = LABEL_WEIGHT) -> Floats:
    """Return what each label adds to a cosine, (Q, C + 1) for (Q, C) probabilities of Q photos; never above 0.

    bonus_c = weight * (p_c - max p): nothing for the likeliest label, at most ``weight`` less for any other. So with
    equal probabilities every bonus is exactly 0 and the order is that of plain search, and a candidate is overtaken
    only by one whose cosine is short of its own by less than weight * (difference of their labels' probabilities).
    The last column is for candidates whose label is unknown: the mean of the labels.

    >>> label_bonus(np.array([[0.75, 0.25], [0.5, 0.5]]), 1.0).tolist()
    [[0.0, -0.5, -0.25], [0.0, 0.0, 0.0]]
    """
    wide = np.asarray(probabilities, np.float64)
    most, least = wide.max(axis=1, keepdims=True), wide.min(axis=1, keepdims=True)
    # a mean of equal numbers may miss them by the last bit: held between the extremes it does not
    mean = np.clip(wide.mean(axis=1, keepdims=True), least, most)
    bonus: Floats = (weight * (np.concatenate([wide, mean], axis=1) - most)).astype(np.float32)
    return bonus


def match_labels(told: Sequence[str], wanted: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return for each of the catalogue's names ``told`` its position among the classifier's labels, or -1.

    Upper and lower case, spaces, hyphens and a plural s make no difference.

    >>> match_labels(["T-Shirt", "Hats", "Sari"], ["hat", "t shirt"]).tolist()
    [1, 0, -1]
    """
    place = {_plain(name): number for number, name in enumerate(wanted)}
    return np.array([place.get(_plain(name), -1) for name in told], np.int64)


def _plain(name: str) -> str:
    letters = "".join(letter for letter in name.casefold() if letter.isalnum())
    return letters.removesuffix("s") if len(letters) > 3 else letters
