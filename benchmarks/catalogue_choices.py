"""Measures what docs/catalogue.md says of the catalogue's choices; prints Markdown rows. Needs data, so it asks for it.

``python benchmarks/catalogue_choices.py photos --table images.csv.gz --photos images_224.zip`` (the demo's; torch)
``python benchmarks/catalogue_choices.py table --table articles.parquet --catalogue hm-photos`` (H&M's)
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.attributes import embed_attributes
from trendloom.catalogue.columns import PRESETS
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.neighbours import find_extremes
from trendloom.catalogue.photos import decode_photo, open_photos
from trendloom.catalogue.projection import fit_projection, type_at_5
from trendloom.catalogue.table import read_items

#: (numbers, whitening) that embeddings are shortened with.
SHORT = ((32, 0.0), (64, 0.0), (128, 0.0), (256, 0.0), (128, 0.25), (128, 0.5))
_BATCH = 8


def measure_photos(table: Path, photos: Path) -> None:
    """Print type@5 of the demo's garments for each way to fit and to shorten their photos."""
    from models.backbones import Transform, load_backbone

    demo = load_catalogue(demo_catalogue_path())
    items = read_items(table, PRESETS["clothing_cc0"])
    photo_of = dict(zip(items.item_ids, items.photos, strict=True))
    names = [photo_of[item_id] for item_id in demo.item_ids]
    source, backbone = open_photos(photos), load_backbone("efficientnet_lite0")
    pad = backbone.spec.transform

    def features(transform: Transform) -> npt.NDArray[np.float32]:
        def look(start: int) -> npt.NDArray[np.float32]:
            part = names[start : start + _BATCH]
            return backbone.features(np.stack([transform.pixels(decode_photo(source, name)) for name in part]))

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.concatenate(list(pool.map(look, range(0, len(names), _BATCH))))

    print("| photo | full |", " | ".join(f"{dims}, whitened {whitening}" for dims, whitening in SHORT), "|")
    for name, transform in (
        ("pad", pad),
        ("crop of 256", replace(pad, fit="crop", resize_px=256)),
        ("crop of 224", replace(pad, fit="crop", resize_px=224)),
    ):
        found = features(transform)
        unit = found / np.linalg.norm(found, axis=1, keepdims=True)
        cells = [type_at_5(unit, demo.category)]
        for dims, whitening in SHORT:
            projection = fit_projection(found, dims=dims, whitening=whitening)
            cells.append(type_at_5(projection.apply(found), demo.category))
        print(f"| {name} |", " | ".join(f"{cell:.4f}" for cell in cells), "|", flush=True)


def measure_table(table: Path, directory: Path) -> None:
    """Print how alike the photos of table neighbours are, for some weights of the table's columns."""
    catalogue = load_catalogue(directory)
    items = read_items(table, PRESETS["hm"])
    rows = np.flatnonzero(catalogue.photo_row >= 0)
    products, types = catalogue.product[rows], catalogue.category[rows]
    rng = np.random.default_rng(0)

    def tell(name: str, near: npt.NDArray[np.integer], count: int = 5) -> None:
        usable = (near >= 0) & (products[near] != products[:, None])
        usable &= usable.cumsum(axis=1) <= count
        a, place = np.nonzero(usable)
        b = near[a, place]
        alike, same = catalogue.similarity(rows[a], rows[b]).mean(), (types[a] == types[b]).mean()
        print(f"| {name} | {alike:.4f} | {same:.4f} |", flush=True)

    def by_table(name: str, weights: Mapping[str, float], dims: int, word_weight: float) -> None:
        found = embed_attributes(items.attributes, weights, items.texts, dims=dims, word_weight=word_weight)
        tell(name, find_extremes(found[rows], nearest=40, farthest=0).nearest)

    print("| neighbours | photo cosine | same type |")
    tell("any", rng.integers(len(rows), size=(len(rows), 1)))
    members = {code: np.flatnonzero(types == code) for code in np.unique(types)}
    tell("same type", np.array([rng.choice(members[code]) for code in types])[:, None])
    tell("photo", find_extremes(catalogue.photo_embeddings, nearest=40, farthest=0).nearest)
    for dims, word_weight in ((64, 1.5), (64, 0.6), (64, 2.5), (64, 0.0), (96, 1.5)):
        by_table(f"table, {dims} numbers, words {word_weight}", items.weights, dims, word_weight)
    by_table("table, all weights 1", dict.fromkeys(items.weights, 1.0), 64, 1.5)


def main() -> None:
    """Measure what was asked for; without a question say what can be asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["photos", "table"], nargs="?")
    parser.add_argument("--table", type=Path, help="images.csv.gz or articles.parquet")
    parser.add_argument("--photos", type=Path, help="images_224.zip")
    parser.add_argument("--catalogue", type=Path, help="H&M's catalogue with photos")
    asked, _ = parser.parse_known_args()
    if asked.what == "photos" and asked.table and asked.photos:
        measure_photos(asked.table, asked.photos)
    elif asked.what == "table" and asked.table and asked.catalogue:
        measure_table(asked.table, asked.catalogue)
    else:
        print(__doc__)


if __name__ == "__main__":
    main()
