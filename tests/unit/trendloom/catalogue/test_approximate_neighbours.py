from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.unit.trendloom.catalogue.wardrobe import COLUMNS, SeededEmbedder, Wardrobe
from trendloom.catalogue.approximate_neighbours import ApproximateSearch, can_approximate
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.directory import load_catalogue
from trendloom.catalogue.neighbours import find_extremes

pytestmark = pytest.mark.skipif(not can_approximate(), reason="faiss is not installed (the extra ann)")


def clustered(rows: int, rng: np.random.Generator) -> npt.NDArray[np.float16]:
    around = rng.normal(size=(40, 24))[rng.integers(0, 40, rows)] + 0.6 * rng.normal(size=(rows, 24))
    rows16: npt.NDArray[np.float16] = (around / np.linalg.norm(around, axis=1, keepdims=True)).astype(np.float16)
    return rows16


def test_it_finds_what_it_promises_and_says_how_much() -> None:
    vectors = clustered(6_000, np.random.default_rng(1))
    search = ApproximateSearch(aim=0.95)
    found = search(vectors, nearest=10, farthest=5)
    truth = find_extremes(vectors, nearest=10, farthest=5)
    told = search.found
    assert told is not None
    for ids, true, name in (
        (found.nearest, truth.nearest, "recall_nearest"),
        (found.farthest, truth.farthest, "recall_lowest"),
    ):
        share = np.mean([len(set(one) & set(other)) / len(other) for one, other in zip(ids, true, strict=True)])
        assert share > 0.92
        assert share == pytest.approx(float(told[name]), abs=0.03)
    assert int(told["opened"]) < int(told["cells"])
    assert not (found.nearest == np.arange(6_000)[:, None]).any()
    assert (np.diff(found.nearest_similarity, axis=1) <= 1e-6).all()


def test_the_same_rows_give_the_same_lists_and_some_rows_may_ask() -> None:
    vectors = clustered(2_000, np.random.default_rng(2))
    asked = np.array([3, 77, 1_999])
    one = ApproximateSearch()(vectors, nearest=6, farthest=3)
    two = ApproximateSearch()(vectors, nearest=6, farthest=3)
    some = ApproximateSearch(aim=1.0)(vectors, nearest=6, farthest=3, queries=asked)
    assert (one.nearest == two.nearest).all()
    assert some.nearest.shape == (3, 6)
    assert (some.nearest == find_extremes(vectors, nearest=6, farthest=3, queries=asked).nearest).all()


def test_a_build_uses_it_above_its_setting(wardrobe: Wardrobe, tmp_path: Path) -> None:
    exact = BuildOptions(neighbours=5, lowest=3, photo_dims=12)
    large = BuildOptions(neighbours=5, lowest=3, photo_dims=12, exact_up_to=40)
    for name, options in (("exact", exact), ("large", large)):
        build_catalogue(
            wardrobe.table, tmp_path / name, COLUMNS, options, photos=wardrobe.photos, embedder=SeededEmbedder()
        )
    one, other = load_catalogue(tmp_path / "exact"), load_catalogue(tmp_path / "large")
    assert one.manifest["neighbours"] == {"how": "exact"}
    told = other.manifest["neighbours"]
    assert isinstance(told, dict)
    assert told["recall_nearest"] >= 0.9
    assert (one.neighbours == other.neighbours).mean() > 0.9
