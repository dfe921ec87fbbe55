"""What the simulation's customers can buy: items with category, gender, store and look-alikes, as plain lists.

It holds no popularity and no chance. Read next: ``producers/customers.py`` for who buys, ``producers/synthetic.py`` for
what they buy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trendloom.catalogue.garment import Catalogue
from trendloom.errors import CatalogueError

__all__ = ["KIDS", "MEN", "UNISEX", "UNKNOWN", "WOMEN", "Wares"]

#: Gender codes, as in :data:`trendloom.catalogue.garment.GENDERS`.
UNKNOWN, WOMEN, MEN, UNISEX, KIDS = range(5)
#: Look-alikes of an item that a customer sees beside it.
_LOOK_ALIKES = 24


@dataclass(frozen=True)
class Wares:
    """N items by row: ``category``, ``gender`` and ``store`` (a place in ``store_ids``, -1 none) are codes.

    ``neighbours[row]`` are the rows that look most like the item, best first; it may be empty.
    """

    item_ids: Sequence[str]
    category: Sequence[int]
    category_names: Sequence[str]
    gender: Sequence[int]
    store: Sequence[int]
    store_ids: Sequence[str]
    neighbours: Sequence[Sequence[int]]
    row_of: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.item_ids:
            raise CatalogueError("there are no items to buy. Action: name a catalogue with items.")
        object.__setattr__(self, "row_of", {item_id: row for row, item_id in enumerate(self.item_ids)})

    def __len__(self) -> int:
        """Return N, the number of items."""
        return len(self.item_ids)

    def row(self, item_id: str) -> int:
        """Return an item's row; raises :class:`CatalogueError` if it is not for sale."""
        if item_id not in self.row_of:
            raise CatalogueError(f"no item {item_id!r} is for sale. Action: name one of `trendloom catalogue show`.")
        return self.row_of[item_id]

    def for_shoppers(self, gender: int, *, kids: bool) -> list[int]:
        """Return the rows that a customer may buy: their gender's, unisex, unknown, and kids' if they shop for kids.

        >>> wares = Wares(["a", "b", "c"], [0, 0, 0], ["Tees"], [WOMEN, MEN, KIDS], [-1, -1, -1], [], [[], [], []])
        >>> wares.for_shoppers(MEN, kids=True)
        [1, 2]
        """
        fits = {gender, UNISEX, UNKNOWN} | ({KIDS} if kids else set())
        return [row for row, its in enumerate(self.gender) if its in fits]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Wares:
        """Return what a catalogue sells."""
        width = min(_LOOK_ALIKES, catalogue.neighbours.shape[1])
        return cls(
            item_ids=list(catalogue.item_ids),
            category=catalogue.category.tolist(),
            category_names=catalogue.category_names,
            gender=catalogue.gender.tolist(),
            store=catalogue.store.tolist(),
            store_ids=catalogue.store_ids,
            neighbours=[[row for row in rows if row >= 0] for rows in catalogue.neighbours[:, :width].tolist()],
        )
