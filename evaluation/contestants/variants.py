"""Same-product variants: other colours of what the customer bought, those of the latest product first.

Items of a product are told by the catalogue alone. Read next: :mod:`evaluation.contestants.item_knn`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.contestant import Ground, Histories, Purchases
from evaluation.contestants.choosing import best_of_pairs, filled
from evaluation.contestants.popularity import Popularity
from evaluation.contestants.repurchase import distinct_weights

__all__ = ["Variants"]

Ints = npt.NDArray[np.int64]


class Variants:
    """Sold items of the products in the history: by the product's latest purchase, then by how well each one sells.

    What is left of a list goes to what sold most.
    """

    def __init__(self, name: str, ground: Ground, *, half_life_s: float | None = 86_400.0) -> None:
        self.name = name
        self._ground = ground
        self._popular = Popularity(name, ground, half_life_s=half_life_s)

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return the variants of what the customer has bought."""
        return self._list(self._ground.customers.after(batch), batch.at_ms, k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return the variants of what the customer had bought."""
        return self._list(self._ground.customers.before(customer), at_ms, k)

    def learn(self, batch: Purchases) -> None:
        """Note what sells."""
        self._popular.learn(batch)

    def _list(self, histories: Histories, at_ms: Ints, k: int) -> Ints:
        features, barred = self._ground.features, histories.bought_on(at_ms)
        ranking = self._popular.ranking()
        rank = np.full(features.size, -1, np.int64)
        rank[ranking] = np.arange(ranking.size)
        weight = distinct_weights(histories, at_ms, position_decay=0.95, day_decay=0.7)
        row, place = np.nonzero(weight > 0)
        product = features.product[histories.item[row, place]].astype(np.int64)
        _, latest = np.unique(row * (features.n_products + 1) + product, return_index=True)  # the first is the newest
        row, place, product = row[latest], place[latest], product[latest]
        found, item = features.variants.expand(product, features.size)
        kept = rank[item] >= 0
        kept &= ~(item[:, None] == barred[row[found]]).any(axis=1)
        found, item = found[kept], item[kept]
        score = weight[row[found], place[found]] * (1.0 - 0.03 * rank[item] / max(ranking.size, 1))
        lists = best_of_pairs(row[found], item, score, at_ms.size, k)
        return filled(lists, ranking, barred)
