"""`balanced` with the part `trained`: the live path, given a model that is trained anew when a day begins.

The model learns the customers of the earlier days; who is new stands for those who took the same, and what is new says
nothing, by the rules of :mod:`trendloom.collaborative.on_stream`. Read next: :mod:`evaluation.contestants.live`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Ground, Purchases
from evaluation.contestants.live import Live
from evaluation.contestants.sequences import Sequences
from trendloom.collaborative.model import CollaborativeModel
from trendloom.logs.interactions import Interactions
from trendloom.relevance.presets import Preset

__all__ = ["BalancedTrained", "TrainVectors", "interactions_before", "train_als_vectors", "train_network_vectors"]

Ints = npt.NDArray[np.int64]
TrainVectors = Callable[[Interactions, np.random.Generator], CollaborativeModel | None]


def interactions_before(
    purchases: list[Purchases], before_ms: int, customer_name: Callable[[int], str], item_ids: tuple[str, ...]
) -> Interactions:
    """Return who bought what before a moment, under the names of the stream."""
    made = Sequences.of(purchases, before_ms)
    known = [one.customer[one.at_ms < before_ms] for one in purchases]
    buyers = np.unique(np.concatenate([np.zeros(0, np.int64), *known]))
    return Interactions(
        made.start,
        made.column.astype(np.int32),
        tuple(customer_name(int(buyer)) for buyer in buyers.tolist()),
        tuple(item_ids[number] for number in made.item.tolist()),
    )


def train_network_vectors(known: Interactions, rng: np.random.Generator) -> CollaborativeModel | None:
    """Return a GMF at our settings, the last epoch of it; None where there is nothing to tell from anything else."""
    from evaluation.leave_one_out.networks_study import fit_model
    from models.collaborative.recipe import TUNED

    if not known.n_users or (np.diff(known.start) >= known.n_items).any():
        return None
    return fit_model(known, TUNED["gmf"], seed=int(rng.integers(2**31)))[0]


def train_als_vectors(
    known: Interactions,
    rng: np.random.Generator,
    *,
    factors: int = 128,
    regularization: float = 30.0,
    alpha: float = 40.0,
    steepness: float = 8.0,
) -> CollaborativeModel | None:
    """Return implicit ALS in the shape of the networks: the chance is sigmoid(steepness (x'y - 1/2)).

    x'y is near 1 where a customer took the item, and near 0 elsewhere. Raises
    :class:`~trendloom.errors.MissingExtra` without the package ``implicit``.
    """
    from evaluation.contestants.baskets import missing_extra

    try:
        from implicit.als import AlternatingLeastSquares
        from scipy.sparse import csr_matrix
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    if not known.n_users:
        return None
    ones = np.ones(known.item.size, np.float32)
    table = csr_matrix((ones, (known.user, known.item)), shape=(known.n_users, known.n_items))
    with threadpool_limits(limits=1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=10,
            num_threads=1,
            random_state=int(rng.integers(2**31)),
        )
        model.fit(table, show_progress=False)
    return CollaborativeModel(
        kind="als",
        user_ids=known.user_ids,
        item_ids=known.item_ids,
        user_dot=np.asarray(model.user_factors, np.float32) * np.float32(steepness),
        item_dot=np.asarray(model.item_factors, np.float32),
        item_bias=np.full(known.n_items, -steepness / 2, np.float32),
        user_hidden=np.zeros((known.n_users, 0), np.float32),
        item_hidden=np.zeros((known.n_items, 0), np.float32),
        layers=(),
        out=np.zeros(0, np.float32),
        start=known.start,
        taken=known.item,
    )


class BalancedTrained:
    """The live path with a preset that weighs `trained`; without an earlier day it is the preset without that part."""

    def __init__(self, name: str, ground: Ground, preset: Preset, train: TrainVectors) -> None:
        self.name = name
        self._ground = ground
        self._train = train
        self._live = Live(name, ground, preset)
        self._learnt: list[Purchases] = []
        self._day: int | None = None

    def close(self) -> None:
        """Let go of the event loop."""
        self._live.close()

    def after(self, batch: Purchases, k: int) -> Ints:
        """Return the lists of the live path, with the model of the earlier days."""
        self._turn(int(batch.at_ms[0]) // DAY_MS)
        return self._live.after(batch, k)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return what the live path shows customers who come back; no model is asked there."""
        return self._live.before(customer, at_ms, k)

    def learn(self, batch: Purchases) -> None:
        """Keep the batch for the next training, and let the live path learn it."""
        self._learnt.append(batch)
        self._live.learn(batch)

    def _turn(self, day: int) -> None:
        """Train when a day begins; of a batch that spans midnight the earlier day counts."""
        if day == self._day:
            return
        self._day = day
        known = interactions_before(self._learnt, day * DAY_MS, self._live.name_of, self._ground.item_ids)
        model = self._train(known, self._ground.generator(f"{self.name} {day}"))
        if model is not None:
            self._live.take_model(model)
