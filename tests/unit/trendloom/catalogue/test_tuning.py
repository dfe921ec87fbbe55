from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from trendloom.catalogue.facets import COLOURS, FacetProjection, read_projection
from trendloom.catalogue.projection import Projection, type_at_5
from trendloom.catalogue.tuning import Tuning, can_tune, fit_embedding, label_codes, tune_projection
from trendloom.errors import CatalogueError, MissingExtra

PARTS = (("head", 24), (COLOURS, 12))
QUICK = Tuning(hidden=32, type_dims=8, colour_dims=8, look_dims=8, epochs=30, batch=64)
Wares = tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.int64]]]


def garments(seed: int, size: int = 300) -> Wares:
    """Return garments of 4 types and 3 colours: what tells them apart is small beside what does not."""
    rng, centres = np.random.default_rng(seed), np.random.default_rng(0)
    labels = {"type": rng.integers(4, size=size), "colour": rng.integers(3, size=size)}
    kinds, tints = centres.normal(size=(4, 24)), centres.normal(size=(3, 12))
    nuisance = centres.normal(size=(36, 36)) * np.array([1.0] * 6 + [0.1] * 30)[:, None]
    seen = np.hstack([kinds[labels["type"]], tints[labels["colour"]]])
    return (seen + rng.normal(size=(size, 36)) @ nuisance).astype(np.float32), labels


def tuned(wares: Wares, tuning: Tuning = QUICK) -> FacetProjection:
    features, labels = wares
    return tune_projection(features, PARTS, labels, tuning)


@pytest.mark.vision
class TestLearning:
    @pytest.fixture(autouse=True)
    def _torch(self) -> None:
        pytest.importorskip("torch", reason="needs torch: pip install 'trendloom[vision]'")

    def test_garments_never_seen_come_to_their_own_kind(self) -> None:
        projection = tuned(garments(1))
        features, labels = garments(2)
        raw = features / np.linalg.norm(features, axis=1, keepdims=True)
        none = dict.fromkeys((facet.name for facet in projection.facets), 0.0)
        for name, weights in (("type", {**none, "type": 1.0}), ("colour", {**none, "colour": 1.0})):
            learnt = type_at_5(projection.weighted(weights).apply(features), labels[name])
            assert learnt > type_at_5(raw, labels[name]) + 0.1

    def test_the_knob_turns_from_type_to_colour(self) -> None:
        wares, (features, labels) = garments(1), garments(2)
        agree = []
        for colour_weight in (0.1, 0.9):
            rows = tuned(wares, replace(QUICK, colour_weight=colour_weight)).apply(features)
            agree.append((type_at_5(rows, labels["type"]), type_at_5(rows, labels["colour"])))
        assert agree[0][0] > agree[1][0]
        assert agree[0][1] < agree[1][1]

    def test_the_same_photos_give_the_same_bytes(self) -> None:
        import torch

        wares = garments(1, 120)
        first = tuned(wares)
        torch.manual_seed(99)  # nobody else's dice count
        second = tuned(wares)
        for name, tensor in first.tensors().items():
            assert tensor.tobytes() == second.tensors()[name].tobytes(), name

    def test_a_look_beside_what_is_learnt(self) -> None:
        features, labels = garments(1, 120)
        projection = tune_projection(features, PARTS, labels, replace(QUICK, look_weight=0.25))
        assert [facet.name for facet in projection.facets] == ["type", "colour", "look"]
        assert sum(facet.weight for facet in projection.facets) == pytest.approx(1.0)
        assert projection.facets[-1].weight == 0.25

    def test_one_label_alone_can_be_learnt_and_photos_without_it_are_left_out(self) -> None:
        features, labels = garments(1, 120)
        some = np.where(np.arange(120) % 3 == 0, -1, labels["type"])
        bare = replace(QUICK, look_weight=0.0)
        projection = tune_projection(features, PARTS, {"type": some}, bare)
        kept = some >= 0
        same = tune_projection(features[kept], PARTS, {"type": some[kept]}, bare)
        assert [facet.name for facet in projection.facets] == ["type"]
        assert projection.apply(features).tobytes() == same.apply(features).tobytes()

    def test_it_tells_how_far_it_is_and_what_it_learnt_travels(self) -> None:
        features, labels = garments(1, 60)
        told: list[tuple[int, int]] = []
        projection = tune_projection(features, PARTS, labels, QUICK, progress=lambda *step: told.append(step))
        assert told == [(done, 60) for done in range(1, 61)]
        assert read_projection(projection.tensors()).apply(features).tobytes() == projection.apply(features).tobytes()

    def test_auto_learns_where_both_labels_tell_enough(self) -> None:
        features, labels = garments(1, 60)

        def fitted(told: Mapping[str, npt.NDArray[np.int64]], *tune: str) -> tuple[str, ...]:
            found = fit_embedding(
                features, PARTS, told, tune=tune, tuning=QUICK, dims=6, whitening=0.0, mix_colour_weight=0.2
            )
            return tuple(facet.name for facet in found.facets) if isinstance(found, FacetProjection) else ()

        none = {**labels, "colour": np.full(60, -1)}
        assert fitted(labels, "auto") == ("type", "colour", "look")
        assert fitted(none, "auto") == ("look", "colour")
        assert fitted(labels) == ("look", "colour")
        assert fitted(none, "type")[0] == "type"
        with pytest.raises(CatalogueError, match="labels for colour tell too little.*Action: "):
            fitted(none, "type", "colour")


def test_without_colours_and_labels_nothing_but_components_is_left() -> None:
    features, _ = garments(1, 60)
    found = fit_embedding(
        features[:, :24], PARTS[:1], {}, tune=(), tuning=QUICK, dims=6, whitening=0.0, mix_colour_weight=0.2
    )
    assert isinstance(found, Projection)


def test_labels_nobody_knows_are_refused() -> None:
    features, labels = garments(1, 60)
    with pytest.raises(CatalogueError, match="cannot be tuned for season. Action: tune for type or colour"):
        tune_projection(features, PARTS, {"season": labels["type"]}, QUICK)
    with pytest.raises(CatalogueError, match="cannot be tuned for nothing"):
        tune_projection(features, PARTS, {}, QUICK)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(
        wanted: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> object:
        if wanted.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(wanted, globals_, locals_, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match="package torch is needed. Action: pip install"):
        tuned(garments(1, 60))


def test_labels_are_coded_and_enough_of_them_are_asked_for() -> None:
    assert label_codes([]).tolist() == []
    assert label_codes(["b", "a", "b"]).tolist() == [1, 0, 1]
    assert not can_tune(label_codes([]))
    assert not can_tune(label_codes(["a"] * 50 + ["b"] * 4))
