"""What a worker counts, for its health endpoint: plain numbers, changed only on the event loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from trendloom.state.fold import Tally

__all__ = ["Counters"]


@dataclass
class Counters:
    """Since the worker's start: purchases by what became of them, lists published, dead letters by reason.

    ``lists_skipped`` are versions that were not published because a later list of the customer covers them (debounce).
    """

    new: int = 0
    duplicates: int = 0
    repeated: int = 0
    covered: int = 0
    lists: int = 0
    lists_skipped: int = 0
    batches: int = 0
    keyed_otherwise: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)

    def add(self, tally: Tally) -> None:
        """Count what became of a batch's purchases."""
        self.new += tally.new
        self.duplicates += tally.duplicates
        self.repeated += tally.repeated
        self.covered += tally.covered
        self.batches += 1

    def as_dict(self) -> dict[str, object]:
        """Return the counters for JSON."""
        return {
            "purchases_applied": self.new,
            "duplicates": self.duplicates,
            "repeated": self.repeated,
            "covered": self.covered,
            "lists": self.lists,
            "lists_skipped": self.lists_skipped,
            "batches": self.batches,
            "keyed_otherwise": self.keyed_otherwise,
            "dead_letters": dict(self.dead_letters),
        }
