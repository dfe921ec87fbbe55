from __future__ import annotations

import numpy as np
import pytest

from tests.unit.trendloom.classifier.drawn import CLASSES, fill_folders, nearest_mean_head
from trendloom.classifier.head import Classifier, Standardisation, fit_standardisation
from trendloom.errors import ClassifierError


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return nearest_mean_head(fill_folders(tmp_path_factory.mktemp("drawn") / "photos"))


def test_probabilities_are_probabilities(head: Classifier) -> None:
    probabilities = head.probabilities(np.random.default_rng(1).normal(size=(50, 24)) * 100)
    assert probabilities.shape == (50, 3)
    assert np.isfinite(probabilities).all()
    assert np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_the_best_label_comes_first(head: Classifier) -> None:
    features = np.random.default_rng(2).normal(size=(10, 24))
    probabilities = head.probabilities(features)
    for row, prediction in zip(probabilities, head.predict(features), strict=True):
        assert prediction.label == CLASSES[int(row.argmax())]
        assert prediction.probability == pytest.approx(float(row.max()))
        assert [prediction.probability, *(share for _, share in prediction.others)] == sorted(row.tolist())[::-1]


def test_features_that_do_not_fit_are_refused(head: Classifier) -> None:
    for wrong in (np.zeros((2, 23)), np.zeros(24), np.zeros((1, 2, 24))):
        with pytest.raises(ClassifierError, match="rows of 24 features.*Action: embed the photos with seeded"):
            head.probabilities(wrong)
    with pytest.raises(ClassifierError, match="no finite numbers"):
        head.probabilities(np.full((1, 24), np.nan))


def test_another_backbone_is_refused(head: Classifier) -> None:
    head.check_backbone({"name": "seeded", "dim": 24, "packages": "newer"})
    with pytest.raises(ClassifierError, match="name resnet50 instead of seeded"):
        head.check_backbone({"name": "resnet50", "dim": 24})


def test_no_photo_is_no_fault(head: Classifier) -> None:
    assert head.predict(np.zeros((0, 24))) == []


def test_a_wild_feature_does_not_drown_the_others() -> None:
    standardisation = Standardisation(np.zeros(2, np.float32), np.ones(2, np.float32), bound=6.0)
    assert standardisation.apply(np.array([[1e9, 0.5]])).tolist() == [[6.0, 0.5]]
    assert fit_standardisation(np.ones((4, 2), np.float32)).apply(np.array([[1.0, 3.0]])).tolist() == [[0.0, 2.0]]
