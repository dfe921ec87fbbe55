"""Several runs over one log, one a seed, as one: questions of all seeds side by side, customers the same throughout.

The seed moves the times of day and the ties, so a figure is the mean over seeds; customers are drawn with all that
they were asked under every seed. Read next: :mod:`evaluation.figures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Ground, Purchases
from evaluation.prequential import Judged, Sheet
from evaluation.tasks import Questions

__all__ = ["Asked", "Run", "asked_of"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Run:
    """One seed's run and what it was over."""

    seed: int
    purchases: Purchases
    questions: Questions
    ground: Ground
    judged: Judged


@dataclass(frozen=True, eq=False)
class Asked:
    """A task's Q questions over all runs: who was asked, when, of which run, whether nothing was known of the customer.

    ``day`` (Q,) counts UTC days since the epoch; ``sheets`` are those of each contestant, run by run.
    """

    customer: Ints
    at_ms: Ints
    run: Ints
    cold: npt.NDArray[np.bool_]
    sheets: dict[str, list[Sheet]]

    @property
    def day(self) -> Ints:
        """UTC days since the epoch (Q,)."""
        return self.at_ms // DAY_MS

    def marks(self, name: str) -> npt.NDArray[np.float32]:
        """Return a contestant's marks (Q, 5)."""
        return np.concatenate([sheet.all_marks() for sheet in self.sheets[name]])


def asked_of(runs: Sequence[Run], task: str) -> Asked:
    """Return a task's questions over all runs, customers numbered alike in all of them."""
    number: dict[str, int] = {}
    customer, at_ms, run, cold = [], [], [], []
    for place, one in enumerate(runs):
        rows = one.judged.rows[task]
        names = one.ground.customer_ids
        buyers, where = np.unique(one.purchases.customer[rows], return_inverse=True)
        codes = [number.setdefault(names[buyer] if names else str(buyer), len(number)) for buyer in buyers.tolist()]
        customer.append(np.array(codes, np.int64)[where] if buyers.size else np.zeros(0, np.int64))
        at_ms.append(one.purchases.at_ms[rows])
        run.append(np.full(rows.size, place, np.int64))
        cold.append(one.questions.cold[rows])
    sheets = {name: [one.judged.sheets[task][name] for one in runs] for name in runs[0].judged.sheets[task]}
    return Asked(np.concatenate(customer), np.concatenate(at_ms), np.concatenate(run), np.concatenate(cold), sheets)
