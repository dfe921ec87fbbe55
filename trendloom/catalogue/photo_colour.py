"""Names the colour of the garment in a photo, roughly: for titles that people read, never for scores.

The garment is taken to be what fills the middle of the photo and differs from its border.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["colour_name"]

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
