"""Measures the classifier on photos of senders and products that it has not seen, each beside its baselines.

``python -m benchmarks.classifier --data DIR --features DIR [--parts cc0,myntra]``: the first holds ``clothing_cc0`` and
``myntra_apparel``, features are kept in the second. Two fifths of the photos, by group, are in every training part: the
recipe was chosen by cross-validation inside them (``--choose``). Five splits hold out an eighth of the photos each,
whole groups. Needs torch. Results: ``benchmarks/results/vision_classifier.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import software
from launch.load_report import machine
from models.heads import HeadRecipe
from trendloom.catalogue.embedding import open_backbone
from trendloom.classifier.checkpoint import as_kept
from trendloom.classifier.head import Classifier
from trendloom.classifier.labelled import LabelledPhotos, labelled_table
from trendloom.classifier.quality import measure
from trendloom.classifier.seeing import SeenPhotos, look_once
from trendloom.classifier.splitting import split_by_group
from trendloom.classifier.training import PROBE, Examples, fit_classifier, held_out_parts, make_examples, measure_splits

#: Photos, by group, that no split holds out; the recipe's settings were chosen on them.
RESERVED = 0.4
SEED = 0
#: The wanted figures: accuracy and macro recall at least, calibration error at most.
TARGETS = {"cc0": (0.75, 0.58, None), "myntra": (0.82, 0.75, 0.05)}
#: What ``--choose`` compares.
RECIPES = {
    "linear probe": PROBE,
    "as shipped": HeadRecipe(),
    "stronger class weights": HeadRecipe(class_weight_power=0.75),
    "more dropout": HeadRecipe(dropout=0.5, input_dropout=0.5),
}
_MYNTRA = {
    "Tshirts": "Tee",
    "Tops": "Top",
    "Tunics": "Top",
    "Dresses": "Dress",
    "Sweatshirts": "Sweatshirt",
    "Sweaters": "Sweater",
    "Jackets": "Jacket",
    "Rain Jacket": "Jacket",
}
#: Classes of the source system's eleven that Myntra has too few photos of: asked about, not counted.
_RARE = ("Blazers", "Camisoles", "Jumpsuit", "Nehru Jackets", "Rompers", "Shrug", "Waistcoat")


def cc0(data: Path) -> LabelledPhotos:
    """Return the garments that people photographed at home: 17 classes, grouped by sender."""
    place = data / "clothing_cc0"
    photos = labelled_table(
        place / "images.csv.gz", place / "images_224.zip", photo="image", label="label", group="sender_id"
    )
    return photos.relabelled(drop=("Not sure", "Other", "Skip"))


def myntra(data: Path) -> LabelledPhotos:
    """Return the upper-body garments of a shop, grouped by product name; the rare classes with them."""
    place = data / "myntra_apparel"
    photos = labelled_table(
        place / "styles.csv.gz", place / "images.zip", photo="id", label="articleType", group="productDisplayName"
    )
    return photos.relabelled(_MYNTRA, only=(*dict.fromkeys(_MYNTRA.values()), *_RARE))


def _examples(name: str, photos: LabelledPhotos, features: Path | None) -> tuple[SeenPhotos, list[str], Examples]:
    """Return what was seen, the labels, and the examples without the rare classes."""
    kept = features / f"{name}_lite0_seen.safetensors" if features else None
    seen = look_once(photos.source, photos.names, open_backbone(), views=("plain",), seed=42, kept=kept, progress=_tell)
    labels, groups = photos.told_of(seen.names)
    common = np.array([label not in _RARE for label in labels])
    examples = make_examples(
        {"plain": seen.views["plain"][common]},
        [label for label in labels if label not in _RARE],
        [group for group, is_common in zip(groups, common, strict=True) if is_common],
        [digest for digest, is_common in zip(seen.digests, common, strict=True) if is_common],
    )
    return seen, labels, examples


def measure_part(name: str, photos: LabelledPhotos, features: Path | None) -> dict[str, Any]:
    """Return the figures of one data set, with what the first split's head takes the rare classes for."""
    seen, labels, examples = _examples(name, photos, features)
    heads: list[Classifier] = []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:

        def keep(head: Classifier) -> Classifier:
            heads.append(as_kept(head, Path(place) / "head.safetensors"))
            print(f"{name}: head {len(heads)} of 5, {time.perf_counter() - started:.0f} s", flush=True)
            return heads[-1]

        measured = measure_splits(examples, HeadRecipe(), splits=5, seed=SEED, reserved=RESERVED, kept=keep)
    taken_for: dict[str, dict[str, int]] = {}
    for label in sorted(set(labels) & set(_RARE)):
        rows = np.array([one == label for one in labels])
        found = [prediction.label for prediction in heads[0].predict(seen.views["plain"][rows])]
        taken_for[label] = {one: found.count(one) for one in sorted(set(found))}
    accuracy, recall, error = TARGETS[name]
    return {
        "photos": len(examples),
        "groups": len(np.unique(examples.groups)),
        "classes": dict(zip(examples.labels, np.bincount(examples.wanted).tolist(), strict=True)),
        "split_by": "sender" if name == "cc0" else "productDisplayName",
        "held_out_photos": [quality.photos for quality in measured.splits],
        "ours": {**measured.mean(), "pooled_calibration_error": round(measured.pooled_calibration_error, 4)},
        "ours_by_split": [quality.as_dict(examples.labels) for quality in measured.splits],
        "baselines": measured.baselines,
        "temperatures": [round(head.temperature, 3) for head in heads],
        "target": {"accuracy": accuracy, "macro_recall": recall, "calibration_error": error},
        "rare_classes_taken_for": taken_for,
        "photos_left_out": len(seen.left_out),
    }


def choose(name: str, photos: LabelledPhotos, features: Path | None) -> None:
    """Print accuracy, macro recall and calibration error of some recipes, in four folds of the reserved photos."""
    _, _, everything = _examples(name, photos, features)
    reserved = everything.rows(held_out_parts(everything, reserved=RESERVED, seed=SEED) == -1)
    fold = split_by_group(reserved.wanted, reserved.groups, (0.25,) * 4, np.random.default_rng(1))
    for what, recipe in RECIPES.items():
        figures = []
        for turn in range(4):
            head = fit_classifier(reserved.rows(fold != turn), recipe, seed=1, validations=1)
            test = reserved.rows(fold == turn)
            quality = measure(head.probabilities(test.views["plain"]), test.wanted)
            figures.append((quality.accuracy, quality.macro_recall, quality.calibration_error))
        print(name, what, np.mean(figures, axis=0).round(4).tolist(), flush=True)


def main() -> None:
    """Measure the parts that were asked for, print them and write them."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    asked.add_argument("--features", type=Path, help="folder that keeps features from run to run")
    asked.add_argument("--parts", default="cc0,myntra", help="which data sets, comma-separated")
    asked.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "vision_classifier.json")
    asked.add_argument("--choose", action="store_true", help="compare recipes inside the reserved photos instead")
    given = asked.parse_args()
    if given.choose:
        for name in given.parts.split(","):
            choose(name, {"cc0": cc0, "myntra": myntra}[name](given.data), given.features)
        return
    told: dict[str, Any] = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    told |= {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python -m benchmarks.classifier --data DIR",
        "machine": machine(),
        "versions": software(),
        "backbone": open_backbone().describe(),
        "reserved_share": RESERVED,
        "seed": SEED,
    }
    for name in given.parts.split(","):
        part = measure_part(name, {"cc0": cc0, "myntra": myntra}[name](given.data), given.features)
        told.setdefault("parts", {})[name] = part
        for who, figures in (("ours", part["ours"]), *part["baselines"].items()):
            print(f"{name}, {who}: {figures}")
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _tell(done: int, total: int) -> None:
    if done % 800 == 0:
        print(f"{done} of {total} photos", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
