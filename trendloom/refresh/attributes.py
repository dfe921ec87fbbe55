"""The attributes that the preset ``learned`` asks, from a catalogue, in order of item number instead of row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.garment import Catalogue
from trendloom.relevance.learned.attributes import MOST_VALUES, Attributes, codes_of, first_word

__all__ = ["attributes_by_number"]

Int32s = npt.NDArray[np.int32]


def attributes_by_number(catalogue: Catalogue, number_of_row: npt.NDArray[np.int64], size: int) -> Attributes:
    """Return codes of group, type, colour, section, pattern and title words for item numbers 0 .. size - 1.

    A code is -1 where the catalogue says nothing. ``number_of_row`` (N,) is the item number of each row.

    >>> from trendloom.catalogue.synthetic import random_catalogue
    >>> attributes_by_number(random_catalogue(3, np.random.default_rng(1)), np.arange(3), 4).dense.shape
    (4, 5)
    """

    def spread(codes: Int32s) -> Int32s:
        out = np.full(size, -1, np.int32)
        out[number_of_row] = codes
        return out

    group = [catalogue.transition_group_names[code] if code >= 0 else "" for code in catalogue.transition_group]
    nothing = [""] * len(catalogue)
    told = (catalogue.product_types, catalogue.colours, catalogue.sections or nothing, catalogue.patterns or nothing)
    dense = [codes_of(values, MOST_VALUES) for values in (group, *told)]
    return Attributes(
        np.stack([spread(codes) for codes in dense], axis=1),
        spread(codes_of([first_word(title) for title in catalogue.titles])),
        spread(codes_of(catalogue.titles)),
    )
