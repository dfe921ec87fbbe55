"""Vectors for what a table says about its items, so that items without a photo have neighbours too.

Every attribute value and every common word is a weighted coordinate; the many coordinates are projected onto the few
along which the items differ most, so that dot products of the short vectors are close to cosines of the long ones.
Never looks at photos.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["embed_attributes"]

_BLOCK = 8192


def embed_attributes(
    attributes: Mapping[str, Sequence[str]],
    weights: Mapping[str, float],
    texts: Sequence[str],
    *,
    dims: int,
    word_weight: float,
    vocabulary: int = 512,
) -> npt.NDArray[np.float16]:
    """Return (N, T) unit rows for N items, T <= ``dims``: near each other when the table says similar things.

    An attribute contributes weight² to the similarity of two items that share its value; the ``vocabulary`` most
    common words together contribute at most word_weight², each word by its inverse document frequency. An unknown
    value ("") is shared with nobody. An item of which nothing is known gets a zero row.

    >>> rows = embed_attributes({"type": ["tee", "tee", "hat"], "colour": ["red", "blue", "red"]},
    ...                         {"type": 2.0, "colour": 1.0}, ["", "", ""], dims=8, word_weight=0.0)
    >>> np.round(rows.astype(float) @ rows.astype(float).T, 1).tolist()
    [[1.0, 0.8, 0.2], [0.8, 1.0, 0.0], [0.2, 0.0, 1.0]]
    """
    size = len(texts)
    coordinates = [_codes(values) for values in attributes.values()]
    scales = [weights[name] for name in attributes]
    words = _word_rows(texts, vocabulary) if word_weight > 0 else []
    width = sum(count for _, count in coordinates) + (vocabulary if words else 0)
    if width == 0:
        return np.zeros((size, 1), np.float16)

    def block(start: int) -> npt.NDArray[np.float32]:
        stop = min(start + _BLOCK, size)
        rows = np.zeros((stop - start, width), np.float32)
        offset = 0
        for (codes, count), scale in zip(coordinates, scales, strict=True):
            known = np.flatnonzero(codes[start:stop] >= 0)
            rows[known, offset + codes[start:stop][known]] = scale
            offset += count
        if words:
            for place in range(stop - start):
                ids, values = words[start + place]
                rows[place, offset + ids] = values * word_weight
        return _unit(rows)

    # (W, W) second moments; their leading eigenvectors span the directions that keep most of the dot products
    moments = np.zeros((width, width))
    for start in range(0, size, _BLOCK):
        part = block(start)
        moments += part.T @ part
    values, vectors = np.linalg.eigh(moments)
    keep = min(dims, int((values > values[-1] * 1e-9).sum()))
    basis = _signed(vectors[:, ::-1][:, :keep]).astype(np.float32)  # (W, T)
    projected = np.concatenate([block(start) @ basis for start in range(0, size, _BLOCK)])
    return _unit(projected).astype(np.float16)


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    lengths[lengths == 0] = 1.0
    unit: npt.NDArray[np.float32] = rows / lengths
    return unit


def _codes(values: Sequence[str]) -> tuple[npt.NDArray[np.int64], int]:
    names, codes = np.unique(np.array(values, dtype=np.str_), return_inverse=True)
    if names[0] == "":
        return codes - 1, len(names) - 1
    return codes, len(names)


def _signed(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the columns with the sign that makes each one's largest entry positive: eigenvectors come with either."""
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors * np.where(signs == 0, 1.0, signs)


def _word_rows(texts: Sequence[str], vocabulary: int) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
    """Return for each text its common words (positions in the vocabulary) and unit weights."""
    tokens = [frozenset(re.findall(r"[a-z]{3,}", text.lower())) for text in texts]
    counts = Counter(word for found in tokens for word in found)
    # a word in more than a third of the texts says nothing; ties by spelling, so that the same table gives the same
    useful = [(word, n) for word, n in counts.items() if 1 < n <= len(texts) / 3]
    useful.sort(key=lambda pair: (-pair[1], pair[0]))
    chosen = {word: place for place, (word, _) in enumerate(useful[:vocabulary])}
    rarity = np.array([np.log(len(texts) / n) for _, n in useful[:vocabulary]], np.float32)
    rows = []
    for found in tokens:
        ids = np.array(sorted(chosen[word] for word in found if word in chosen), np.int64)
        values = rarity[ids] if len(ids) else np.zeros(0, np.float32)
        length = float(np.linalg.norm(values))
        rows.append((ids, values / np.float32(length or 1.0)))
    return rows
