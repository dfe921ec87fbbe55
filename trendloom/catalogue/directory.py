"""A catalogue on disk, format version 1: what lies in which file, and the loader that refuses what does not match.

    manifest.json             format version, fingerprint, origin, backbone, transform, counts, SHA-256 of each file
    items.parquet             one row an item: ids, codes, what people read
    embeddings.safetensors    photo (P, D) float16; table (N, T) float16 where items lack photos
    neighbours.safetensors    nearest and lowest rows with similarities
    projection.safetensors    how a new photo's backbone features become an embedding (only if there are photos)
    thumbnails-*.safetensors  packs of small WebP pictures; the number is the first row

Never pickle, never torch, never pandas. Read next: :mod:`trendloom.catalogue.build`, which writes this.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from trendloom.catalogue.garment import GENDERS, Catalogue

__all__ = ["FORMAT_VERSION", "GENDERS", "Catalogue", "demo_catalogue_path"]

FORMAT_VERSION = 1


def demo_catalogue_path() -> Path:
    """Return the directory of the catalogue that ships with Trendloom."""
    return Path(str(files("trendloom.catalogue") / "demo"))
