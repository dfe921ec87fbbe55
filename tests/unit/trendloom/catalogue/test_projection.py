from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from trendloom.catalogue.projection import fit_projection, type_at_5


@pytest.fixture
def features() -> npt.NDArray[np.float32]:
    """60 photos whose 20 features vary along few directions."""
    rng = np.random.default_rng(2)
    varied = rng.normal(size=(60, 20)) * np.geomspace(3, 0.05, 20) + 1.0
    return varied.astype(np.float32)


def test_embeddings_are_unit_rows(features: npt.NDArray[np.float32]) -> None:
    short = fit_projection(features, dims=6, whitening=0.3).apply(features)
    assert short.dtype == np.float16
    assert short.shape == (60, 6)
    assert np.linalg.norm(short.astype(float), axis=1) == pytest.approx(np.ones(60), abs=2e-3)


def test_all_components_keep_the_centred_cosines(features: npt.NDArray[np.float32]) -> None:
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    short = fit_projection(features, dims=20, whitening=0.0).apply(features).astype(float)
    assert short @ short.T == pytest.approx(centred @ centred.T, abs=4e-3)


def test_full_whitening_gives_components_of_equal_variance(features: npt.NDArray[np.float32]) -> None:
    projection = fit_projection(features, dims=5, whitening=1.0)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    assert ((unit - projection.mean) @ projection.components).std(axis=0) == pytest.approx(np.ones(5), rel=1e-2)


@pytest.mark.parametrize("whitening", [0.0, 0.5])
def test_the_sign_of_a_component_does_not_depend_on_the_solver(
    features: npt.NDArray[np.float32], whitening: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A solver may return each eigenvector or its opposite: the projection must not show which."""
    expected = fit_projection(features, dims=8, whitening=whitening)
    solve = np.linalg.eigh
    flips = np.where(np.arange(20) % 2, -1.0, 1.0)

    def flipped(matrix: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        values, vectors = solve(matrix)
        return values, vectors * flips

    monkeypatch.setattr(np.linalg, "eigh", flipped)
    found = fit_projection(features, dims=8, whitening=whitening)
    assert (found.components == expected.components).all()
    assert (np.abs(expected.components).max(axis=0) == expected.components.max(axis=0)).all()


def test_few_photos_give_few_components() -> None:
    features = np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32)
    assert fit_projection(features, dims=128, whitening=0.0).apply(features).shape == (3, 2)
    assert fit_projection(features[:1], dims=128, whitening=0.0).apply(features[:1]).shape == (1, 1)


def test_type_at_5_is_what_a_plain_loop_counts() -> None:
    rng = np.random.default_rng(6)
    vectors, labels = rng.normal(size=(80, 5)).astype(np.float32), rng.integers(3, size=80)
    products = np.where(rng.random(80) < 0.5, rng.integers(10, size=80), -1)
    agree, total = 0, 0
    for row in range(80):
        order = np.argsort(-(vectors @ vectors[row]), kind="stable")
        others = [o for o in order if o != row and (products[row] < 0 or products[o] != products[row])][:5]
        agree += sum(int(labels[o] == labels[row]) for o in others)
        total += len(others)
    assert type_at_5(vectors, labels, products) == pytest.approx(agree / total)
    assert type_at_5(vectors, labels) != type_at_5(vectors, labels, products)
