"""Retrieval on H&M's product photos: how many of the 5 nearest photos agree in type and colour of garment.

Type is ``product_type_name``, colour ``colour_group_name``, both = joint. Neighbours of the same product code do not
count. A third of the product codes is held out by hash and is the gallery; everything is fitted on the rest; figures
are means of 5 splits. ``--choose`` compares settings on an inner split of the fitting part instead.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from benchmarks.processes_seen import machine
from trendloom.catalogue.embedding import open_backbone, parts_of
from trendloom.catalogue.facets import COLOURS, mix_parts, split_parts
from trendloom.catalogue.photos import decode_photo, open_photos
from trendloom.catalogue.tuning import Tuning, label_codes, tune_projection

__all__ = ["Photos", "agreement", "held_out", "same_product"]

SPLITS = 5
K = 5
_TARGETS = {"type": 0.63, "colour": 0.52, "joint": 0.34}
#: What the curve goes through: the share of colour of what is learnt.
_CURVE = (0.0, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
_FLOATS = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Photos:
    """The photographed articles with their labels and features."""

    types: npt.NDArray[np.int64]
    colours: npt.NDArray[np.int64]
    products: npt.NDArray[np.int64]
    codes: list[str]
    features: _FLOATS
    parts: tuple[tuple[str, int], ...]


def held_out(codes: Sequence[str], split: str) -> npt.NDArray[np.bool_]:
    """Return which rows are held out: a third of the product codes, by SHA-256 of the split's name and the code.

    >>> held_out(["700", "700", "701", "702", "703"], "split-1").tolist()
    [False, False, True, False, False]
    >>> int(held_out([str(code) for code in range(3000)], "split-0").sum())
    978
    """
    third = {code: int(hashlib.sha256(f"{split}:{code}".encode()).hexdigest()[:8], 16) % 3 == 0 for code in set(codes)}
    return np.array([third[code] for code in codes])


def agreement(vectors: _FLOATS, photos: Photos, rows: npt.NDArray[np.integer]) -> dict[str, float]:
    """Return how many of the K nearest, outside the row's product, agree in type, in colour and in both."""
    nearest = _nearest(vectors, K, photos.products[rows])
    same_type = photos.types[rows][nearest] == photos.types[rows][:, None]
    same_colour = photos.colours[rows][nearest] == photos.colours[rows][:, None]
    return {
        "type": float(same_type.mean()),
        "colour": float(same_colour.mean()),
        "joint": float((same_type & same_colour).mean()),
    }


def same_product(vectors: _FLOATS, photos: Photos, rows: npt.NDArray[np.integer]) -> float:
    """Return the label-free check: of articles whose product is there in another colour, the share that finds it first.

    "First" is the nearest of all other articles, those of the same product included.
    """
    first = _nearest(vectors, 1, None)[:, 0]
    products, colours = photos.products[rows], photos.colours[rows]
    several = np.array([len(set(colours[products == product].tolist())) > 1 for product in products])
    found = (products[first] == products) & (colours[first] != colours)
    return float(found[several].mean())


def _nearest(vectors: _FLOATS, count: int, products: npt.NDArray[np.integer] | None) -> npt.NDArray[np.intp]:
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    found = np.empty((len(unit), count), np.intp)
    for start in range(0, len(unit), 1024):
        rows = slice(start, start + 1024)
        similarity = unit[rows] @ unit.T
        own = np.arange(len(unit)) if products is None else products
        similarity[own[rows, None] == own[None]] = -np.inf
        found[rows] = np.argpartition(-similarity, count, axis=1)[:, :count]
    return found


def measure(photos: Photos, tuning: Tuning, splits: Sequence[tuple[Any, Any]]) -> dict[str, dict[str, float]]:
    """Return the figures of baselines and of embeddings along the curve, means of (fit rows, held-out rows) pairs."""
    told: dict[str, list[dict[str, float]]] = {}
    lengths = tuple(length for _, length in photos.parts)
    deep = [at for at, (name, _) in enumerate(photos.parts) if name != COLOURS]
    for fit, held in splits:
        pause()

        def tell(name: str, vectors: _FLOATS, held: npt.NDArray[np.integer] = held) -> None:
            found = agreement(vectors, photos, held) | {"same_product": same_product(vectors, photos, held)}
            told.setdefault(name, []).append(found)

        split = split_parts(photos.features[held], lengths)
        tell("network alone (its last layer)", split[deep[0]])
        tell("colour histogram alone", split[-1])
        mix = mix_parts(photos.features[fit], photos.parts, dims=128, whitening=0.0, colour_weight=0.5)
        for weight in (0.2, 0.3, 0.5):
            weighted = mix.weighted({"look": 1.0 - weight, "colour": weight})
            tell(f"mix, colour {weight}", weighted.apply(photos.features[held]).astype(np.float32))
        began_s = time.perf_counter()
        labels = {"type": photos.types[fit], "colour": photos.colours[fit]}
        # learnt once: the weights of the facets are turned afterwards
        tuned = tune_projection(photos.features[fit], photos.parts, labels, replace(tuning, look_weight=0.5))
        took_s = time.perf_counter() - began_s
        curve = [(colour, tuning.look_weight) for colour in sorted({*_CURVE, tuning.colour_weight})]
        for colour, look in [*curve, (tuning.colour_weight, 0.0)]:
            turned = replace(tuning, look_weight=look, colour_weight=colour)
            known = tuned.weighted(turned.weights(("type", "colour", "look")))
            tell(f"tuned, colour {colour}, look {look}", known.apply(photos.features[held]).astype(np.float32))
        told.setdefault("training", []).append({"seconds": took_s})
        print(f"split done, trained in {took_s:.0f} s", flush=True)
    return {
        name: {key: round(float(np.mean([row[key] for row in rows])), 4) for key in rows[0]}
        for name, rows in told.items()
    }


def choose(photos: Photos, tuning: Tuning) -> None:
    """Print how settings do on inner splits of the first split's fitting part; held-out photos are not looked at."""
    fit = ~held_out(photos.codes, "split-0")
    splits = [
        (np.flatnonzero(fit & ~inner), np.flatnonzero(fit & inner))
        for inner in (held_out(photos.codes, f"inner-{number}") for number in range(2))
    ]
    for look in (0.1, 0.2, 0.3):
        for name, row in measure(photos, replace(tuning, look_weight=look), splits).items():
            print(f"{name:40} {row}", flush=True)


def read_photos(data: Path, backbone: str, cache: Path, pause: Callable[[], None], *, some: int = 0) -> Photos:
    """Return the photographed articles, or ``some`` by lot; features are computed once and kept in ``cache``."""
    source = open_photos(data / "images_240.zip")
    ids = sorted(source.names)
    if some:
        ids = [ids[place] for place in sorted(np.random.default_rng(0).permutation(len(ids))[:some].tolist())]
    names = ["article_id", "product_code", "product_type_name", "colour_group_name"]
    table = pq.read_table(data / "articles.parquet", columns=names).to_pydict()
    row = {article: at for at, article in enumerate(table["article_id"])}
    picked = {name: [str(table[name][row[article]]) for article in ids] for name in names}
    features, parts = _features(source, ids, backbone, cache, pause)
    return Photos(
        types=label_codes(picked["product_type_name"]),
        colours=label_codes(picked["colour_group_name"]),
        products=label_codes(picked["product_code"]),
        codes=picked["product_code"],
        features=features,
        parts=parts,
    )


def _features(
    source: Any, ids: list[str], backbone: str, cache: Path, pause: Callable[[], None]
) -> tuple[_FLOATS, tuple[tuple[str, int], ...]]:
    kept = cache / f"hm_{backbone}_{len(ids)}.npz" if len(ids) < len(source.names) else cache / f"hm_{backbone}.npz"
    if kept.is_file():
        with np.load(kept) as arrays:
            parts = tuple((str(name), int(size)) for name, size in zip(arrays["names"], arrays["sizes"], strict=True))
            return arrays["features"].astype(np.float32), parts
    embedder = open_backbone(backbone)
    found = []
    for start in range(0, len(ids), 4):
        pause()
        prepared = [embedder.prepare(decode_photo(source, name)) for name in ids[start : start + 4]]
        found.append(embedder.embed(np.stack(prepared)))
        if start % 1000 == 0:
            print(f"{backbone}: {start} of {len(ids)} photos", flush=True)
    features, parts = np.concatenate(found), parts_of(embedder)
    cache.mkdir(parents=True, exist_ok=True)
    beside = kept.with_suffix(".tmp.npz")
    np.savez(beside, features=features, names=[name for name, _ in parts], sizes=[size for _, size in parts])
    beside.rename(kept)
    return features, parts


def pause() -> None:
    """Wait while the file that ``BENCH_PAUSE`` names exists: somebody takes timings on this machine."""
    name = os.environ.get("BENCH_PAUSE")
    while name and Path(name).exists():
        time.sleep(3)


def main() -> None:
    """Measure, print and write JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--backbones", nargs="+", default=["efficientnet_lite0_taps+colours"])
    arguments.add_argument(
        "--data", type=Path, default=Path(os.environ.get("EVALUATION_DATA", "../shared/data")) / "hm"
    )
    arguments.add_argument("--cache", type=Path, default=Path("var/bench-features"))
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/vision_retrieval.json"))
    arguments.add_argument("--photos", type=int, default=0, help="so many of the photos, by lot; 0 = all")
    arguments.add_argument("--note", default="", help="What a reader of the JSON has to know of the features.")
    arguments.add_argument("--choose", action="store_true")
    given = arguments.parse_args()
    told: dict[str, Any] = {
        "what": "share of the 5 nearest that agree; mean of 5 splits; gallery and queries are held-out photos",
        "note": given.note,
        "targets": _TARGETS,
        "photos": given.photos or "all",
        "tuning": asdict(Tuning()),
        "machine": machine(),
        "versions": {name: version(name) for name in ("numpy", "pillow", "torch")},
        "backbones": {},
    }
    for backbone in given.backbones:
        photos = read_photos(given.data, backbone, given.cache, pause, some=given.photos)
        if given.choose:
            choose(photos, Tuning())
            continue
        held = [held_out(photos.codes, f"split-{number}") for number in range(SPLITS)]
        rows = measure(photos, Tuning(), [(np.flatnonzero(~out), np.flatnonzero(out)) for out in held])
        told["backbones"][backbone] = rows
        for name, row in rows.items():
            print(f"{backbone:50} {name:40} {row}", flush=True)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
