"""The six groups of garments that the shipped detector tells apart, and which labels of Clothing Co-Parsing are which.

A suit's, a waistcoat's and a cardigan's mask covers what is worn over something else, so they are outer garments here.
"""

from __future__ import annotations

from collections.abc import Mapping

from trendloom.errors import CatalogueError

__all__ = ["CCP_GROUPS", "GROUPS", "groups_named"]

_MEMBERS = {
    "top": "blouse bra hoodie jumper shirt sweater sweatshirt t-shirt top",
    "outer": "blazer cape cardigan coat jacket suit vest",
    "bottom": "jeans leggings pants shorts skirt",
    "full body": "bodysuit dress romper",
    "shoes": "boots clogs flats heels loafers pumps sandals shoes sneakers wedges",
    "bag": "bag purse",
}
#: The classes, in the order in which the shipped detector numbers them.
GROUPS = tuple(_MEMBERS)
#: Label of Clothing Co-Parsing -> group; other labels (hats, socks, jewellery, skin) are in none.
CCP_GROUPS: Mapping[str, str] = {label: group for group, labels in _MEMBERS.items() for label in labels.split()}


def groups_named(name: str) -> Mapping[str, str] | None:
    """Return a mapping by name: ``ccp``, or none for the empty name; raises :class:`CatalogueError` for another.

    >>> groups_named("ccp")["purse"]
    'bag'
    """
    if not name:
        return None
    if name != "ccp":
        raise CatalogueError(f"There are no groups {name!r}. Action: name ccp, or none: labels are classes then.")
    return CCP_GROUPS
