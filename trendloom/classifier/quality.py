"""How good a classifier is: accuracy, macro recall, confusion matrix, calibration, and the temperature that mends it.

Probabilities and true classes in, numbers out. Read next: :mod:`trendloom.classifier.head`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Quality", "calibration_error", "confusion", "fit_temperature", "measure", "softmax"]

_BINS = 15
#: Temperatures that are tried: from very sure to very unsure.
_TEMPERATURES = np.geomspace(0.2, 5.0, 161)


@dataclass(frozen=True)
class Quality:
    """What a test part said; ``recall`` has one number a class, nan where the part has no such photo."""

    photos: int
    accuracy: float
    macro_recall: float
    calibration_error: float
    recall: tuple[float, ...]
    #: (C, C) photos by true class (rows) and chosen class (columns).
    confusion: npt.NDArray[np.int64]

    def as_dict(self, labels: Sequence[str]) -> dict[str, object]:
        """Return the figures for JSON, classes by name."""
        return {
            "photos": self.photos,
            "accuracy": round(self.accuracy, 4),
            "macro_recall": round(self.macro_recall, 4),
            "calibration_error": round(self.calibration_error, 4),
            "classes": {
                label: {"photos": int(row.sum()), "recall": None if np.isnan(recall) else round(recall, 4)}
                for label, recall, row in zip(labels, self.recall, self.confusion, strict=True)
            },
            "confusion": self.confusion.tolist(),
        }


def softmax(logits: npt.NDArray[np.floating], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Return exp(z / T) / sum(exp(z / T)) of each row.

    >>> softmax(np.array([[0.0, np.log(3.0)]])).round(2).tolist()
    [[0.25, 0.75]]
    """
    scaled = np.asarray(logits, np.float64) / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return probabilities


def fit_temperature(logits: npt.NDArray[np.floating], wanted: npt.NDArray[np.integer]) -> float:
    """Return the temperature in [0.2, 5] with the least mean -log p(true class); 1 without photos.

    Dividing logits by one number changes no chosen class (Guo et al., On Calibration of Modern Neural Networks, 2017).

    >>> fit_temperature(np.array([[4.0, 0.0]] * 10), np.array([0] * 9 + [1])) > 1.5  # sure of 98 %, right in 90 %
    True
    """
    if not len(wanted):
        return 1.0
    rows = np.arange(len(wanted))
    losses = [
        -np.log(np.maximum(softmax(logits, float(temperature))[rows, wanted], 1e-300)).mean()
        for temperature in _TEMPERATURES
    ]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def calibration_error(probabilities: npt.NDArray[np.floating], wanted: npt.NDArray[np.integer]) -> float:
    """Return the expected calibration error: sum over 15 equal bins of share x |accuracy - mean confidence|.

    Confidence is the greatest probability of a photo.

    >>> round(calibration_error(np.array([[0.8, 0.2]] * 4), np.array([0, 0, 0, 1])), 3)  # says .8, right in .75
    0.05
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == wanted
    place = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=_BINS)
    return float(np.abs(gaps).sum() / max(len(wanted), 1))


def confusion(chosen: npt.NDArray[np.integer], wanted: npt.NDArray[np.integer], classes: int) -> npt.NDArray[np.int64]:
    """Return (C, C) counts by true class (rows) and chosen class (columns).

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    counts = np.bincount(wanted.astype(np.int64) * classes + chosen, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def measure(probabilities: npt.NDArray[np.floating], wanted: npt.NDArray[np.integer]) -> Quality:
    """Return accuracy, macro recall (mean over the classes that are there) and calibration of (B, C) probabilities.

    >>> quality = measure(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), np.array([0, 1, 1]))
    >>> round(quality.accuracy, 3), quality.macro_recall, quality.recall
    (0.667, 0.75, (1.0, 0.5))
    """
    matrix = confusion(probabilities.argmax(axis=1), wanted, probabilities.shape[1])
    photos = matrix.sum(axis=1)
    recall = np.where(photos > 0, matrix.diagonal() / np.maximum(photos, 1), np.nan)
    return Quality(
        photos=len(wanted),
        accuracy=float(matrix.trace() / max(len(wanted), 1)),
        macro_recall=float(np.nanmean(recall)) if len(wanted) else float("nan"),
        calibration_error=calibration_error(probabilities, wanted),
        recall=tuple(float(value) for value in recall),
        confusion=matrix,
    )
