from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trendloom.catalogue.attributes import embed_attributes

VALUES = st.lists(st.tuples(st.sampled_from(["", "tee", "hat"]), st.sampled_from(["", "red", "blue"])), min_size=1)


def embed(
    rows: list[tuple[str, str]], texts: list[str] | None = None, word_weight: float = 0.0
) -> npt.NDArray[np.float64]:
    return embed_attributes(
        {"type": [kind for kind, _ in rows], "colour": [colour for _, colour in rows]},
        {"type": 2.0, "colour": 1.0},
        texts or [""] * len(rows),
        dims=16,
        word_weight=word_weight,
    ).astype(np.float64)


@settings(deadline=None)
@given(VALUES)
def test_products_of_short_rows_are_cosines_of_long_ones(rows: list[tuple[str, str]]) -> None:
    names = sorted({("type", kind) for kind, _ in rows} | {("colour", colour) for _, colour in rows})
    long = np.zeros((len(rows), len(names)))
    for place, row in enumerate(rows):
        for name, value, weight in (("type", row[0], 2.0), ("colour", row[1], 1.0)):
            if value:
                long[place, names.index((name, value))] = weight
    lengths = np.linalg.norm(long, axis=1)
    expected = long @ long.T / np.maximum(np.outer(lengths, lengths), 1e-9)
    found = embed(rows)
    assert found @ found.T == pytest.approx(expected, abs=5e-3)


def test_what_is_unknown_is_shared_with_nobody() -> None:
    found = embed([("", ""), ("", ""), ("tee", "")])
    assert not found[:2].any()
    assert np.linalg.norm(found[2]) == pytest.approx(1.0, abs=1e-3)


def test_rare_words_say_more_than_common_ones() -> None:
    texts = ["floral lace", "lace", "floral", "cotton", "cotton", "lace lace", "wool", "wool", "silk", "silk", "", ""]
    found = embed([("tee", "")] * len(texts), texts, word_weight=1.0)
    assert found[0] @ found[2] > found[0] @ found[3]
    # floral (2 of 12) is rarer than lace (3 of 12)
    assert found[0] @ found[2] > found[0] @ found[1]


def test_a_table_that_says_nothing_gives_one_zero_column() -> None:
    found = embed_attributes({}, {}, ["", ""], dims=8, word_weight=0.0)
    assert found.shape == (2, 1)
    assert not found.any()


def test_more_rows_than_a_block_come_out_in_their_order() -> None:
    kinds = [f"kind-{row % 7}" for row in range(9000)]
    found = embed_attributes({"type": kinds}, {"type": 1.0}, [""] * 9000, dims=8, word_weight=0.0)
    assert (found == found[np.arange(9000) % 7]).all()
    assert found[:7].astype(float) @ found[:7].astype(float).T == pytest.approx(np.eye(7), abs=2e-3)
