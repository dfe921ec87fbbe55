"""Find similar to this photo: a photo, many photos, or a garment of the catalogue in; the garments most like it out.

It joins a catalogue, its look at photos and, for label-aware search, a classifier; it serves no pages and writes no
files. Read next: :mod:`trendloom.similar.gallery` for the search itself, :mod:`finder.page` for the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.photos import UnusablePhoto
from trendloom.errors import CatalogueError, PhotoRefused
from trendloom.similar.agreement import LABEL_WEIGHT, label_bonus, match_labels
from trendloom.similar.gallery import Gallery
from trendloom.similar.looking import Embeds, Labels, OnceOpened, open_query_look
from trendloom.similar.photo import Photo, take_photo

__all__ = ["Answer", "Match", "Similar", "percent"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Match:
    """A garment that was found: its row, the cosine of the two photos, and the score that it was ordered by."""

    row: int
    item_id: str
    title: str
    category: str
    similarity: float
    score: float


@dataclass(frozen=True)
class Answer:
    """What was found for one query, the best first; with label-aware search also the likeliest label.

    A garment of the catalogue has its category as label, and no probability: it is known.
    """

    matches: tuple[Match, ...]
    label: str | None = None
    label_probability: float | None = None


def percent(similarity: float) -> int:
    """Return a cosine as people read it: 100 is the same picture, 0 is nothing in common or less.

    >>> percent(0.876), percent(-0.2)
    (88, 0)
    """
    return round(100 * min(max(similarity, 0.0), 1.0))


class Similar:
    """Search by photo in one catalogue; may be called from several threads.

    >>> similar = Similar.open()
    >>> answer = similar.search_item(similar.catalogue.item_ids[0], k=3)
    >>> len(answer.matches), answer.matches[0].similarity >= answer.matches[1].similarity
    (3, True)
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        open_look: Callable[[], Embeds],
        open_labels: Callable[[], Labels],
        label_weight: float = LABEL_WEIGHT,
    ) -> None:
        if not len(catalogue.photo_embeddings):
            raise CatalogueError(
                f"The catalogue {catalogue.fingerprint} has no photos to compare with. "
                "Action: build it with `trendloom catalogue build --photos`."
            )
        self.catalogue = catalogue
        self._look = OnceOpened(open_look)
        self._labels = OnceOpened(open_labels)
        self._label_weight = label_weight
        # (P,) the item whose photo lies in each row of the embeddings
        self._item_of = np.empty(len(catalogue.photo_embeddings), np.int32)
        photographed = np.flatnonzero(catalogue.photo_row >= 0)
        self._item_of[catalogue.photo_row[photographed]] = photographed
        self._gallery = Gallery(
            catalogue.photo_embeddings,
            labels=catalogue.category[self._item_of],
            label_count=len(catalogue.category_names),
        )

    @classmethod
    def open(
        cls,
        catalogue: Path | str | None = None,
        *,
        classifier: str = "cc0",
        label_weight: float = LABEL_WEIGHT,
        weights: str = "",
    ) -> Similar:
        """Return the search in a catalogue directory, by default the one that ships.

        ``classifier`` names what label-aware search asks: a checkpoint's path, or ``cc0``, the one that ships;
        ``weights`` a file with those of the catalogue's backbone, where no package has them.
        Raises :class:`CatalogueError`. torch is loaded when the first photo comes.
        """
        path = Path(catalogue) if catalogue else demo_catalogue_path()
        loaded = load_catalogue(path)
        return cls(
            loaded,
            open_look=lambda: open_query_look(path, loaded.manifest, weights=weights),
            open_labels=lambda: _open_labels(classifier),
            label_weight=label_weight,
        )

    def __len__(self) -> int:
        """Return the number of garments that can be found: those with a photo."""
        return len(self._item_of)

    def warm_up(self) -> None:
        """Load what looks at photos now, so that the first one does not wait; raises what the first would raise."""
        self._look.get()

    def search(self, photo: Photo, k: int = 5, *, label_aware: bool = False) -> Answer:
        """Return the ``k`` garments most like a photo: a file, its content, or a picture in memory.

        With ``label_aware`` the classifier's probabilities weigh the candidates, see
        :func:`~trendloom.similar.agreement.label_bonus`. A garment whose own photo this is comes first, with 100 %.
        Raises :class:`~trendloom.errors.PhotoRefused` for what is no photo, and
        :class:`~trendloom.errors.MissingExtra` without torch.
        """
        return self.search_many([photo], k, label_aware=label_aware)[0]

    def search_many(self, photos: Sequence[Photo], k: int = 5, *, label_aware: bool = False) -> list[Answer]:
        """Return an answer for each photo, as :meth:`search`: one look at all, one product with the catalogue."""
        if not photos:
            return []
        taken = [take_photo(photo) for photo in photos]
        try:
            queries = self._look.get().embed(taken)  # (B, D)
        except UnusablePhoto as error:
            raise PhotoRefused(
                "no_garment", f"A photo shows no garment ({error}). Action: send another one."
            ) from error
        if queries.shape[1] != self.catalogue.photo_embeddings.shape[1]:
            raise CatalogueError(
                f"Photos become {queries.shape[1]} numbers, the catalogue {self.catalogue.fingerprint} holds "
                f"{self.catalogue.photo_embeddings.shape[1]}. Action: build it again with `trendloom catalogue build`."
            )
        if not label_aware:
            return self._answers(queries, k)
        labels, probabilities = self._probabilities(taken)
        answers = self._answers(queries, k, bonus=self._bonus(labels, probabilities))
        best = probabilities.argmax(axis=1)
        return [
            Answer(answer.matches, labels[code], float(row[code]))
            for answer, row, code in zip(answers, probabilities, best, strict=True)
        ]

    def search_item(self, item_id: str, k: int = 5, *, label_aware: bool = False) -> Answer:
        """Return the ``k`` other garments most like one of the catalogue; its own category counts as certain.

        Raises :class:`CatalogueError` when the catalogue does not know it or it has no photo.
        """
        row = self.catalogue.row(item_id)
        place = int(self.catalogue.photo_row[row])
        if place < 0:
            raise CatalogueError(f"{item_id} has no photo. Action: name an item that has one.")
        query = self.catalogue.photo_embeddings[place : place + 1].astype(np.float32)
        category = int(self.catalogue.category[row])
        if not label_aware:
            return self._answers(query, k, without=row)[0]
        names = self.catalogue.category_names
        certain = np.eye(len(names), dtype=np.float32)[[category]]
        answer = self._answers(query, k, bonus=label_bonus(certain, self._label_weight), without=row)[0]
        return Answer(answer.matches, names[category])

    def random_item(self, rng: np.random.Generator) -> str:
        """Return the id of a garment with a photo, drawn evenly."""
        return self.catalogue.item_ids[int(self._item_of[rng.integers(len(self._item_of))])]

    def samples(self, count: int, rng: np.random.Generator) -> list[str]:
        """Return ids of up to ``count`` garments that have pictures, of as many categories as possible."""
        order = rng.permutation(self._item_of)
        _, first = np.unique(self.catalogue.category[order], return_index=True)
        rest = np.setdiff1d(np.arange(len(order)), first)
        chosen = np.concatenate([rng.permutation(first), rest])[: 4 * count]
        pictured = [int(order[place]) for place in chosen if self.catalogue.thumbnails.get(int(order[place]))]
        return [self.catalogue.item_ids[row] for row in pictured[:count]]

    def _answers(self, queries: Floats, k: int, *, bonus: Floats | None = None, without: int = -1) -> list[Answer]:
        if k < 1:
            raise ValueError("k must be at least 1")
        found = self._gallery.nearest(queries, min(k + (without >= 0), len(self._gallery)), bonus=bonus)
        answers = []
        for places, cosines, scores in zip(found.rows, found.cosine, found.score, strict=True):
            told = zip(self._item_of[places].tolist(), cosines.tolist(), scores.tolist(), strict=True)
            matches = [self._match(*one) for one in told if one[0] != without]
            answers.append(Answer(tuple(matches[:k])))
        return answers

    def _match(self, row: int, similarity: float, score: float) -> Match:
        of = self.catalogue
        return Match(row, of.item_ids[row], of.titles[row], of.category_names[of.category[row]], similarity, score)

    def _probabilities(self, photos: list[Image.Image]) -> tuple[tuple[str, ...], npt.NDArray[np.floating]]:
        labels = self._labels.get()
        return tuple(labels.labels), labels.probabilities(photos)

    def _bonus(self, labels: Sequence[str], probabilities: npt.NDArray[np.floating]) -> Floats:
        """Return the bonus (B, categories + 1) of the catalogue's categories for probabilities of the labels."""
        of_category = match_labels(self.catalogue.category_names, labels)
        if (of_category < 0).all():
            raise CatalogueError(
                f"No category of the catalogue ({', '.join(self.catalogue.category_names[:5])} ...) is a label of the "
                f"classifier ({', '.join(labels[:5])} ...). Action: search without labels, or with a classifier that "
                "was trained on the catalogue's categories."
            )
        # -1, an unknown category, takes the last column, and so does a row without a category
        return label_bonus(probabilities, self._label_weight)[:, np.append(of_category, -1)]


def _open_labels(classifier: str) -> Labels:
    from trendloom.similar.labelling import open_photo_labels

    return open_photo_labels(classifier)
