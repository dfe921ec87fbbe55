"""Trains heads on features of labelled photos and measures them on groups that they never saw.

One loop for every data set: split by group, stop early, choose the temperature, train again on everything. Reads and
writes no files. Read next: :mod:`models.heads`, the loop itself; :mod:`trendloom.classifier.checkpoint`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.heads import HeadRecipe, Layer, train_head
from trendloom.classifier.head import Classifier, Standardisation, fit_standardisation
from trendloom.classifier.quality import Quality, calibration_error, fit_temperature, measure
from trendloom.classifier.splitting import join_groups, split_by_group
from trendloom.errors import ClassifierError, MissingExtra

__all__ = ["PROBE", "Examples", "Measured", "fit_classifier", "held_out_parts", "make_examples", "measure_splits"]

#: The baseline: one linear layer, trained by the same loop.
PROBE = HeadRecipe(hidden=(), input_dropout=0.0, dropout=0.0, label_smoothing=0.0, class_weight_power=0.0)
#: The training photos are cut into so many parts; validation uses some of them in turn.
_INNER_PARTS = 5
#: Parts that can be held out.
_PARTS = 5


@dataclass(frozen=True)
class Examples:
    """N photos seen in V ways, a class and a group each."""

    labels: tuple[str, ...]
    views: Mapping[str, npt.NDArray[np.float32]]
    #: (N,) class numbers, positions in ``labels``.
    wanted: npt.NDArray[np.int64]
    #: (N,) group numbers; a group is never divided.
    groups: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.wanted)

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Examples:
        """Return the photos of a mask."""
        views = {name: values[chosen] for name, values in self.views.items()}
        return Examples(self.labels, views, self.wanted[chosen], self.groups[chosen])

    def seen(self, *, mirrored: bool) -> npt.NDArray[np.float32]:
        """Return the features that a prediction uses: of the photo, or the mean of those and its mirror image's."""
        plain = self.views["plain"]
        return ((plain + self.views["mirror"]) / 2).astype(np.float32) if mirrored else plain


@dataclass(frozen=True)
class Measured:
    """How heads trained the same way did on held-out groups, a quality a split."""

    splits: tuple[Quality, ...]
    #: Over the photos of all splits together, so that bins are well filled.
    pooled_calibration_error: float
    #: Baselines on the same splits by name: mean accuracy, macro recall and calibration error.
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def mean(self) -> dict[str, float]:
        """Return the means over the splits."""
        return _means(self.splits)

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """(C, C) photos of all splits together."""
        summed: npt.NDArray[np.int64] = np.sum([quality.confusion for quality in self.splits], axis=0)
        return summed


def make_examples(
    views: Mapping[str, npt.NDArray[np.float32]], labels: Sequence[str], groups: Sequence[str], digests: Sequence[str]
) -> Examples:
    """Return examples; photos with equal pixels are of one group, whatever the table says.

    Raises :class:`ClassifierError` for fewer than two classes, or a class with fewer than three groups of photos,
    which could not be in training, validation and test.
    """
    names = tuple(sorted(set(labels)))
    if len(names) < 2:
        raise ClassifierError(f"A classifier needs two classes, there are {len(names)}. Action: give more photos.")
    number = {name: place for place, name in enumerate(names)}
    wanted = np.array([number[label] for label in labels], np.int64)
    joined = join_groups(groups, digests)
    poor = [name for place, name in enumerate(names) if len(np.unique(joined[wanted == place])) < 3]
    if poor:
        raise ClassifierError(
            f"{', '.join(poor)}: photos of fewer than three groups, too few to train and to test on. "
            "Action: add photos, merge the class into another, or drop it (--least, --merge, --drop)."
        )
    return Examples(names, dict(views), wanted, joined)


def fit_classifier(
    examples: Examples,
    recipe: HeadRecipe,
    *,
    seed: int,
    mirrored: bool = False,
    validations: int = 2,
    backbone: Mapping[str, str | int] | None = None,
    provenance: Mapping[str, Any] | None = None,
    digests: Sequence[str] = (),
    progress: Callable[[str, int, float | None], None] = lambda stage, epoch, score: None,
) -> Classifier:
    """Return a calibrated classifier trained on all examples.

    The examples are cut by group into five parts; ``validations`` of them serve in turn to stop early. The median of
    the best epochs is how long the final head trains on everything, and the temperature is the one that suits the
    logits of all validation photos, each given by a head that had not seen its group.
    """
    if not 1 <= validations <= _INNER_PARTS:
        raise ValueError(f"validations is {validations}, not 1 to {_INNER_PARTS}")
    part = split_by_group(
        examples.wanted, examples.groups, (1 / _INNER_PARTS,) * _INNER_PARTS, np.random.default_rng(seed)
    )
    epochs: list[int] = []
    logits: list[npt.NDArray[np.float32]] = []
    wanted: list[npt.NDArray[np.int64]] = []
    for turn in range(validations):
        inside, outside = examples.rows(part != turn), examples.rows(part == turn)
        standardisation = fit_standardisation(inside.views["plain"])
        told = _teller(progress, f"validation {turn + 1}")
        layers, best = _train(inside, recipe, standardisation, seed, mirrored=mirrored, outside=outside, told=told)
        head = Classifier(examples.labels, standardisation, layers)
        epochs.append(best)
        logits.append(head.logits(outside.seen(mirrored=mirrored)))
        wanted.append(outside.wanted)
    standardisation = fit_standardisation(examples.views["plain"])
    layers, _ = _train(
        examples,
        recipe,
        standardisation,
        seed,
        mirrored=mirrored,
        epochs=max(1, round(float(np.median(epochs)))),
        told=_teller(progress, "final"),
    )
    return Classifier(
        labels=examples.labels,
        standardisation=standardisation,
        layers=layers,
        temperature=fit_temperature(np.concatenate(logits), np.concatenate(wanted)),
        mirrored=mirrored,
        backbone=dict(backbone or {}),
        provenance=dict(provenance or {}),
        trained_on=frozenset(digests),
    )


def measure_splits(
    examples: Examples,
    recipe: HeadRecipe,
    *,
    splits: int,
    seed: int,
    mirrored: bool = False,
    validations: int = 2,
    reserved: float = 0.0,
    kept: Callable[[Classifier], Classifier] = lambda classifier: classifier,
    progress: Callable[[str, int, float | None], None] = lambda stage, epoch, score: None,
) -> Measured:
    """Return the quality on held-out groups: five parts by group, the first ``splits`` (1 to 5) held out in turn.

    A share ``reserved`` of the photos, by group, is never held out: settings may have been chosen on them.
    Nothing of a held-out part reaches its head: not its features, its standardisation, its epochs, its temperature.
    ``kept`` turns a head into what would be shipped (rounded numbers). Baselines: the most common class of the
    training photos, and a linear probe by the same loop.
    """
    if not 1 <= splits <= _PARTS:
        raise ValueError(f"splits is {splits}, not 1 to {_PARTS}")
    part = held_out_parts(examples, reserved=reserved, seed=seed)
    ours, probes, majority = [], [], []
    all_told, all_wanted = [], []
    for turn in range(splits):
        train, test = examples.rows(part != turn), examples.rows(part == turn)

        def tell(stage: str, epoch: int, score: float | None, turn: int = turn) -> None:
            progress(f"split {turn + 1}, {stage}", epoch, score)

        head = kept(fit_classifier(train, recipe, seed=seed, mirrored=mirrored, validations=validations, progress=tell))
        told = head.probabilities(test.seen(mirrored=mirrored))
        all_told.append(told)
        all_wanted.append(test.wanted)
        ours.append(measure(told, test.wanted))
        probe = fit_classifier(train, PROBE, seed=seed, validations=1, progress=tell)
        probes.append(measure(probe.probabilities(test.seen(mirrored=False)), test.wanted))
        shares = np.bincount(train.wanted, minlength=len(examples.labels)) / len(train)
        majority.append(measure(np.tile(shares, (len(test), 1)), test.wanted))
    return Measured(
        tuple(ours),
        calibration_error(np.concatenate(all_told), np.concatenate(all_wanted)),
        {"majority class": _means(majority), "linear probe": _means(probes)},
    )


def held_out_parts(examples: Examples, *, reserved: float, seed: int) -> npt.NDArray[np.int8]:
    """Return (N,) which of five parts each photo is held out in, -1 for the ``reserved`` share that never is."""
    rng = np.random.default_rng(seed)
    each = (1 - reserved) / _PARTS
    if not reserved:
        return split_by_group(examples.wanted, examples.groups, (each,) * _PARTS, rng)
    dealt = split_by_group(examples.wanted, examples.groups, (reserved, *(each,) * _PARTS), rng)
    return (dealt - 1).astype(np.int8)


def _train(
    inside: Examples,
    recipe: HeadRecipe,
    standardisation: Standardisation,
    seed: int,
    *,
    mirrored: bool,
    outside: Examples | None = None,
    epochs: int | None = None,
    told: Callable[[int, float | None], None],
) -> tuple[tuple[Layer, ...], int]:
    views = [standardisation.apply(values) for values in inside.views.values()]
    validation = None
    if outside is not None:
        validation = (standardisation.apply(outside.seen(mirrored=mirrored)), outside.wanted)
    try:
        trained = train_head(
            views,
            inside.wanted,
            len(inside.labels),
            recipe,
            seed=seed,
            validation=validation,
            epochs=epochs,
            progress=told,
        )
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"Training a head needs the package {error.name}, which is not installed. "
            "Action: pip install 'trendloom[vision]'."
        ) from error
    return trained.layers, trained.best_epoch


def _teller(progress: Callable[[str, int, float | None], None], stage: str) -> Callable[[int, float | None], None]:
    return lambda epoch, score: progress(stage, epoch, score)


def _means(qualities: Sequence[Quality]) -> dict[str, float]:
    return {
        name: round(float(np.mean([getattr(quality, name) for quality in qualities])), 4)
        for name in ("accuracy", "macro_recall", "calibration_error")
    }
