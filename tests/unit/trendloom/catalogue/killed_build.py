"""``python -m``-like script: builds a folder of photos with the seeded network and kills itself after some batches.

Arguments: photos, target, number of batches after which the process ends as if its power had been cut (0 = never).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.columns import Columns

OPTIONS = BuildOptions(neighbours=6, lowest=4, photo_dims=12)


class DoomedEmbedder(SeededEmbedder):
    """Kills the process when it has looked at so many batches."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self._batches = batches

    def embed(self, prepared: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if self._batches and len(self.batches) >= self._batches:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(prepared)


if __name__ == "__main__":
    build_catalogue(
        None, Path(sys.argv[2]), Columns(), OPTIONS, photos=Path(sys.argv[1]), embedder=DoomedEmbedder(int(sys.argv[3]))
    )
