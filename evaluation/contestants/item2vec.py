"""item2vec (Barkan and Koenigstein 2016): word2vec's skip-gram with negative samples, the whole basket as window.

Training is the library ``gensim``'s. Lists go by what the network was trained to say, the output vectors, not by the
cosine of input vectors. Read next: :mod:`evaluation.contestants.trained`, which says when it is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.contestants.baskets import Baskets, missing_extra

__all__ = ["Item2VecModel", "train_item2vec"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Item2VecModel:
    """Input and output vectors (C, F); items that never shared a basket have none: ``known`` (C,) is False."""

    inputs: Floats
    outputs: Floats
    known: npt.NDArray[np.bool_]

    def scores(self, column: Ints, weight: Floats) -> Floats:
        """Return the mean over j, weighed w_j, of v_j'u_i (B, C); -inf for what is not known.

        >>> outputs = np.full((2, 2), 3.0, np.float32)
        >>> model = Item2VecModel(np.eye(2, dtype=np.float32), outputs, np.array([True, False]))
        >>> model.scores(np.array([[0, 0]]), np.array([[1.0, 1.0]], np.float32)).tolist()
        [[3.0, -inf]]
        """
        said = np.where(self.known[column], weight, np.float32(0.0))
        total = said.sum(axis=1)
        wanted = np.einsum("bh,bhf->bf", said, self.inputs[column], optimize=True)
        wanted /= np.maximum(total, np.finfo(np.float32).tiny)[:, None]
        scores = np.asarray(wanted @ self.outputs.T, np.float32)
        scores[:, ~self.known] = -np.inf
        scores[total == 0] = -np.inf
        return scores


def train_item2vec(
    baskets: Baskets,
    rng: np.random.Generator,
    *,
    factors: int = 64,
    negatives: int = 20,
    negatives_exponent: float = 0.0,
    epochs: int = 50,
    learning_rate: float = 0.025,
) -> Item2VecModel:
    """Return vectors that maximise ln sigmoid(v_j'u_i) + sum over ``negatives`` o of ln sigmoid(-v_j'u_o).

    (j, i) are all ordered pairs of a basket; o is drawn by purchases^``negatives_exponent``: 0 draws all items alike,
    so that the vectors keep how much an item sells. Raises :class:`~trendloom.errors.MissingExtra` without ``gensim``.
    """
    try:
        from gensim.models import Word2Vec
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    ends = np.flatnonzero(np.diff(baskets.basket)) + 1
    sentences = [[str(column) for column in part.tolist()] for part in np.split(baskets.column, ends) if part.size > 1]
    size = baskets.item.size
    inputs, outputs = np.zeros((size, factors), np.float32), np.zeros((size, factors), np.float32)
    known = np.zeros(size, np.bool_)
    if sentences:
        model = Word2Vec(
            sentences,
            vector_size=factors,
            window=max(len(sentence) for sentence in sentences),
            shrink_windows=False,
            min_count=1,
            sg=1,
            negative=negatives,
            ns_exponent=negatives_exponent,
            sample=0,
            epochs=epochs,
            alpha=learning_rate,
            workers=1,  # with more of them a run cannot be repeated
            seed=int(rng.integers(2**31)),
        )
        column = np.array([int(word) for word in model.wv.index_to_key], np.int64)
        inputs[column], outputs[column], known[column] = model.wv.vectors, model.syn1neg, True
    return Item2VecModel(inputs, outputs, known)
