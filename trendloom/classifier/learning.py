"""Labelled photos in, a classifier and its held-out figures out: looking, measuring and training in one call.

What ``trendloom classifier train`` does, for Python; writes no head. Read next:
:mod:`trendloom.classifier.training`, the loop; :mod:`trendloom.classifier.checkpoint`, which writes what was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from models.heads import HeadRecipe
from trendloom.catalogue.embedding import Embedder
from trendloom.classifier.checkpoint import as_kept
from trendloom.classifier.head import Classifier
from trendloom.classifier.labelled import LabelledPhotos
from trendloom.classifier.provenance import describe_training
from trendloom.classifier.seeing import look_once
from trendloom.classifier.training import Examples, Measured, fit_classifier, make_examples, measure_splits

__all__ = ["Learnt", "learn_classifier"]


@dataclass(frozen=True)
class Learnt:
    """A classifier trained on all photos, how others trained the same way did on held-out groups, what was unusable."""

    classifier: Classifier
    examples: Examples
    #: None where nothing was held out.
    measured: Measured | None
    #: (photo, reason).
    left_out: tuple[tuple[str, str], ...]


def learn_classifier(
    labelled: LabelledPhotos,
    embedder: Embedder,
    *,
    recipe: HeadRecipe | None = None,
    augment: Sequence[str] = (),
    splits: int = 1,
    seed: int = 42,
    features: Path | None = None,
    credit: str = "",
    looked: Callable[[int, int], None] = lambda done, total: None,
    progress: Callable[[str, int, float | None], None] = lambda stage, epoch, score: None,
) -> Learnt:
    """Return a calibrated classifier of labelled photos, seen through ``embedder``, and how good such a one is.

    ``splits`` parts of five (0 = none) are held out in turn, whole groups, and judge heads as they come back from their
    files. ``augment`` names further views (``mirror``, ``crop``), ``features`` a file that keeps what was seen,
    ``credit`` goes into the provenance. Raises :class:`~trendloom.errors.ClassifierError` for too few photos or
    classes, :class:`~trendloom.errors.MissingExtra` without torch.
    """
    recipe, views = recipe or HeadRecipe(), ("plain", *augment)
    seen = look_once(labelled.source, labelled.names, embedder, views=views, seed=seed, kept=features, progress=looked)
    labels, groups = labelled.told_of(seen.names)
    examples = make_examples(seen.views, labels, groups, seen.digests)
    measured = None
    if splits:
        with TemporaryDirectory() as folder:
            place = Path(folder) / "head.safetensors"
            measured = measure_splits(
                examples, recipe, splits=splits, seed=seed, kept=lambda head: as_kept(head, place), progress=progress
            )
    provenance = describe_training(examples, recipe, seed=seed, views=views, measured=measured, credit=credit)
    classifier = fit_classifier(
        examples,
        recipe,
        seed=seed,
        backbone=embedder.describe(),
        provenance=provenance,
        digests=seen.digests,
        progress=progress,
    )
    return Learnt(classifier, examples, measured, seen.left_out)
