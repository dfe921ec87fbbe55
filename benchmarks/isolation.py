"""How well garments are isolated, and what that is worth: Clothing Co-Parsing, features by EfficientNet-Lite0.

First the overlap (IoU) of each way without masks with the data's own masks. Then search: the box of a garment is cut
out of its photo, with and without what lies around the person, and the nearest boxes of other photos should have its
label. No crop is cut by the mask of its own label, which would give its outline away.

Run: ``python -m benchmarks.isolation --data DIR --out FILE``; DIR holds photos_480.zip, masks_480.zip, boxes.csv.gz.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import platform
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import sleep, thread_time
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.background import near_white_background
from trendloom.catalogue.embedding import Embedder, open_backbone
from trendloom.catalogue.garment_masks import CCP_GARMENTS, CCP_LABELS, read_mask
from trendloom.catalogue.photos import PhotoSource, decode_photo, open_photos

Mask = npt.NDArray[np.bool_]

#: Boxes with a shorter side, and labels with fewer boxes, are not searched for.
_LEAST_SIDE_PX, _LEAST_BOXES = 32, 10
_BATCH = 8
_NEAREST = 5
_DRAWS = 2_000


@dataclass(frozen=True)
class Piece:
    """The box of one label in one photo."""

    photo: str
    label: int
    box: tuple[int, int, int, int]


def read_pieces(table: Path) -> list[Piece]:
    """Return the boxes of garments that are large enough, of labels that are common enough."""
    with gzip.open(table, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        left, top, right, bottom = (int(row[name]) for name in ("x0", "y0", "x1", "y1"))
        large = min(right - left, bottom - top) >= _LEAST_SIDE_PX
        if large and int(row["label_id"]) in CCP_GARMENTS:
            found.append(Piece(f"{int(row['photo']):04d}", int(row["label_id"]), (left, top, right, bottom)))
    boxes = Counter(piece.label for piece in found)
    return [piece for piece in found if boxes[piece.label] >= _LEAST_BOXES]


def iou(found: Mask, wanted: Mask) -> float:
    """Return the overlap of two masks: common pixels / pixels of either.

    >>> iou(np.array([True, True, False]), np.array([False, True, True]))
    0.3333333333333333
    """
    either = int((found | wanted).sum())
    return int((found & wanted).sum()) / either if either else 1.0


class Cutter:
    """Masks of a photo by each way: the data's own, and those that need none."""

    def __init__(self, photos: PhotoSource, masks: PhotoSource, *, saliency: bool) -> None:
        from models.saliency import load_saliency

        self._photos, self._masks = photos, masks
        self._network = load_saliency() if saliency else None
        self.seconds = dict.fromkeys(("whole photo", "near-white", "saliency"), 0.0)

    def look(self, name: str) -> tuple[Image.Image, dict[str, Mask]]:
        """Return a photo and its masks by way."""
        photo = decode_photo(self._photos, name)
        values = np.asarray(read_mask(self._masks, name).resize(photo.size, Image.Resampling.NEAREST))
        found = {
            "label map: all that is worn": np.isin(values, sorted(CCP_GARMENTS)),
            "label map: the person": values != 0,
            "whole photo": np.ones(values.shape, np.bool_),
        }
        started = thread_time()
        found["near-white"] = ~near_white_background(np.asarray(photo, np.uint8), 24)
        self.seconds["near-white"] += thread_time() - started
        if self._network is not None:
            started = thread_time()
            found["saliency"] = self._network.saliency(photo) >= 0.5
            self.seconds["saliency"] += thread_time() - started
        return photo, found


def cut(photo: Image.Image, mask: Mask | None, box: tuple[int, int, int, int]) -> Image.Image:
    """Return the box of a photo, white where the mask says no."""
    if mask is None:
        return photo.crop(box)
    pixels = np.array(photo, np.uint8)
    pixels[~mask] = 255
    return Image.fromarray(pixels).crop(box)


def same_labels(features: npt.NDArray[np.float32], pieces: list[Piece]) -> Mask:
    """Return whether each of the five nearest boxes of other photos has a box's label (N, 5)."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    labels = np.array([piece.label for piece in pieces])
    photo = np.array([int(piece.photo) for piece in pieces])
    similarity = unit @ unit.T
    similarity[photo[:, None] == photo[None, :]] = -2.0
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :_NEAREST]
    same: Mask = labels[nearest] == labels[:, None]
    return same


def agreement(same: Mask, pieces: list[Piece]) -> dict[str, float]:
    """Return how often the nearest boxes of other photos have the same label, from :func:`same_labels`.

    nearest: the nearest one; at_5: share of the five nearest; at_5_macro: its mean over labels.
    """
    labels = np.array([piece.label for piece in pieces])
    by_label = [same[labels == label].mean() for label in np.unique(labels)]
    return {
        "nearest": round(float(same[:, 0].mean()), 4),
        "at_5": round(float(same.mean()), 4),
        "at_5_macro": round(float(np.mean(by_label)), 4),
    }


def gain(same: Mask, baseline: Mask, pieces: list[Piece], *, seed: int = 0) -> dict[str, list[float]]:
    """Return what a way gains on another: mean, and the middle 95 % of :data:`_DRAWS` draws of photos with replacement.

    Photos are drawn, not boxes: the boxes of one photo are not independent. The gallery stays as it is.
    """
    _, photo = np.unique([piece.photo for piece in pieces], return_inverse=True)
    size = np.bincount(photo).astype(np.float64)
    drawn = np.random.default_rng(seed).multinomial(len(size), np.full(len(size), 1 / len(size)), size=_DRAWS)
    told = {}
    for name, one, other in (("nearest", same[:, 0], baseline[:, 0]), ("at_5", same.mean(1), baseline.mean(1))):
        by_photo = np.bincount(photo, one.astype(np.float64) - other.astype(np.float64))
        means = (drawn @ by_photo) / (drawn @ size)
        low, high = np.quantile(means, (0.025, 0.975))
        told[name] = [round(float(value), 4) for value in (by_photo.sum() / size.sum(), low, high)]
    return told


def measure(data: Path, embedder: Embedder, *, photos: int, saliency: bool, pause: Path | None) -> Any:
    """Return the figures of the whole benchmark; ``photos`` > 0 takes the first so many."""
    source, masks = open_photos(data / "photos_480.zip"), open_photos(data / "masks_480.zip")
    names = sorted(source.names)[: photos or None]
    pieces = [piece for piece in read_pieces(data / "boxes.csv.gz") if piece.photo in set(names)]
    of_photo: dict[str, list[Piece]] = {name: [] for name in names}
    for piece in pieces:
        of_photo[piece.photo].append(piece)
    cutter = Cutter(source, masks, saliency=saliency)
    overlaps: dict[str, list[tuple[float, float]]] = {}
    prepared: dict[str, list[npt.NDArray[np.uint8]]] = {}
    features: dict[str, list[npt.NDArray[np.float32]]] = {}
    ordered: list[Piece] = []

    def embed(way: str, at_least: int) -> None:
        while len(waiting := prepared[way]) >= at_least and waiting:
            features.setdefault(way, []).append(embedder.embed(np.stack(waiting[:_BATCH])))
            del waiting[:_BATCH]

    for number, name in enumerate(names):
        while pause is not None and pause.exists():
            sleep(1.0)
        photo, found = cutter.look(name)
        worn, person = found["label map: all that is worn"], found["label map: the person"]
        for way, mask in found.items():
            if not way.startswith("label map"):
                overlaps.setdefault(way, []).append((iou(mask, worn), iou(mask, person)))
        ways: dict[str, Mask | None] = {"unmasked": None, **found}
        del ways["whole photo"], ways["near-white"]  # the same as unmasked in street photos
        for way, used in ways.items():
            rows = prepared.setdefault(way, [])
            rows += [embedder.prepare(cut(photo, used, piece.box)) for piece in of_photo[name]]
            embed(way, _BATCH)
        ordered += of_photo[name]
        if number % 100 == 0:
            print(f"{number} of {len(names)} photos", flush=True)
    for way in prepared:
        embed(way, 1)
    same = {way: same_labels(np.concatenate(parts), ordered) for way, parts in features.items()}
    return {
        "photos": len(names),
        "crops": len(ordered),
        "labels": len({piece.label for piece in ordered}),
        "iou": {
            way: {
                "with_all_that_is_worn": round(float(np.mean([pair[0] for pair in pairs])), 4),
                "with_the_person": round(float(np.mean([pair[1] for pair in pairs])), 4),
                "cpu_ms_per_photo": round(1000 * cutter.seconds[way] / len(names), 1),
            }
            for way, pairs in overlaps.items()
        },
        "search": {way: agreement(rows, ordered) for way, rows in same.items()},
        "gain_on_unmasked_mean_low_high": {
            way: gain(rows, same["unmasked"], ordered) for way, rows in same.items() if way != "unmasked"
        },
        "labels_searched": sorted({CCP_LABELS[piece.label] for piece in ordered}),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Isolation of garments on Clothing Co-Parsing.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the Clothing Co-Parsing data")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--photos", type=int, default=0, help="only the first so many")
    parser.add_argument("--no-saliency", action="store_true", help="leave the saliency network out")
    parser.add_argument("--pause-while", type=Path, help="wait between photos while this file exists")
    told = parser.parse_args()
    embedder = open_backbone("efficientnet_lite0")
    figures = measure(told.data, embedder, photos=told.photos, saliency=not told.no_saliency, pause=told.pause_while)
    figures["machine"] = {"cpu": platform.machine(), "python": platform.python_version(), "threads": 1}
    packages = ("numpy", "pillow", "torch", *(() if told.no_saliency else ("onnxruntime",)))
    figures["versions"] = {name: version(name) for name in packages}
    figures["backbone"] = embedder.describe()
    told.out.parent.mkdir(parents=True, exist_ok=True)
    told.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(
        json.dumps(
            {key: figures[key] for key in ("photos", "crops", "iou", "search", "gain_on_unmasked_mean_low_high")},
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
