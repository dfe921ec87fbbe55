"""Small pictures of the garments, many in one file, so that a catalogue of thousands is a handful of files.

A pack is a safetensors file with ``offsets`` (n + 1) and ``bytes``; item ``first + i`` owns the bytes from offset i
to offset i + 1, none if they are equal. Never decodes a picture: pages hand the WebP bytes on as they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from trendloom.catalogue.tensors import map_tensors

__all__ = ["PACK_BYTES", "Thumbnails", "pack_thumbnails"]

#: A pack is closed once it holds this many bytes: files stay under 5 MB, which code hosts show and diff tools survive.
PACK_BYTES = 4_000_000


class Thumbnails:
    """The pictures of a catalogue by row; reads one when asked, keeps none.

    ``packs`` maps the first row of each pack to its file; no packs means no pictures. The files are mapped into memory
    at once: a catalogue that is replaced on disk meanwhile still shows its own pictures. Raises what
    :func:`~trendloom.catalogue.tensors.map_tensors` raises, and KeyError for a file that is no pack.

    >>> Thumbnails({}).get(0) is None
    True
    """

    def __init__(self, packs: Mapping[int, Path]) -> None:
        self._firsts = sorted(packs)
        mapped = [map_tensors(packs[first]) for first in self._firsts]
        self._packs: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]] = [
            (tensors["offsets"], tensors["bytes"]) for tensors in mapped
        ]

    def get(self, row: int) -> bytes | None:
        """Return the WebP bytes of an item's picture, or None when it has none."""
        pack = bisect_right(self._firsts, row) - 1
        if pack < 0:
            return None
        (offsets, content), place = self._packs[pack], row - self._firsts[pack]
        if place + 1 >= len(offsets) or offsets[place] == offsets[place + 1]:
            return None
        return content[int(offsets[place]) : int(offsets[place + 1])].tobytes()


def pack_thumbnails(pictures: Sequence[bytes | None]) -> dict[int, bytes]:
    """Return the packs that hold these pictures (one an item, None = none): first row -> content of the file.

    >>> sorted(pack_thumbnails([b"a", None, b"bc"]))
    [0]
    """
    packs: dict[int, bytes] = {}
    first = 0
    while first < len(pictures):
        offsets, held = [0], 0
        while first + len(offsets) - 1 < len(pictures) and held < PACK_BYTES:
            held += len(pictures[first + len(offsets) - 1] or b"")
            offsets.append(held)
        count = len(offsets) - 1
        if held:
            content = b"".join(picture or b"" for picture in pictures[first : first + count])
            packs[first] = save(
                {"bytes": np.frombuffer(content, np.uint8), "offsets": np.asarray(offsets, np.int64)},
            )
        first += count
    return packs
