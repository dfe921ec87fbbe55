"""Tensors of a safetensors file, mapped into memory: nothing is copied, and the workers of a machine share the pages.

Writing into such an array changes neither the file nor what others see. Nothing here knows what the tensors mean.
Read next: :mod:`trendloom.catalogue.directory`, which checks them.
"""

from __future__ import annotations

import json
import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

__all__ = ["map_tensors"]

_KINDS = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}
#: A file begins with the length of its header, so many bytes, little-endian.
_LENGTH_BYTES = 8


def map_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a file by name, each as an array over the file's pages, which are read when first used.

    Raises ``SafetensorError`` for a file that is none, ``KeyError`` for a kind of number that numpy has not,
    ``OSError`` for one that cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> from safetensors.numpy import save_file
    >>> with TemporaryDirectory() as place:
    ...     save_file({"nearest": np.array([[4, 2]], np.int32)}, Path(place) / "some.safetensors")
    ...     map_tensors(Path(place) / "some.safetensors")["nearest"].tolist()
    [[4, 2]]
    """
    with safe_open(path, framework="np"):
        pass  # its header and lengths are in order
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    begin = _LENGTH_BYTES + int.from_bytes(pages[:_LENGTH_BYTES], "little")
    header: dict[str, dict[str, Any]] = json.loads(pages[_LENGTH_BYTES:begin])
    return {name: _tensor(pages, begin, told) for name, told in header.items() if name != "__metadata__"}


def _tensor(pages: mmap.mmap, begin: int, told: dict[str, Any]) -> npt.NDArray[Any]:
    kind, shape = np.dtype(_KINDS[told["dtype"]]), told["shape"]
    tensor = np.frombuffer(pages, kind, math.prod(shape), begin + told["data_offsets"][0]).reshape(shape)
    return tensor if tensor.flags.aligned else tensor.copy()
