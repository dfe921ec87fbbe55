"""A photo in, the garments most like it out: what ``trendloom similar`` and the page do, from Python.

python examples/e04_find_similar.py [PHOTO]

Without a photo a garment of the demo's catalogue asks; a photo of your own needs the extra ``vision``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from trendloom.similar import Answer, Similar
from trendloom.similar.search import percent


def tell(heading: str, answer: Answer) -> None:
    """Print what was found, best first."""
    print(heading)
    for match in answer.matches:
        print(f"  {percent(match.similarity):3} %  {match.item_id:22} {match.title}")


def main(photos: list[Path]) -> None:
    """Search with each photo, else with a garment of the catalogue, plainly and with its label minded."""
    similar = Similar.open()  # or a directory that `trendloom catalogue build` made
    for photo, answer in zip(photos, similar.search_many(photos, k=5), strict=True):
        tell(f"like {photo}", answer)
    if not photos:
        item_id = similar.random_item(np.random.default_rng(4))
        tell(f"like {item_id}", similar.search_item(item_id, k=5))
        tell(f"like {item_id}, its label minded", similar.search_item(item_id, k=5, label_aware=True))


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
