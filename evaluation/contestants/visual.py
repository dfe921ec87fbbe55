"""Visual only: the sold items whose photos look most like what the customer bought, and nothing else.

Items without a photo are never listed, and customers whose items have none get no list. Read next:
:mod:`trendloom.relevance.visual`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.contestant import Ground, Histories, Purchases
from evaluation.contestants.choosing import best_of_scores
from evaluation.contestants.repurchase import distinct_weights
from trendloom.errors import InputError

__all__ = ["Visual"]

Ints = npt.NDArray[np.int64]


class Visual:
    """Cosine of the photo embeddings to the mean of the history's, each weighed .95^place * .7^days.

    With ``last_only`` the latest purchase alone is looked at. Raises InputError where the catalogue has no photos.
    """

    def __init__(self, name: str, ground: Ground, *, last_only: bool = False) -> None:
        if not ground.features.photo_embeddings.shape[0]:
            raise InputError(f"Model {name!r} looks at photos. Action: name a catalogue that was built with photos.")
        self.name = name
        self._ground = ground
        self._decay = 0.0 if last_only else 0.95
        self._rng = ground.generator(name)
        self._sold = np.zeros(ground.n_items, np.bool_)

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return what looks like the customer's purchases."""
        return self._list(self._ground.customers.after(batch), batch.at_ms, k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return what looks like the customer's earlier purchases."""
        return self._list(self._ground.customers.before(customer), at_ms, k)

    def learn(self, batch: Purchases) -> None:
        """Note what was sold."""
        self._sold[batch.item] = True

    def _list(self, histories: Histories, at_ms: Ints, k: int) -> Ints:
        features = self._ground.features
        seen = np.flatnonzero(self._sold & (features.photo_row >= 0))
        if not seen.size:
            return np.full((at_ms.size, k), -1, np.int64)
        weight = distinct_weights(histories, at_ms, position_decay=self._decay, day_decay=0.7)
        row, place = np.nonzero(weight > 0)
        photo = features.photo_row[histories.item[row, place]]
        row, place, photo = row[photo >= 0], place[photo >= 0], photo[photo >= 0]
        asking, of = np.unique(row, return_inverse=True)  # the others have nothing to be compared with
        wanted = np.zeros((asking.size, features.photos.shape[1]), np.float32)
        np.add.at(wanted, of, features.photos[photo] * weight[row, place, None].astype(np.float32))
        scores = wanted @ features.photos[features.photo_row[seen]].T
        place_of = np.full(features.size + 1, -1, np.int64)  # the last one is for -1
        place_of[seen] = np.arange(seen.size)
        lists = np.full((at_ms.size, k), -1, np.int64)
        barred = place_of[histories.bought_on(at_ms)[asking]]
        lists[asking] = best_of_scores(scores, barred, k, self._rng)
        return np.where(lists >= 0, np.append(seen, -1)[lists], -1)
