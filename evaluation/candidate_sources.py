"""Where candidates could come from: every source as a score of all items sold so far, plain and exhaustive.

Made to measure by, not to serve: each source looks at every item. What is worth it goes into
:mod:`trendloom.candidates`. Read next: :mod:`evaluation.candidate_recall`, which asks and counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.contestant import DAY_MS, Histories, Purchases
from evaluation.contestants.baskets import missing_extra
from evaluation.contestants.repurchase import distinct_weights
from trendloom.relevance.features import ItemFeatures

__all__ = ["LIFTS", "SOURCES", "Asked", "Shop"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]
HALF_LIFE_MS = DAY_MS
_LENGTH = 20
_BANDS = 40
#: A pair of half a purchase, by what the second's group sells at all: so a rare group is not sure of anything.
_PRIOR_PAIRS = 0.5
#: The powers that lifts are multiplied with; what a catalogue does not say is left out.
LIFTS: Mapping[str, float] = {
    "department": 0.6,
    "colour": 0.5,
    "type": 0.3,
    "section": 0.3,
    "pattern": 0.3,
    "garment_group": 0.2,
    "index": 0.2,
    "shade": 0.2,
    "hue": 0.2,
}


def _sparse(value: npt.ArrayLike, row: npt.ArrayLike, column: npt.ArrayLike, shape: tuple[int, int]) -> Any:
    try:
        from scipy.sparse import csr_matrix
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    return csr_matrix((np.asarray(value, np.float32), (np.asarray(row), np.asarray(column))), shape=shape)


@dataclass
class Shop:
    """What is known of N items so far: sales, pairs of one customer, and the pairs of their attributes' values.

    ``attributes`` gives codes (N,) from 0 on by name, ``word`` the first word of the name; ``features`` the rest.
    Pairs of one day count 1, of different days a half, as in item-kNN.
    """

    features: ItemFeatures
    attributes: Mapping[str, Ints]
    word: Ints
    purchases: Wide = field(init=False)
    #: sum of 2^((t - landmark) / half-life) over the sales
    popularity: Wide = field(init=False)
    pairs: Any = field(init=False)
    pairs_of: dict[str, Wide] = field(init=False)
    band: Ints = field(init=False)
    _landmark_ms: int = -1

    def __post_init__(self) -> None:
        """Begin with nothing sold."""
        n = self.features.size
        self.purchases, self.popularity = np.zeros(n), np.zeros(n)
        self.pairs = _sparse([], [], [], (n, n))
        self.band = np.full(n, -1, np.int64)
        sizes = {name: int(code.max(initial=-1)) + 1 for name, code in self.attributes.items()}
        self.pairs_of = {name: np.zeros((size, size)) for name, size in (sizes | {"price_band": _BANDS}).items()}

    @property
    def codes(self) -> dict[str, Ints]:
        """All attributes' codes (N,); an item's price band goes by its last price, two bands an octave."""
        return {**self.attributes, "price_band": self.band}

    def learn(self, batch: Purchases, histories: Histories) -> None:
        """Take a batch in, with each purchase's history up to and including itself."""
        if not len(batch):
            return
        if self._landmark_ms < 0:
            self._landmark_ms = int(batch.at_ms[0])
        np.add.at(self.purchases, batch.item, 1.0)
        np.add.at(self.popularity, batch.item, 2.0 ** ((batch.at_ms - self._landmark_ms) / HALF_LIFE_MS))
        priced = np.isfinite(batch.price) & (batch.price > 0)
        band = np.floor(2.0 * np.log2(batch.price[priced])).astype(np.int64) + _BANDS // 2
        self.band[batch.item[priced]] = np.clip(band, 0, _BANDS - 1)
        weight = distinct_weights(histories, batch.at_ms, position_decay=1.0, day_decay=1.0)[:, 1 : _LENGTH + 1]
        older = histories.item[:, 1 : _LENGTH + 1]
        row, place = np.nonzero((weight > 0) & (older != batch.item[:, None]))
        one, other = batch.item[row], older[row, place]
        same_day = histories.at_ms[row, place + 1] // DAY_MS == batch.at_ms[row] // DAY_MS
        value = np.tile(np.where(same_day, 1.0, 0.5), 2)
        one, other = np.concatenate([one, other]), np.concatenate([other, one])
        self.pairs = self.pairs + _sparse(value, one, other, self.pairs.shape)
        codes = self.codes
        for name, table in self.pairs_of.items():
            known = (codes[name][one] >= 0) & (codes[name][other] >= 0)
            np.add.at(table, (codes[name][one[known]], codes[name][other[known]]), value[known])


@dataclass(frozen=True, eq=False)
class Asked:
    """B purchases that ask a shop, with their histories; scores are over the S items ``sold`` so far."""

    shop: Shop
    histories: Histories
    at_ms: Ints

    @cached_property
    def sold(self) -> Ints:
        """Numbers (S,) of the items sold so far."""
        return np.flatnonzero(self.shop.purchases > 0)

    @cached_property
    def item(self) -> Ints:
        """The latest items (B, 20), -1 padded."""
        return self.histories.item[:, :_LENGTH]

    @cached_property
    def weight(self) -> Wide:
        """Weights (B, 20): .95^place * .7^days over distinct items, 0 elsewhere."""
        return distinct_weights(self.histories, self.at_ms, position_decay=0.95, day_decay=0.7)[:, :_LENGTH]

    @cached_property
    def wanted(self) -> Any:
        """The weights as a sparse table (B, N)."""
        row, place = np.nonzero(self.weight > 0)
        shape = (self.at_ms.size, self.shop.features.size)
        return _sparse(self.weight[row, place], row, self.item[row, place], shape)

    @cached_property
    def fresh(self) -> Wide:
        """Popularity (S,) of the sold items, the greatest 1."""
        popularity = self.shop.popularity[self.sold]
        return np.asarray(popularity / max(popularity.max(initial=0.0), np.finfo(np.float64).tiny))

    @cached_property
    def counts(self) -> Wide:
        """Purchases (S,) of the sold items."""
        return self.shop.purchases[self.sold]

    @cached_property
    def evidence(self) -> Floats:
        """Sum over j of w_j C_ij (B, S)."""
        return np.asarray((self.wanted @ self.shop.pairs)[:, self.sold].toarray(), np.float32)

    def grouped(self, code: Ints) -> Any:
        """Return the weights by the histories' codes (N,), a sparse table (B, groups)."""
        row, place = np.nonzero((self.weight > 0) & (self.item >= 0))
        group = code[self.item[row, place]]
        known = group >= 0
        shape = (self.at_ms.size, int(code.max(initial=-1)) + 1)
        return _sparse(self.weight[row, place][known], row[known], group[known], shape)

    def chance(self, name: str) -> Wide:
        """Return the chance (B, groups) of the next item's value of an attribute, by the values of the history."""
        table, code = self.shop.pairs_of[name], self.shop.codes[name]
        table = table + _PRIOR_PAIRS * self.share(name)
        table /= np.maximum(table.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        weight = self.grouped(code)
        padded = np.zeros((self.at_ms.size, len(table)))
        padded[:, : weight.shape[1]] = weight.toarray()
        padded /= np.maximum(padded.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        return np.asarray(padded @ table)

    def share(self, name: str) -> Wide:
        """Return each value's share (groups,) of all purchases."""
        code = self.shop.codes[name][self.sold]
        known = code >= 0
        sold = np.bincount(code[known], self.counts[known], minlength=len(self.shop.pairs_of[name]))
        return np.asarray(sold / max(sold.sum(), 1.0))

    @cached_property
    def lifts(self) -> dict[str, Floats]:
        """Logarithms of chance over share (B, S) by attribute; 0 where nothing is known."""
        found = {}
        for name in self.shop.pairs_of:
            chance, share = self.chance(name), self.share(name)
            lift = np.log(np.maximum(chance, 1e-9) / np.maximum(share, 1e-9)).astype(np.float32)
            code = self.shop.codes[name][self.sold]
            lift[~chance.any(axis=1)] = 0.0
            found[name] = np.where(code >= 0, lift[:, np.maximum(code, 0)], np.float32(0.0))
        return found

    def lifted(self, powers: Mapping[str, float], popularity: float = 0.7) -> Floats:
        """Return popularity^power times the product of lift^power (B, S)."""
        total = np.tile((popularity * np.log(self.fresh)).astype(np.float32), (self.at_ms.size, 1))
        for name, power in powers.items():
            if name in self.lifts:
                total += np.float32(power) * self.lifts[name]
        return np.asarray(np.exp(total), np.float32)

    def same(self, code: Ints) -> Floats:
        """Return the summed weight (B, S) of the history's items that share the item's code."""
        if not (code >= 0).any():
            return np.zeros((self.at_ms.size, self.sold.size), np.float32)
        table = np.asarray(self.grouped(code).toarray(), np.float32)
        mine = code[self.sold]
        return np.where(mine >= 0, table[:, np.maximum(mine, 0)], np.float32(0.0))


def _last_knn(asked: Asked) -> Floats:
    newest = _sparse(np.ones(asked.at_ms.size), np.arange(asked.at_ms.size), asked.item[:, 0], asked.wanted.shape)
    table = (newest @ asked.shop.pairs)[:, asked.sold].toarray()
    return np.asarray(table / (asked.counts + 20.0) ** 0.5, np.float32)


def _history_knn(asked: Asked) -> Floats:
    return np.asarray(asked.evidence / (asked.counts + 100.0) ** 0.7, np.float32)


def _two_hops(asked: Asked) -> Floats:
    from scipy.sparse import diags

    pairs = asked.shop.pairs
    step = diags(1.0 / np.maximum(np.asarray(pairs.sum(axis=1)).ravel(), 1e-9)) @ pairs
    table = (asked.wanted @ step @ step)[:, asked.sold].toarray()
    return np.asarray(table / (asked.counts + 20.0) ** 0.5, np.float32)


def _products(asked: Asked) -> tuple[Floats, Wide]:
    """Return co-purchase between products (B, S) and each item's share (S,) of its product's popularity."""
    product = asked.shop.features.product.astype(np.int64)
    n = int(product.max(initial=-1)) + 1
    if n == 0:
        return np.zeros((asked.at_ms.size, asked.sold.size), np.float32), np.zeros(asked.sold.size)
    known = np.flatnonzero(product >= 0)
    member = _sparse(np.ones(known.size), known, product[known], (product.size, n))
    between = member.T @ asked.shop.pairs @ member
    between.setdiag(0)
    mine = product[asked.sold]
    table = np.where(mine >= 0, (asked.wanted @ member @ between)[:, np.maximum(mine, 0)].toarray(), 0.0)
    sold = np.bincount(mine[mine >= 0], asked.counts[mine >= 0], minlength=n)
    fresh = np.bincount(mine[mine >= 0], asked.fresh[mine >= 0], minlength=n)
    place = np.maximum(mine, 0)
    share = np.where(mine >= 0, asked.fresh / np.maximum(fresh[place], np.finfo(np.float64).tiny), 0.0)
    return np.asarray(table / (sold[place] + 20.0) ** 0.7, np.float32), share


def _product_pairs(asked: Asked) -> Floats:
    table, share = _products(asked)
    return np.asarray(table * share, np.float32)


def _product_colour(asked: Asked) -> Floats:
    table, share = _products(asked)
    colour = asked.lifts.get("colour", np.zeros_like(table))
    return np.asarray(table * np.sqrt(share) * np.exp(0.7 * colour), np.float32)


def _transition(name: str) -> Source:
    def scores(asked: Asked) -> Floats:
        """Return the chance of the item's value times the item's share of its value's popularity."""
        if name not in asked.shop.pairs_of:
            return np.zeros((asked.at_ms.size, asked.sold.size), np.float32)
        code = asked.shop.codes[name][asked.sold]
        place = np.maximum(code, 0)
        fresh = np.bincount(place, asked.fresh, minlength=len(asked.shop.pairs_of[name]))
        share = np.where(code >= 0, asked.fresh / np.maximum(fresh[place], np.finfo(np.float64).tiny), 0.0)
        return np.asarray(asked.chance(name)[:, place] * share, np.float32)

    return scores


def _first_word(asked: Asked) -> Floats:
    halved = {name: power / 2 for name, power in LIFTS.items()}
    return np.asarray(asked.same(asked.shop.word) * asked.lifted(halved), np.float32)


def _variants(asked: Asked) -> Floats:
    return asked.same(asked.shop.features.product.astype(np.int64)) * (0.25 + 0.75 * asked.fresh).astype(np.float32)


def _repurchase(asked: Asked) -> Floats:
    return np.asarray(asked.wanted[:, asked.sold].toarray(), np.float32)


def _visual(asked: Asked) -> Floats:
    """Return the sum over j of w_j .97^rank over the items' visual neighbours, times the root of popularity."""
    near = asked.shop.features.neighbours
    row, place = np.nonzero(asked.weight > 0)
    column = near[asked.item[row, place]].astype(np.int64)  # (P, M)
    value = asked.weight[row, place, None] * 0.97 ** np.arange(near.shape[1])
    known = column >= 0
    table = _sparse(value[known], np.repeat(row, near.shape[1])[known.ravel()], column[known], asked.wanted.shape)
    return np.asarray(table[:, asked.sold].toarray() * np.sqrt(asked.fresh), np.float32)


def _popularity(asked: Asked) -> Floats:
    return np.tile(asked.fresh.astype(np.float32), (asked.at_ms.size, 1))


Source = Callable[[Asked], Floats]

#: Every source by name; a score of 0 is no candidate.
SOURCES: Mapping[str, Source] = {
    "last item's kNN": _last_knn,
    "history kNN": _history_knn,
    "two hops": _two_hops,
    "product pairs": _product_pairs,
    "product pairs, in colour": _product_colour,
    "department": _transition("department"),
    "section": _transition("section"),
    "type": _transition("type"),
    "colour": _transition("colour"),
    "price band": _transition("price_band"),
    "department x colour": lambda asked: asked.lifted({"department": 1.0, "colour": 1.0}),
    "department x colour x type": lambda asked: asked.lifted({"department": 0.8, "colour": 0.8, "type": 0.4}),
    "all attributes": lambda asked: asked.lifted(LIFTS),
    "all attributes, price": lambda asked: asked.lifted({**LIFTS, "price_band": 0.3}),
    "first word": _first_word,
    "variants": _variants,
    "repurchase": _repurchase,
    "visual": _visual,
    "popularity": _popularity,
}
