"""What a catalogue holds once it is in memory: one row a garment, numpy arrays aligned by row.

Nothing here reads files or knows how embeddings are made, and nothing can be changed after loading.
Read next: :mod:`trendloom.catalogue.directory` for the files, :mod:`trendloom.catalogue.build` for their making.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.thumbnails import Thumbnails
from trendloom.errors import CatalogueError

__all__ = ["GENDERS", "Catalogue"]

#: Gender codes are positions in this tuple; 0 is neutral everywhere.
GENDERS = ("unknown", "women", "men", "unisex", "kids")


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The garments, their embeddings and their visual neighbours; N items, P of them with a photo.

    A row is only valid together with the ``fingerprint``: whatever outlives the process is keyed by item id.
    """

    #: Changes whenever anything changes that a recommendation list could depend on (16 hexadecimal digits).
    fingerprint: str
    item_ids: list[str]
    #: For people: a title, a colour ("" = unknown) and a garment type for each item.
    titles: Sequence[str]
    colours: Sequence[str]
    product_types: Sequence[str]
    #: (N,) codes into ``category_names``.
    category: npt.NDArray[np.int16]
    category_names: tuple[str, ...]
    #: (N,) codes into :data:`GENDERS`.
    gender: npt.NDArray[np.int8]
    #: (N,) variants of one product share a number; -1 = none known.
    product: npt.NDArray[np.int32]
    #: (N,) views of the same product in the same colour share a number; -1 = none known.
    view_group: npt.NDArray[np.int32]
    #: (N,) codes into ``transition_group_names``: the groups between which customers move from purchase to purchase.
    transition_group: npt.NDArray[np.int16]
    transition_group_names: tuple[str, ...]
    #: (N,) the store that holds the item, a position in ``store_ids``; -1 = unknown.
    store: npt.NDArray[np.int16]
    store_ids: tuple[str, ...]
    #: (N,) row of the item in ``photo_embeddings``; -1 = no photo.
    photo_row: npt.NDArray[np.int32]
    #: (P, D) unit rows.
    photo_embeddings: npt.NDArray[np.float16]
    #: (N, T) unit rows made from the table's attributes; None when every item has a photo.
    table_embeddings: npt.NDArray[np.float16] | None
    #: (N, M) rows of the most similar items, best first, -1 padded, and (N, M) their similarities, 0 padded.
    neighbours: npt.NDArray[np.int32]
    neighbour_similarity: npt.NDArray[np.float32]
    #: (N,) what the item's neighbours and lowest were found by: 0 photos (among photographed items), 1 the table.
    neighbour_source: npt.NDArray[np.uint8]
    #: (N, L) rows of the least similar items, worst first, -1 padded, and (N, L) their similarities, 0 padded.
    lowest: npt.NDArray[np.int32]
    lowest_similarity: npt.NDArray[np.float32]
    #: Small WebP pictures by row.
    thumbnails: Thumbnails
    #: What the manifest says: backbone, transform, counts, credit.
    manifest: Mapping[str, object]
    #: The part of the shop that each item hangs in, and its print ("" = unknown); () = nothing is said of any.
    sections: Sequence[str] = ()
    patterns: Sequence[str] = ()

    def __len__(self) -> int:
        """Return N, the number of items."""
        return len(self.item_ids)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Return the row of each item id."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    def row(self, item_id: str) -> int:
        """Return the row of an item; raises :class:`CatalogueError` when the catalogue does not know it."""
        try:
            return self.row_of[item_id]
        except KeyError:
            raise CatalogueError(
                f"The catalogue {self.fingerprint} has no item {item_id!r}. "
                "Action: name one that `trendloom catalogue show` lists."
            ) from None

    def similarity(self, rows_a: npt.ArrayLike, rows_b: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return the visual similarity of pairs of items, in [-1, 1]; the two arguments broadcast like numpy's.

        The cosine of their photos when both have one, else of their table embeddings; the rows are unit rows, so the
        cosine is their dot product.

        >>> from trendloom.catalogue.synthetic import random_catalogue
        >>> catalogue = random_catalogue(50, np.random.default_rng(1))
        >>> catalogue.similarity(7, [7, 8]).shape
        (2,)
        >>> round(float(catalogue.similarity(7, 7)), 2)
        1.0
        """
        wide_a, wide_b = np.broadcast_arrays(np.asarray(rows_a, np.int64), np.asarray(rows_b, np.int64))
        a, b = wide_a.ravel(), wide_b.ravel()
        photo_a, photo_b = self.photo_row[a], self.photo_row[b]
        both = (photo_a >= 0) & (photo_b >= 0)
        out = np.empty(a.shape, np.float32)
        out[both] = _row_dots(self.photo_embeddings, photo_a[both], photo_b[both])
        if not both.all():
            if self.table_embeddings is None:
                raise CatalogueError(
                    "Some items have neither photo nor table embeddings. Action: build the catalogue again."
                )
            out[~both] = _row_dots(self.table_embeddings, a[~both], b[~both])
        return out.reshape(wide_a.shape)


def _row_dots(
    rows: npt.NDArray[np.float16], a: npt.NDArray[np.integer], b: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    dots: npt.NDArray[np.float32] = np.vecdot(rows[a].astype(np.float32), rows[b].astype(np.float32))
    return dots
