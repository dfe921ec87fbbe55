"""A histogram of durations with a fixed size and a known error, for freshness and other latencies.

Buckets are logarithmic (as in HdrHistogram): a quantile is right to half a bucket, about 0.8 %, whether durations are
microseconds or hours. It keeps no single value. Read next: :mod:`trendloom.verify.stream_check`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

__all__ = ["DurationHistogram"]

_BUCKETS_PER_DOUBLING = 44  # one bucket is 2^(1/44) = 1.6 % wide
_LOWEST_MS = 0.01
_DOUBLINGS = 34  # 10 µs · 2^34 = two days


class DurationHistogram:
    """Counts durations in milliseconds; below 10 µs counts as 10 µs, above two days as two days.

    >>> histogram = DurationHistogram()
    >>> histogram.add_all([10.0] * 98 + [500.0] * 2)
    >>> histogram.count, round(histogram.quantile_ms(0.5)), round(histogram.quantile_ms(0.99), -1)
    (100, 10, 500.0)
    """

    def __init__(self) -> None:
        self._counts: npt.NDArray[np.int64] = np.zeros(_BUCKETS_PER_DOUBLING * _DOUBLINGS + 1, dtype=np.int64)
        #: The longest duration seen, exactly; 0 while there is none.
        self.longest_ms = 0.0

    @property
    def count(self) -> int:
        """How many durations were added."""
        return int(self._counts.sum())

    def add(self, duration_ms: float) -> None:
        """Count one duration."""
        place = _BUCKETS_PER_DOUBLING * math.log2(max(duration_ms, _LOWEST_MS) / _LOWEST_MS)
        self._counts[min(int(place), len(self._counts) - 1)] += 1
        self.longest_ms = max(self.longest_ms, duration_ms)

    def add_all(self, durations_ms: Iterable[float]) -> None:
        """Count several durations."""
        for duration_ms in durations_ms:
            self.add(duration_ms)

    def add_array(self, durations_ms: npt.NDArray[np.float64]) -> None:
        """Count many durations at once.

        >>> histogram = DurationHistogram()
        >>> histogram.add_array(np.array([1.0, 2.0, 3.0]))
        >>> histogram.count, histogram.longest_ms
        (3, 3.0)
        """
        if not len(durations_ms):
            return
        places = _BUCKETS_PER_DOUBLING * np.log2(np.maximum(durations_ms, _LOWEST_MS) / _LOWEST_MS)
        last = len(self._counts) - 1
        self._counts += np.bincount(np.minimum(places, last).astype(np.int64), minlength=last + 1)
        self.longest_ms = max(self.longest_ms, float(durations_ms.max()))

    def merge(self, other: DurationHistogram) -> None:
        """Count all that another histogram counted."""
        self._counts += other._counts
        self.longest_ms = max(self.longest_ms, other.longest_ms)

    def quantile_ms(self, share: float) -> float:
        """Return the duration that this share of all does not exceed; NaN while there is none.

        The middle of the bucket is returned, never more than the longest duration seen.
        """
        total = self.count
        if total == 0:
            return math.nan
        rank = max(1, math.ceil(share * total))
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        middle = _LOWEST_MS * 2.0 ** ((bucket + 0.5) / _BUCKETS_PER_DOUBLING)
        return float(min(middle, self.longest_ms))
