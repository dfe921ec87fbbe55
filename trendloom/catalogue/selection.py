"""Chooses a balanced, presentable part of a photographed table, by a rule that a seed makes repeatable.

The rule: of photos that are the same picture the first counts; blurred and cluttered ones go; then every category gets
an equal share (small ones give all they have) and its members are drawn at random.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from PIL import Image

from trendloom.catalogue.photos import PhotoSource, UnusablePhoto, decode_photo
from trendloom.catalogue.table import ItemTable
from trendloom.errors import CatalogueError

__all__ = ["choose_items", "equal_shares"]

#: Within a category this share of the photos, the least presentable, is passed over where there are enough others.
_PASSED_OVER = 0.25
_LEAST_SHORT_SIDE_PX = 100


def choose_items(
    items: ItemTable,
    source: PhotoSource,
    count: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> npt.NDArray[np.int64]:
    """Return the rows of ``count`` items in ascending order; raises :class:`CatalogueError` if there are too few.

    An item can be chosen if its photo can be read, its short side has at least 100 pixels and no earlier item has the
    same picture.
    """

    def measure(name: str) -> tuple[str, float] | None:
        try:
            photo = decode_photo(source, name)
        except UnusablePhoto:
            return None
        if min(photo.size) < _LEAST_SHORT_SIDE_PX:
            return None
        return hashlib.sha256(photo.tobytes()).hexdigest(), presentability(photo)

    usable: list[int] = []
    worth = np.zeros(len(items))
    seen: set[str] = set()
    with ThreadPoolExecutor(max_workers=2) as pool:
        for row, measured in enumerate(pool.map(measure, items.photos)):
            if measured is not None and measured[0] not in seen:
                seen.add(measured[0])
                usable.append(row)
                worth[row] = measured[1]
            if row % 64 == 63 or row + 1 == len(items):
                progress("photos", row + 1, len(items))
    if len(usable) < count:
        raise CatalogueError(
            f"{count} items were asked for, {len(usable)} have a usable photo. Action: give a smaller --items."
        )
    members: dict[str, list[int]] = {}
    for row in usable:
        members.setdefault(items.categories[row], []).append(row)
    names = sorted(members)
    shares = equal_shares([len(members[name]) for name in names], count)
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for name, share in zip(names, shares, strict=True):
        rows = np.array(members[name])
        best = rows[np.argsort(-worth[rows], kind="stable")]
        presentable = best[: max(share, round(len(best) * (1 - _PASSED_OVER)))]
        chosen.extend(rng.permutation(np.sort(presentable))[:share].tolist())
    return np.sort(np.array(chosen, np.int64))


def equal_shares(sizes: list[int], count: int) -> list[int]:
    """Return how many of each group to take so that they sum to ``count`` and are as equal as the sizes allow.

    >>> equal_shares([3, 50, 40], 23)
    [3, 10, 10]
    >>> equal_shares([2, 2], 3)
    [2, 1]
    """
    shares = [0] * len(sizes)
    left = count
    open_groups = list(range(len(sizes)))
    while left and open_groups:
        each = max(1, left // len(open_groups))
        for group in list(open_groups):
            more = min(each, sizes[group] - shares[group], left)
            shares[group] += more
            left -= more
            if shares[group] == sizes[group]:
                open_groups.remove(group)
    return shares


def presentability(photo: Image.Image) -> float:
    """Return how sharp a photo is and how calm its border: greater is better, about -2 to 2.

    Sharpness is the logarithm of the mean squared Laplacian of the brightness; a calm border has brightness with a
    small standard deviation, as a garment laid on one plain ground has.
    """
    grey = np.asarray(photo.convert("L").resize((160, 160), Image.Resampling.BILINEAR), np.float64) / 255.0
    laplacian = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    sharpness = float(np.log10(np.mean(laplacian**2) + 1e-6)) / 2.0 + 1.0
    border = np.concatenate([grey[:8].ravel(), grey[-8:].ravel(), grey[:, :8].ravel(), grey[:, -8:].ravel()])
    return sharpness - 4.0 * float(border.std())
