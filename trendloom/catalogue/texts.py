"""A column of texts as Arrow holds it: a few bytes more than the texts, where a list of a million costs 60 MB.

Made for what people read now and then; never for what a stream looks up. Read next:
:mod:`trendloom.catalogue.garment`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import pyarrow as pa

__all__ = ["Texts"]


class Texts(Sequence[str]):
    """The texts of a column, "" where it holds none; equal to every sequence of the same texts.

    >>> titles = Texts(pa.chunked_array([["Red dress", None], ["Blue hat"]]))
    >>> titles[1], titles[-1], titles[:2], len(titles)
    ('', 'Blue hat', ['Red dress', ''], 3)
    >>> titles == ["Red dress", "", "Blue hat"]
    True
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._column)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        """Return one text, or a list of some."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        return self._column[int(place)].as_py() or ""

    def __iter__(self) -> Iterator[str]:
        """Go through all texts."""
        return (text or "" for text in self._column.to_pylist())

    def __eq__(self, other: object) -> bool:
        """Return whether the other holds the same texts in the same order."""
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
