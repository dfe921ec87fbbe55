from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.heads import HeadRecipe
from trendloom.classifier.head import Classifier
from trendloom.classifier.provenance import describe_training
from trendloom.classifier.quality import calibration_error, fit_temperature, measure, softmax
from trendloom.classifier.training import Examples, fit_classifier, make_examples, measure_splits
from trendloom.errors import ClassifierError

QUICK = HeadRecipe(hidden=(16, 8), batch=32, most_epochs=20, patience=5, learning_rate=1e-2, dropout=0.1)


def senders(photos: int, seed: int, mix: float = 0.0) -> Examples:
    """Three classes in 8 features by 30 senders, each with a habit of his own; ``mix`` of the labels are wrong."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, photos)
    sender = rng.integers(0, 30, photos)
    habits = np.random.default_rng(0).normal(scale=0.5, size=(30, 8))
    features = np.eye(8)[kinds] * 3 + habits[sender] + rng.normal(scale=0.5, size=(photos, 8))
    shown = np.where(rng.random(photos) < mix, rng.integers(0, 3, photos), kinds)
    labels = [("dress", "hat", "shoe")[kind] for kind in shown]
    digests = [f"{number:016x}" for number in range(photos)]
    return make_examples({"plain": features.astype(np.float32)}, labels, [f"s{one}" for one in sender], digests)


def test_equal_pictures_are_of_one_group() -> None:
    features: npt.NDArray[np.float32] = np.zeros((8, 2), np.float32)
    examples = make_examples(
        {"plain": features}, ["a", "b"] * 4, [f"s{one}" for one in range(8)], ["x", "x", *map(str, range(6))]
    )
    assert examples.groups[0] == examples.groups[1]
    assert len(np.unique(examples.groups)) == 7


def test_too_little_is_refused() -> None:
    features: npt.NDArray[np.float32] = np.zeros((6, 2), np.float32)
    with pytest.raises(ClassifierError, match="two classes"):
        make_examples({"plain": features}, ["a"] * 6, [""] * 6, [""] * 6)
    with pytest.raises(ClassifierError, match="b: photos of fewer than three groups"):
        make_examples({"plain": features}, ["a"] * 4 + ["b"] * 2, [""] * 6, [""] * 6)


@pytest.mark.vision
@pytest.mark.timeout(240)
class TestFitting:
    @pytest.fixture(autouse=True)
    def _needs_torch(self) -> None:
        pytest.importorskip("torch", reason="needs torch: pip install 'trendloom[vision]'")

    def test_it_learns_and_knows_how_sure_it_is(self) -> None:
        head = fit_classifier(senders(900, 1, mix=0.3), QUICK, seed=1, digests=("00" * 8,))
        others = senders(900, 2, mix=0.3)
        logits = head.logits(others.views["plain"])
        quality = measure(head.probabilities(others.views["plain"]), others.wanted)
        assert quality.accuracy > 0.7  # 0.8 is the most that there is to know
        assert head.trained_on == {"00" * 8}
        # the temperature of the validation photos does nearly what the best one for the new photos would do
        best = softmax(logits, fit_temperature(logits, others.wanted))
        assert quality.calibration_error < calibration_error(best, others.wanted) + 0.03

    def test_nothing_held_out_reaches_its_head(self) -> None:
        """Features that name the photo, labels by chance: whoever looks at held-out photos is right, nobody may be."""
        rng = np.random.default_rng(5)
        features = np.eye(120, dtype=np.float32)
        labels = [("a", "b")[int(one)] for one in rng.integers(0, 2, 120)]
        examples = make_examples({"plain": features}, labels, [str(one // 2) for one in range(120)], [""] * 120)
        measured = measure_splits(examples, QUICK, splits=5, seed=1, validations=1)
        assert measured.mean()["accuracy"] < 0.7

    def test_splits_hold_out_whole_groups_and_bring_baselines(self) -> None:
        examples = senders(400, 3)
        kept: list[Classifier] = []

        def keep(head: Classifier) -> Classifier:
            kept.append(head)
            return head

        measured = measure_splits(examples, QUICK, splits=2, seed=1, validations=1, kept=keep)
        assert len(kept) == len(measured.splits) == 2
        assert set(measured.baselines) == {"majority class", "linear probe"}
        assert measured.mean()["accuracy"] > measured.baselines["majority class"]["accuracy"] + 0.3
        assert measured.confusion.sum() == sum(quality.photos for quality in measured.splits)
        told = describe_training(examples, QUICK, seed=1, views=("plain",), measured=measured, credit="drawn")
        assert told["held_out"]["splits"] == 2
        assert told["photos_by_label"].keys() == {"dress", "hat", "shoe"}
        assert (told["groups"], told["credit"]) == (30, "drawn")
