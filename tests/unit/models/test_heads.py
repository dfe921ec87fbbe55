from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.heads import HeadRecipe, TrainedHead, class_weights, train_head

QUICK = HeadRecipe(hidden=(16, 8), batch=32, most_epochs=25, patience=5, learning_rate=1e-2, dropout=0.1)


def clouds(photos: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Three clouds of points, the last a rare one."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, photos, p=(0.5, 0.4, 0.1))
    centres = np.array([[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]], float)
    return (centres[labels] + rng.normal(scale=0.7, size=(photos, 4))).astype(np.float32), labels


def chosen(head: TrainedHead, features: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    values: npt.NDArray[np.float32] = features
    for number, (weights, bias) in enumerate(head.layers):
        values = values @ weights + bias
        if number < len(head.layers) - 1:
            values = np.maximum(values, 0)
    best: npt.NDArray[np.int64] = values.argmax(axis=1)
    return best


def test_the_mean_weight_of_the_photos_is_one() -> None:
    labels = np.array([0] * 90 + [1] * 9 + [3])
    for power in (0.0, 0.5, 1.0):
        weights = class_weights(labels, 4, power)
        assert weights[labels].mean() == pytest.approx(1.0)
        assert weights[2] == 0  # a class that is not there
    assert class_weights(labels, 4, 0.0)[:2].tolist() == [1.0, 1.0]
    balanced = class_weights(labels, 4, 1.0)
    assert balanced[0] * 90 == pytest.approx(balanced[1] * 9)


@pytest.mark.vision
@pytest.mark.timeout(120)
class TestTraining:
    @pytest.fixture(autouse=True)
    def _needs_torch(self) -> None:
        pytest.importorskip("torch", reason="needs torch: pip install 'trendloom[vision]'")

    @pytest.mark.parametrize("hidden", [(), (16, 8)])
    def test_it_learns_and_the_layers_are_a_chain(self, hidden: tuple[int, ...]) -> None:
        (features, labels), (others, wanted) = clouds(400, 1), clouds(200, 2)
        recipe = HeadRecipe(hidden=hidden, batch=32, most_epochs=25, learning_rate=1e-2)
        head = train_head([features], labels, 3, recipe, seed=3, validation=(others, wanted))
        assert [weights.shape for weights, _ in head.layers] == list(zip((4, *hidden), (*hidden, 3), strict=True))
        # what numpy makes of the layers is what was scored
        assert (chosen(head, others) == wanted).mean() > 0.9
        assert head.scores[head.best_epoch - 1] == max(head.scores)

    def test_the_same_seed_gives_the_same_head(self) -> None:
        features, labels = clouds(100, 1)
        first, again, other = (
            train_head([features], labels, 3, QUICK, seed=seed, epochs=3).layers[0][0] for seed in (1, 1, 2)
        )
        assert (first == again).all()
        assert (first != other).any()

    def test_it_stops_when_validation_gets_no_better(self) -> None:
        features, labels = clouds(60, 1)
        noise = np.random.default_rng(0).integers(0, 3, 60)
        head = train_head([features], labels, 3, QUICK, seed=1, validation=(features, noise))
        assert len(head.scores) <= head.best_epoch + QUICK.patience

    def test_so_many_epochs_without_validation(self) -> None:
        features, labels = clouds(60, 1)
        told: list[tuple[int, float | None]] = []
        head = train_head(
            [features, features + 0.1], labels, 3, QUICK, seed=1, epochs=4, progress=lambda *one: told.append(one)
        )
        assert told == [(1, None), (2, None), (3, None), (4, None)]
        assert (head.best_epoch, head.scores) == (4, ())
        with pytest.raises(ValueError, match="one of the two"):
            train_head([features], labels, 3, QUICK, seed=1)
