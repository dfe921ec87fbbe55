"""Writes a catalogue directory, whole or not at all: into a directory beside it, swapped in when everything is there.

The same content gives the same bytes: no times, no paths, keys in order. Read next:
:mod:`trendloom.catalogue.directory`, which says what lies in which file.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save

from trendloom.catalogue.directory import FORMAT_VERSION, fingerprint_of
from trendloom.catalogue.neighbours import ItemExtremes
from trendloom.errors import CatalogueError

__all__ = ["check_target", "neighbour_bytes", "parquet_bytes", "tensor_bytes", "write_directory"]


def write_directory(out: Path, contents: Mapping[str, bytes], about: Mapping[str, Any]) -> str:
    """Write the files ``contents`` (name -> bytes) and a manifest that holds ``about``; return the fingerprint.

    Replaces a catalogue that stands at ``out``; raises :class:`CatalogueError` when something else stands there.
    """
    check_target(out)
    listed = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(contents.items())
    }
    manifest = {**about, "format_version": FORMAT_VERSION, "files": listed}
    manifest["fingerprint"] = fingerprint_of(manifest)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            beside.chmod(0o755)
            for name, content in contents.items():
                (beside / name).write_bytes(content)
            text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
            (beside / "manifest.json").write_text(text + "\n", encoding="utf-8")
            _put_in_place(beside, out)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise CatalogueError(
            f"{out} cannot be written ({error.strerror}). Action: check the disk and the rights of {out.parent}."
        ) from error
    return str(manifest["fingerprint"])


def check_target(out: Path) -> None:
    """Raise :class:`CatalogueError` when something stands at ``out`` that a catalogue must not replace."""
    if out.exists() and not (out / "manifest.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise CatalogueError(f"{out} exists and is no catalogue. Action: name a new or empty directory with --out.")


def _put_in_place(beside: Path, out: Path) -> None:
    """Let the directory ``beside`` stand at ``out``; what stood there is at ``beside`` then, or gone."""
    if out.exists() and _exchange(beside, out):
        return
    old = beside.with_name(beside.name + "-old")
    if out.exists():
        out.rename(old)
    try:
        beside.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two directories in one step, so that there is never none at either; False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return int(rename(here, os.fsencode(one), here, os.fsencode(other), exchange)) == 0


def tensor_bytes(tensors: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return the content of a safetensors file, tensors in the order of their names.

    >>> tensor_bytes({"a": np.zeros(2)}) == tensor_bytes({"a": np.zeros(4)[::2]})
    True
    """
    content: bytes = save({name: np.ascontiguousarray(tensor) for name, tensor in sorted(tensors.items())})
    return content


def parquet_bytes(columns: Mapping[str, Any]) -> bytes:
    """Return the content of a Parquet file with these columns, compressed with zstd."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(columns)), sink, compression="zstd", store_schema=False)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def neighbour_bytes(found: ItemExtremes) -> bytes:
    """Return the content of neighbours.safetensors."""
    extremes = found.extremes
    return tensor_bytes(
        {
            "nearest": extremes.nearest,
            "nearest_similarity": extremes.nearest_similarity,
            "source": found.source,
            "lowest": extremes.farthest,
            "lowest_similarity": extremes.farthest_similarity,
        }
    )
