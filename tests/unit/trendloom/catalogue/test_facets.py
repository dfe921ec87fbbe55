from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.catalogue.facets import COLOURS, Facet, FacetProjection, mix_parts, read_projection
from trendloom.catalogue.projection import Projection, fit_projection
from trendloom.errors import CatalogueError

PARTS = (("head", 12), (COLOURS, 6))


@pytest.fixture
def features() -> npt.NDArray[np.float32]:
    """40 photos, a network's 12 numbers and 6 of colours, of very different lengths."""
    rng = np.random.default_rng(4)
    return np.hstack([50 * rng.normal(size=(40, 12)), rng.random((40, 6))]).astype(np.float32)


def two_facets() -> FacetProjection:
    """Return a projection with a hidden layer in one facet and none in the other, drawn from a seed."""
    rng = np.random.default_rng(8)

    def drawn(*shape: int) -> npt.NDArray[np.float32]:
        return rng.normal(size=shape).astype(np.float32)

    kind = Facet("type", 0.7, (0,), drawn(12), (drawn(12, 9), drawn(9, 4)), (drawn(9), drawn(4)))
    colour = Facet("colour", 0.3, (0, 1), drawn(18), (drawn(18, 3),), (drawn(3),))
    return FacetProjection((12, 6), (kind, colour))


def test_a_similarity_is_the_weighted_mean_of_the_facets(features: npt.NDArray[np.float32]) -> None:
    projection = two_facets()
    rows = projection.apply(features).astype(float)
    alone = [
        projection.weighted({"type": 1 - colour, "colour": colour}).apply(features).astype(float)
        for colour in (0.0, 1.0)
    ]
    assert [part.shape[1] for part in alone] == [4, 3]  # a facet that counts nothing takes no room
    assert rows @ rows.T == pytest.approx(0.7 * alone[0] @ alone[0].T + 0.3 * alone[1] @ alone[1].T, abs=4e-3)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(40), abs=2e-3)


def test_a_hidden_layer_is_what_a_plain_loop_computes(features: npt.NDArray[np.float32]) -> None:
    projection = two_facets().weighted({"type": 1, "colour": 0})
    facet = projection.facets[0]
    for row, found in zip(features, projection.apply(features).astype(float), strict=True):
        head = row[:12] / np.linalg.norm(row[:12]) - facet.mean
        hidden = [max(0.0, float(head @ facet.layers[0][:, at] + facet.biases[0][at])) for at in range(9)]
        short = np.array(hidden) @ facet.layers[1] + facet.biases[1]
        assert found == pytest.approx(short / np.linalg.norm(short), abs=2e-3)


@given(st.floats(0.01, 100))
def test_how_long_the_parts_are_does_not_count(scale: float) -> None:
    features = np.random.default_rng(3).random((5, 18)).astype(np.float32)
    longer = features.copy()
    longer[:, 12:] *= np.float32(scale)
    assert two_facets().apply(longer).astype(float) == pytest.approx(
        two_facets().apply(features).astype(float), abs=4e-3
    )


def test_what_travels_in_a_catalogue_comes_back(features: npt.NDArray[np.float32]) -> None:
    for projection in (two_facets(), fit_projection(features, dims=5, whitening=0.3)):
        again = read_projection(projection.tensors())
        assert type(again) is type(projection)
        assert again.apply(features).tobytes() == projection.apply(features).tobytes()


def test_tensors_of_something_else_are_refused() -> None:
    with pytest.raises(KeyError):
        read_projection({"weights": np.zeros(3)})


@pytest.mark.parametrize("weights", [{"type": 1.0}, {"type": 0.0, "colour": 0.0}, {"type": 2.0, "colour": -1.0}])
def test_weights_that_do_not_fit_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(CatalogueError, match="do not fit an embedding of colour, type. Action: "):
        two_facets().weighted(weights)


def test_features_of_another_length_are_refused() -> None:
    with pytest.raises(CatalogueError, match="length 17 do not fit a projection of 18. Action: "):
        two_facets().apply(np.zeros((2, 17), np.float32))


def test_a_mix_without_colours_is_the_plain_projection(features: npt.NDArray[np.float32]) -> None:
    plain: Projection = fit_projection(features[:, :12], dims=5, whitening=0.5)
    for mix, rows in (
        (mix_parts(features[:, :12], PARTS[:1], dims=5, whitening=0.5, colour_weight=0.2), features[:, :12]),
        (mix_parts(features, PARTS, dims=5, whitening=0.5, colour_weight=0.0), features),
    ):
        assert mix.apply(rows).astype(float) == pytest.approx(plain.apply(features[:, :12]).astype(float), abs=4e-3)


def test_several_networks_are_shortened_together(features: npt.NDArray[np.float32]) -> None:
    parts = (("first", 7), ("second", 5))
    mix = mix_parts(features[:, :12], parts, dims=12, whitening=0.0, colour_weight=0.2)
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in np.split(features[:, :12], [7], axis=1)]
    both = np.hstack(unit)
    centred = both - both.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    short = mix.apply(features[:, :12]).astype(float)
    assert short @ short.T == pytest.approx(centred @ centred.T, abs=6e-3)


def test_a_black_photo_stays_finite(features: npt.NDArray[np.float32]) -> None:
    mix = mix_parts(features, PARTS, dims=5, whitening=0.0, colour_weight=0.3)
    assert np.isfinite(mix.apply(np.zeros((1, 18), np.float32)).astype(float)).all()
