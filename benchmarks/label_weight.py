"""What minding the label buys and costs, by its weight: how ``LABEL_WEIGHT`` was chosen.

``python -m benchmarks.label_weight --table images.csv.gz --photos images_224.zip`` (the CC0 clothing data; needs torch
and ``benchmarks/requirements-search.txt``). Half of the senders, by hash, choose; the other half reports. In each half,
five times, a third of the senders asks and the others are the gallery; on the gallery alone a softmax head is fitted,
its temperature by cross-fitting, and the projection. For plain search, soft labels of some weights, and the hard gate
that one source system has (only garments of the predicted label), it tells: the share of the 5 nearest with the
query's true label, the same for queries whose label is predicted wrongly, the share of these for which no right garment
is among the 5, and the mean cosine of the 5 (what is given up in looks).
"""

from __future__ import annotations

import argparse
import json
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.photos import decode_photo, open_photos
from trendloom.catalogue.projection import fit_projection
from trendloom.similar.agreement import label_bonus
from trendloom.similar.gallery import Gallery

__all__ = ["measure"]

WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)
DROPPED = {"Not sure", "Other", "Skip"}
_BATCH = 8
_RESULT = Path(__file__).parent / "results" / "vision_label_weight.json"

Floats = npt.NDArray[np.float32]


def read_features(table: Path, photos: Path, cache: Path | None) -> tuple[Floats, npt.NDArray[Any], npt.NDArray[Any]]:
    """Return features (N, F), labels (N,) and senders (N,) of the photos with a label, each picture once."""
    import pyarrow.csv as pa_csv

    columns = pa_csv.read_csv(table)
    names, labels, senders = (np.array(columns[name].to_pylist()) for name in ("image", "label", "sender_id"))
    keep = np.array([label not in DROPPED for label in labels])
    names, labels, senders = names[keep], labels[keep], senders[keep]
    if cache is not None and cache.is_file():
        with np.load(cache, allow_pickle=False) as held:
            place = {name: at for at, name in enumerate(held["names"].tolist())}
            features = held["features"][[place[name] for name in names.tolist()]]
    else:
        features = _look(names.tolist(), photos)
        if cache is not None:
            np.savez(cache, names=names, features=features)
    _, first = np.unique(features, axis=0, return_index=True)
    first.sort()
    return features[first].astype(np.float32), labels[first], senders[first]


def _look(names: list[str], photos: Path) -> Floats:
    from trendloom.catalogue.embedding import open_backbone

    source, backbone = open_photos(photos), open_backbone()

    def see(start: int) -> Floats:
        part = names[start : start + _BATCH]
        return backbone.embed(np.stack([backbone.prepare(decode_photo(source, name)) for name in part]))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(see, range(0, len(names), _BATCH))))


def measure(features: Floats, labels: npt.NDArray[Any], senders: npt.NDArray[Any], splits: int = 5) -> dict[str, Any]:
    """Return the figures of both halves, by weight."""
    told: dict[str, Any] = {"photos": len(labels), "labels": len(set(labels.tolist())), "splits": splits}
    half = np.array([zlib.crc32(f"half {sender}".encode()) % 2 for sender in senders])
    for number, name in enumerate(("choosing", "reporting")):
        rows = np.flatnonzero(half == number)
        found = [_one_split(features[rows], labels[rows], senders[rows], split) for split in range(splits)]
        told[name] = {
            way: {key: round(float(np.mean([one[way][key] for one in found])), 4) for key in found[0][way]}
            for way in found[0]
        }
    return told


def _one_split(
    features: Floats, labels: npt.NDArray[Any], senders: npt.NDArray[Any], split: int
) -> dict[str, dict[str, float]]:
    asks = np.array([zlib.crc32(f"{split} {sender}".encode()) % 3 == 0 for sender in senders])
    names, codes = np.unique(labels, return_inverse=True)
    theirs, own = codes[~asks], codes[asks]
    projection = fit_projection(features[~asks], dims=128, whitening=0.0)
    rows = projection.apply(features[~asks]).astype(np.float32)
    queries = projection.apply(features[asks]).astype(np.float32)
    probabilities = _probabilities(features[~asks], theirs, senders[~asks], features[asks], len(names))
    gallery = Gallery(rows, labels=theirs, label_count=len(names))
    guess = probabilities.argmax(axis=1)
    right = np.isin(own, theirs)  # a label that the gallery lacks cannot be found
    told = {}
    for weight in WEIGHTS:
        found = gallery.nearest(queries, 5, bonus=label_bonus(probabilities, weight))
        told[f"weight {weight:g}"] = _judge(found.rows, found.cosine, theirs, own, guess, right)
    gated = [gallery.nearest_within(queries[at : at + 1], 5, label=int(code)) for at, code in enumerate(guess)]
    told["hard gate"] = _judge(
        np.concatenate([one.rows for one in gated]),
        np.concatenate([one.cosine for one in gated]),
        theirs,
        own,
        guess,
        right,
    )
    return told


def _judge(
    rows: npt.NDArray[np.int32],
    cosine: Floats,
    theirs: npt.NDArray[Any],
    own: npt.NDArray[Any],
    guess: npt.NDArray[Any],
    usable: npt.NDArray[np.bool_],
) -> dict[str, float]:
    agree = (theirs[rows] == own[:, None]) & (rows >= 0)
    wrong = (guess != own) & usable
    return {
        "type_at_5": float(agree[usable].mean()),
        "type_at_5_where_wrong": float(agree[wrong].mean()),
        "hidden_where_wrong": float((~agree[wrong].any(axis=1)).mean()),
        "cosine_at_5": float(cosine[rows >= 0].mean()),
        "accuracy": float((guess == own)[usable].mean()),
    }


def _probabilities(
    train: Floats, codes: npt.NDArray[Any], senders: npt.NDArray[Any], asked: Floats, count: int
) -> npt.NDArray[np.float64]:
    """Return calibrated probabilities (Q, C) of a softmax head on standardised features."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax, softmax
    from sklearn.linear_model import LogisticRegression

    mean, deviation = train.mean(axis=0), train.std(axis=0) + 1e-6

    def logits(rows: npt.NDArray[np.bool_] | slice, of: Floats) -> npt.NDArray[np.float64]:
        head = LogisticRegression(C=0.003, max_iter=300).fit((train[rows] - mean) / deviation, codes[rows])
        out = np.full((len(of), count), -30.0)
        out[:, head.classes_] = head.decision_function((of - mean) / deviation)
        return out

    fold = np.array([zlib.crc32(f"fold {sender}".encode()) % 3 for sender in senders])
    held = np.zeros((len(train), count))
    for number in range(3):
        held[fold == number] = logits(fold != number, train[fold == number])
    at = np.arange(len(train))
    best = minimize_scalar(
        lambda t: -log_softmax(held / t, axis=1)[at, codes].mean(), bounds=(0.2, 5.0), method="bounded"
    )
    found: npt.NDArray[np.float64] = softmax(logits(slice(None), asked) / best.x, axis=1)
    return found


def main() -> None:
    """Measure, print rows and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="images.csv.gz")
    parser.add_argument("--photos", type=Path, required=True, help="images_224.zip")
    parser.add_argument("--features", type=Path, help="keep the features in this file (.npz), and read them from it")
    parser.add_argument("--out", type=Path, default=_RESULT)
    asked = parser.parse_args()
    told = measure(*read_features(asked.table, asked.photos, asked.features))
    for name in ("choosing", "reporting"):
        print(name)
        for way, found in told[name].items():
            print(f"  {way:12}", "  ".join(f"{key} {value:.4f}" for key, value in found.items()))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
