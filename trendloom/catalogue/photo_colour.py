"""The colours of the garment in a photo: a histogram that photos are compared by, and a rough name for titles.

Where no mask says what the garment is, it is what differs from the photo's border. The name is for people, never for
scores. Read next: :mod:`trendloom.catalogue.embedding`, which puts the histogram beside a network's features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["HISTOGRAM_BINS", "colour_histogram", "colour_name"]

#: Steps along L*, a* and b*; the two hues are spaced by asinh(value / 10), finely where most clothes are: near grey.
_STEPS = (10, 9, 9)
_ASINH_SCALE, _ASINH_END = 10.0, float(np.arcsinh(9.0))
#: Length of a colour histogram.
HISTOGRAM_BINS = _STEPS[0] * _STEPS[1] * _STEPS[2]
#: The long side that a photo is shrunk to before its pixels are counted, and how far (CIE76) from the border's colour
#: a pixel may be and still belong to the background.
_LONG_SIDE_PX, _BACKGROUND_REACH = 96, 8.0

#: Anchors in sRGB; the nearest in CIE Lab names the colour. Dark and greyish variants share a name with their hue.
_ANCHORS: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("Black", (22, 22, 24)),
    ("Black", (40, 40, 42)),
    ("Charcoal", (68, 68, 72)),
    ("Grey", (125, 125, 127)),
    ("Light Grey", (185, 185, 187)),
    ("White", (240, 240, 240)),
    ("Cream", (232, 222, 198)),
    ("Beige", (200, 178, 148)),
    ("Brown", (98, 66, 44)),
    ("Brown", (135, 98, 70)),
    ("Navy", (28, 34, 66)),
    ("Navy", (44, 52, 86)),
    ("Blue", (46, 84, 160)),
    ("Denim Blue", (88, 112, 150)),
    ("Light Blue", (160, 190, 222)),
    ("Teal", (34, 112, 120)),
    ("Turquoise", (80, 186, 190)),
    ("Green", (44, 128, 66)),
    ("Dark Green", (30, 64, 46)),
    ("Khaki", (104, 104, 66)),
    ("Mint", (176, 220, 190)),
    ("Yellow", (232, 200, 60)),
    ("Mustard", (190, 146, 48)),
    ("Orange", (226, 112, 44)),
    ("Red", (188, 34, 42)),
    ("Burgundy", (98, 28, 42)),
    ("Pink", (232, 158, 178)),
    ("Magenta", (200, 52, 122)),
    ("Purple", (98, 58, 128)),
    ("Lilac", (184, 164, 210)),
)


def colour_name(photo: Image.Image) -> str:
    """Return the name of the colour that most of the garment's pixels are nearest to.

    >>> picture = Image.new("RGB", (90, 90), "white")
    >>> picture.paste((190, 30, 40), (20, 15, 70, 80))
    >>> colour_name(picture)
    'Red'
    """
    pixels = np.asarray(photo.resize((48, 48), Image.Resampling.BOX), np.float64) / 255.0
    lab = _lab(pixels)
    border = np.median(
        np.concatenate(
            [lab[:3].reshape(-1, 3), lab[-3:].reshape(-1, 3), lab[:, :3].reshape(-1, 3), lab[:, -3:].reshape(-1, 3)]
        ),
        axis=0,
    )
    middle = lab[10:38, 12:36].reshape(-1, 3)
    apart = np.linalg.norm(middle - border, axis=1)
    # a white shirt on a white sheet has little that differs: then the middle as a whole is the garment
    garment = middle[apart > 14] if (apart > 14).mean() > 0.25 else middle
    distance = np.linalg.norm(garment[:, None, :] - _ANCHOR_LAB[None], axis=2)
    votes = np.bincount(_ANCHOR_CODE[distance.argmin(axis=1)], minlength=len(_NAMES))
    return _NAMES[int(votes.argmax())]


def colour_histogram(photo: Image.Image, mask: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float32]:
    """Return the colours of the garment: square roots of its shares of CIE Lab, (:data:`HISTOGRAM_BINS`,) of length 1.

    Each pixel is shared out among the eight nearest bins by trilinear weights. The square roots make the dot product
    of two histograms p and q their Bhattacharyya coefficient, sum_i sqrt(p_i q_i). ``mask`` (h, w) says which pixels
    of the photo are the garment; without one it is what the border's colour does not reach in a straight line.

    >>> shirt = Image.new("RGB", (90, 90), "white")
    >>> shirt.paste((190, 30, 40), (20, 15, 70, 80))
    >>> plain = Image.new("RGB", (60, 60), (190, 30, 40))
    >>> round(float(colour_histogram(shirt) @ colour_histogram(plain, np.ones((60, 60), bool))), 3)
    1.0
    """
    scale = min(1.0, _LONG_SIDE_PX / max(photo.size))
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    lab = _lab(np.asarray(photo.convert("RGB").resize(size, Image.Resampling.BOX), np.float64) / 255.0)
    if mask is None:
        garment = _apart_from_border(lab)
    else:
        covered = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))
        garment = covered > 127
    counts = _soft_counts(lab[_inner(garment)])
    shares: npt.NDArray[np.float32] = np.sqrt(counts / counts.sum()).astype(np.float32)
    return shares


def _apart_from_border(lab: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return (h, w) what the background does not reach; the background looks like the border's median."""
    border = np.median(np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]]), axis=0)
    like = np.linalg.norm(lab - border, axis=-1) < _BACKGROUND_REACH
    # reached from one of the four sides: a white print inside a shirt stays part of the shirt
    reached = np.zeros_like(like)
    for axis in (0, 1):
        reached |= np.logical_and.accumulate(like, axis=axis)
        reached |= np.flip(np.logical_and.accumulate(np.flip(like, axis), axis=axis), axis)
    apart: npt.NDArray[np.bool_] = ~reached
    return apart


def _inner(garment: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return a garment less its outline, whose pixels are mixed with the background; all of a small or empty one."""
    inner = garment.copy()
    inner[1:] &= garment[:-1]
    inner[:-1] &= garment[1:]
    inner[:, 1:] &= garment[:, :-1]
    inner[:, :-1] &= garment[:, 1:]
    if inner.mean() > 0.03:
        return inner
    # a white shirt on a white sheet has next to nothing that differs: then the photo as a whole is the garment
    return garment if garment.mean() > 0.01 else np.ones_like(garment)


def _soft_counts(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (bins,) how much of (P, 3) Lab pixels falls near each bin."""
    hues = np.arcsinh(pixels[:, 1:] / _ASINH_SCALE) / _ASINH_END  # -1 .. 1 for -90 .. 90
    places = np.column_stack([pixels[:, :1] / 100.0, hues / 2 + 0.5])
    steps = np.array(_STEPS)
    at = np.clip(places, 0.0, 1.0) * (steps - 1)
    low = np.minimum(at.astype(np.int64), steps - 2)
    part = at - low
    counts = np.zeros(HISTOGRAM_BINS)
    for corner in np.ndindex(2, 2, 2):
        bins = np.ravel_multi_index(tuple((low + corner).T), _STEPS)
        counts += np.bincount(bins, np.where(corner, part, 1.0 - part).prod(axis=1), HISTOGRAM_BINS)
    return counts


def _lab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return CIE Lab (D65) of sRGB in [0, 1]; the last axis holds the three numbers."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    bent = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = bent[..., 0], bent[..., 1], bent[..., 2]
    lab: npt.NDArray[np.float64] = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
    return lab


_NAMES: tuple[str, ...] = tuple(dict.fromkeys(name for name, _ in _ANCHORS))
_ANCHOR_CODE = np.array([_NAMES.index(name) for name, _ in _ANCHORS])
_ANCHOR_LAB = _lab(np.array([rgb for _, rgb in _ANCHORS], np.float64) / 255.0)
