"""Which categories go together: the table of 17 clothing categories in 6 families, and a fallback for other names.

A catalogue with its own category names maps them to families here; a name that no table knows is only like itself.
Read next: :mod:`trendloom.relevance.score`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["FAMILIES", "FAMILY_AFFINITY", "SAME_FAMILY", "affinity_table", "family_of"]

#: Affinity of two different categories of one family; that of a category with itself is 1.
SAME_FAMILY = 0.8

#: The six families and their categories, as image file names spell them.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "A": ("Tees_Tanks", "Blouses_Shirts", "Graphic_Tees", "Shirts_Polos"),
    "B": ("Shorts", "Pants", "Leggings", "Denim"),
    "C": ("Jackets_Coats", "Jackets_Vests"),
    "D": ("Dresses", "Skirts", "Rompers_Jumpsuits"),
    "E": ("Sweaters", "Cardigans", "Sweatshirts_Hoodies"),
    "F": ("Suiting",),
}

#: Affinity between families; symmetric, so each pair stands once.
FAMILY_AFFINITY: Mapping[str, float] = {
    "AB": 0.2, "AC": 0.3, "AD": 0.1, "AE": 0.4, "AF": 0.2,
    "BC": 0.1, "BD": 0.1, "BE": 0.2, "BF": 0.2,
    "CD": 0.1, "CE": 0.4, "CF": 0.2,
    "DE": 0.1, "DF": 0.3,
    "EF": 0.2,
}  # fmt: skip

#: Words of other category sets (garment labels, product types) and the family that they name.
_WORDS: Mapping[str, str] = {
    "t-shirt": "A", "tee": "A", "top": "A", "vest top": "A", "tank": "A", "shirt": "A", "blouse": "A", "polo": "A",
    "polo shirt": "A", "polo top": "A", "undershirt": "A", "body": "A", "longsleeve": "A", "bodysuit": "A",
    "shorts": "B", "pants": "B", "trousers": "B", "leggings": "B", "leggings/tights": "B", "jeans": "B", "denim": "B",
    "jacket": "C", "coat": "C", "outwear": "C", "outdoor waistcoat": "C", "tailored waistcoat": "F",
    "dress": "D", "skirt": "D", "romper": "D", "jumpsuit": "D", "jumpsuit/playsuit": "D", "dungarees": "D",
    "sweater": "E", "cardigan": "E", "hoodie": "E", "sweatshirt": "E", "garment set": "E",
    "blazer": "F", "suit": "F", "suiting": "F",
}  # fmt: skip


def family_of(name: str) -> str | None:
    """Return the family (A to F) of a category name, None where no table knows it.

    >>> family_of("Denim"), family_of("Vest top"), family_of("Umbrella")
    ('B', 'A', None)
    """
    for family, members in FAMILIES.items():
        if name in members:
            return family
    return _WORDS.get(name.strip().lower())


def affinity_table(names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the (C + 1, C + 1) affinity of the categories; the last row and column stand for unknown (code -1): 0.

    Same category 1, same family 0.8, two families as :data:`FAMILY_AFFINITY` says, a name without a family 0.

    >>> affinity_table(["Denim", "Shorts", "Dresses", "Umbrella"]).round(1).tolist()[0]
    [1.0, 0.8, 0.1, 0.0, 0.0]
    """
    families = [family_of(name) for name in names]
    table = np.zeros((len(names) + 1, len(names) + 1))
    for row, one in enumerate(families):
        for column, other in enumerate(families):
            table[row, column] = _between(one, other)
    table[np.arange(len(names)), np.arange(len(names))] = 1.0
    return table


def _between(one: str | None, other: str | None) -> float:
    if one is None or other is None:
        return 0.0
    return SAME_FAMILY if one == other else FAMILY_AFFINITY["".join(sorted((one, other)))]
