"""Bursts: an item that suddenly trends, on demand or at random, and fades.

A burst is counted in purchases, so it looks the same at any pace. Read next: ``producers/synthetic.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from trendloom.errors import SettingsError

__all__ = ["Burst", "PlannedBurst", "parse_burst"]

#: Share of all purchases that a burst takes at first, from customers of mean trendiness.
FIRST_SHARE = 0.3
#: Purchases after which a burst's share has halved.
HALVES_AFTER = 200
#: Below this share a burst is over.
LAST_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Burst:
    """An item (its row) that began to trend with purchase number ``began``."""

    row: int
    began: int

    def share(self, number: int) -> float:
        """Return the share of purchases that it takes at purchase ``number``: 0.3 · 2^(-(number - began) / 200).

        >>> Burst(row=7, began=100).share(300)
        0.15
        """
        return float(FIRST_SHARE * 0.5 ** ((number - self.began) / HALVES_AFTER))


@dataclass(frozen=True, slots=True)
class PlannedBurst:
    """An item that shall begin to trend ``after_s`` seconds into the run."""

    item_id: str
    after_s: float


def parse_burst(text: str) -> PlannedBurst:
    """Return the burst that ``ITEM@SECONDS`` plans; the item's id may itself hold an @.

    >>> parse_burst("t-shirt-00003aeb@30")
    PlannedBurst(item_id='t-shirt-00003aeb', after_s=30.0)
    """
    item_id, at, seconds = text.rpartition("@")
    try:
        after_s = float(seconds)
    except ValueError:
        after_s = -1.0
    if not (item_id and at) or not 0 <= after_s < float("inf"):
        raise SettingsError(f"{text!r} is not ITEM@SECONDS. Action: write for example t-shirt-00003aeb@30.")
    return PlannedBurst(item_id, after_s)
