"""What relevance knows of the items: the catalogue's side, fixed, and the stream's side, which every purchase moves.

Everything is indexed by item number; these are plain arrays, and nothing here reads a catalogue directory or a store.
Read next: :mod:`trendloom.relevance.query` for the purchases that ask, :mod:`trendloom.relevance.score` for the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from trendloom.bounded_counts import BoundedCounts
from trendloom.relevance.colour import ColourPairs
from trendloom.relevance.season import SeasonCounts
from trendloom.relevance.trained import TrainedScores
from trendloom.relevance.transitions import Transitions

__all__ = ["GENDERS", "ItemDynamics", "ItemFeatures", "Lists"]

#: What the codes of ``ItemFeatures.gender`` mean.
GENDERS = ("unknown", "women", "men", "unisex", "kids")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lists:
    """Lists of item numbers of different lengths, end to end: list g is ``items[starts[g] : starts[g + 1]]``."""

    starts: Ints
    items: Ints

    @classmethod
    def by_code(cls, codes: npt.NDArray[np.integer], items: Ints, n_lists: int | None = None) -> Lists:
        """Group items (E,) by their codes (E,), keeping their order; code -1 belongs to no list.

        >>> lists = Lists.by_code(np.array([1, 0, -1, 1]), np.array([10, 11, 12, 13]))
        >>> lists.starts.tolist(), lists.items.tolist()
        ([0, 1, 3], [11, 10, 13])
        """
        kept = codes >= 0
        code, item = codes[kept].astype(np.int64), items[kept]
        n = n_lists if n_lists is not None else (int(code.max()) + 1 if code.size else 0)
        order = np.argsort(code, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=n))])
        return cls(starts.astype(np.int64), item[order].astype(np.int64))

    def __len__(self) -> int:
        """Number of lists."""
        return int(self.starts.size) - 1

    def expand(self, codes: Ints, limit: int) -> tuple[Ints, Ints]:
        """Return (place, item): the first ``limit`` members of the list of each code (Q,); code -1 gives nothing.

        >>> place, item = Lists(np.array([0, 1, 3]), np.array([11, 10, 13])).expand(np.array([1, -1, 0]), limit=5)
        >>> place.tolist(), item.tolist()
        ([0, 0, 2], [10, 13, 11])
        """
        known = (codes >= 0) & (codes < len(self))
        code = np.where(known, codes, 0)
        if len(self) == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        sizes = np.where(known, np.minimum(self.starts[code + 1] - self.starts[code], limit), 0)
        place = np.repeat(np.arange(codes.size), sizes)
        within = np.arange(place.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return place, self.items[self.starts[code][place] + within]


@dataclass(frozen=True)
class ItemFeatures:
    """What the catalogue says of N items, by item number; -1 means unknown or none.

    ``category`` (N,) codes into ``category_names``; ``gender`` (N,) codes into :data:`GENDERS`; ``product`` (N,) is
    shared by the variants of a product, ``view_group`` (N,) by the views of one garment, ``group`` (N,) is what
    transitions are counted between; ``store`` (N,) an index into the coordinates (S,), degrees; ``photo_row`` (N,) a
    row of ``photo_embeddings`` (P, D), ``table_embeddings`` (N, T) unit rows; ``neighbours`` (N, M) the most similar
    items, best first, and ``lowest`` (N, L) the least similar ones, worst first, both padded with -1.
    """

    category: npt.NDArray[np.int16]
    category_names: tuple[str, ...]
    gender: npt.NDArray[np.int8]
    product: npt.NDArray[np.int32]
    view_group: npt.NDArray[np.int32]
    group: npt.NDArray[np.int16]
    store: npt.NDArray[np.int16]
    store_latitude_deg: Floats
    store_longitude_deg: Floats
    photo_row: npt.NDArray[np.int32]
    photo_embeddings: npt.NDArray[np.float16]
    table_embeddings: npt.NDArray[np.float16] | None
    neighbours: npt.NDArray[np.int32]
    neighbour_similarity: npt.NDArray[np.floating]
    lowest: npt.NDArray[np.int32]
    lowest_similarity: npt.NDArray[np.floating]
    #: a trained collaborative model, where one is given
    trained: TrainedScores | None = None
    #: purchases of earlier years by week, where they are given
    season: SeasonCounts | None = None
    #: (N,) codes of the colours, -1 unknown; empty where no part asks for them
    colour: npt.NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))

    @property
    def size(self) -> int:
        """N, the number of items."""
        return int(self.category.size)

    @cached_property
    def exists(self) -> npt.NDArray[np.bool_]:
        """Which numbers (N,) the catalogue says anything of; the others are spare capacity or unknown to it."""
        said = (self.category >= 0) | (self.product >= 0) | (self.photo_row >= 0) | (self.group >= 0)
        others = np.flatnonzero(~said)
        said[others] = (self.neighbours[others] >= 0).any(axis=1)
        return np.asarray(said)

    @cached_property
    def n_groups(self) -> int:
        """Number of transition groups."""
        return int(self.group.max(initial=-1)) + 1

    @cached_property
    def n_products(self) -> int:
        """Number of products (variant groups)."""
        return int(self.product.max(initial=-1)) + 1

    @cached_property
    def variants(self) -> Lists:
        """The items of each product."""
        return Lists.by_code(self.product, np.arange(self.size))

    @cached_property
    def photos(self) -> npt.NDArray[np.float32]:
        """Photo embeddings (P, D) in single precision."""
        return self.photo_embeddings.astype(np.float32)

    @cached_property
    def tables(self) -> npt.NDArray[np.float32] | None:
        """Table embeddings (N, T) in single precision."""
        return None if self.table_embeddings is None else self.table_embeddings.astype(np.float32)


@dataclass
class ItemDynamics:
    """What the stream says of the items, by item number; arrays may be longer than the catalogue (spare capacity).

    ``purchases`` plain counts; ``initial`` the popularity that a simulation began with; ``slow`` and ``fast`` the
    forward-decayed scores log sum exp(lambda (t - landmark)), -inf where never sold; ``co`` co-purchase counts in half
    units (2 = bought on the same day, 1 = on different days); ``transitions`` what is learnt from the same pairs one
    level up, and ``colours`` between the items' colours, where a part asks for them; ``in_store`` how many of the
    purchases were made in a store, ``priced`` of how many the price is known and ``spent`` the sum of these prices; all
    three are empty where nobody counts them.
    """

    purchases: Ints
    initial: Floats
    slow: Floats
    fast: Floats
    slow_half_life_s: float
    fast_half_life_s: float
    landmark_ms: int
    co: BoundedCounts
    transitions: Transitions = field(default_factory=Transitions.empty)
    colours: ColourPairs | None = None
    in_store: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    priced: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    spent: Floats = field(default_factory=lambda: np.zeros(0))

    def price_level(self, items: Ints) -> Floats:
        """Return what items cost on the mean, over what a purchase costs on the mean; 1 where no price is known.

        Item numbers may have any shape; -1 is no item.

        >>> none, counts = np.zeros(0), np.array([2, 1, 0])
        >>> known = {"priced": counts, "spent": np.array([10.0, 20.0, 0.0])}  # 5 and 20, 10 on the mean
        >>> items = ItemDynamics(counts, none, none, none, 1.0, 1.0, 0, co=BoundedCounts(), **known)
        >>> items.price_level(np.array([0, 1, 2, -1])).tolist()
        [0.5, 2.0, 1.0, 1.0]
        """
        known, all_spent = int(self.priced.sum()), float(self.spent.sum())
        if not known or all_spent <= 0.0:
            return np.ones(items.shape)
        priced = np.where(items >= 0, self.priced[items], 0)
        level = self.spent[items] / np.maximum(priced, 1) * (known / all_spent)
        return np.where((priced > 0) & (level > 0.0), level, 1.0)
