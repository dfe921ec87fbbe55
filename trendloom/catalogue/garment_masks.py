"""Masks that lie beside the photos: colour masks, whose exact colours name body parts, and label maps.

A mask is read by its photo's name and resized to its photo without mixing values. A mask that is missing or cannot be
read is a reason for that one photo, never the end of a build. Read next: :mod:`trendloom.catalogue.isolation`.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import PurePosixPath
from warnings import catch_warnings, simplefilter

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from trendloom.catalogue.isolation import Isolated, crop_to_mask
from trendloom.catalogue.photos import PhotoSource, UnusablePhoto
from trendloom.errors import CatalogueError

__all__ = [
    "CCP_GARMENTS",
    "CCP_LABELS",
    "COLOUR_MASK_SUFFIX",
    "COLOUR_TOLERANCE",
    "NOT_GARMENT_COLOURS",
    "ColourMask",
    "LabelMap",
    "garment_by_colour",
    "mask_name",
    "read_mask",
]

#: Colours of DeepFashion's masks that are no garment.
NOT_GARMENT_COLOURS = {
    "background": (0, 0, 0),
    "hair": (255, 0, 0),
    "face": (16, 78, 139),
    "skin": (144, 238, 144),
}
COLOUR_MASK_SUFFIX = "_segm"
#: How far a channel may be from the exact colour: masks saved as JPEG, or scaled with mixing, are a little off.
COLOUR_TOLERANCE = 12

_CCP_ALL = """
null accessories bag belt blazer blouse bodysuit boots bra bracelet cape cardigan clogs coat dress earrings flats
glasses gloves hair hat heels hoodie intimate jacket jeans jumper leggings loafers necklace panties pants pumps purse
ring romper sandals scarf shirt shoes shorts skin skirt sneakers socks stockings suit sunglasses sweater sweatshirt
swimwear t-shirt tie tights top vest wallet watch wedges
"""
_CCP_NO_GARMENTS = "null accessories bracelet earrings glasses hair necklace ring skin sunglasses wallet watch"
#: The labels of Clothing Co-Parsing; a label's number is its place.
CCP_LABELS = tuple(_CCP_ALL.split())
#: Numbers of the labels that are worn or carried and sold as garments, shoes or bags.
CCP_GARMENTS = frozenset(number for number, label in enumerate(CCP_LABELS) if label not in _CCP_NO_GARMENTS.split())
#: What Pillow's decoders raise on broken files.
_DECODER_FAULTS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
)


def mask_name(masks: PhotoSource, name: str, suffix: str = "") -> str:
    """Return what the mask of the photo ``name`` is called among ``masks``.

    A photo that goes by its path has its mask at the same path, or at the same file name, without its ending.

    >>> beside = PhotoSource(frozenset({"a_segm", "b/c_segm.png"}), lambda name: b"")
    >>> [mask_name(beside, name, "_segm") for name in ("a", "women/a.jpg", "b/c.jpg", "d")]
    ['a_segm', 'a_segm', 'b/c_segm.png', 'd_segm']
    """
    path = PurePosixPath(name)
    plain = str(path.with_suffix("")) if path.suffix else name
    wanted = [name + suffix, f"{plain}{suffix}.png", plain + suffix, path.stem + suffix]
    return next((one for one in wanted if one in masks.names), wanted[0])


def read_mask(masks: PhotoSource, name: str) -> Image.Image:
    """Return the mask called ``name`` in the mode it was saved in; raises :class:`UnusablePhoto` with the reason."""
    if name not in masks.names:
        raise UnusablePhoto(f"no mask {name}")
    try:
        with catch_warnings():
            # a mask that claims to be enormous is refused, not decoded
            simplefilter("error", Image.DecompressionBombWarning)
            mask = Image.open(io.BytesIO(masks.read(name)))
            mask.load()
    except UnidentifiedImageError:
        raise UnusablePhoto(f"its mask {name} is not a picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusablePhoto(f"its mask {name} is too large: {error}") from error
    except (*_DECODER_FAULTS, zipfile.BadZipFile, RuntimeError) as error:
        # RuntimeError: a zip file with a password
        raise UnusablePhoto(f"its mask {name} cannot be read: {error}") from error
    return mask


def _fitted(mask: Image.Image, photo: Image.Image) -> Image.Image:
    """Return the mask in the photo's size; each pixel keeps one of the mask's own values."""
    return mask if mask.size == photo.size else mask.resize(photo.size, Image.Resampling.NEAREST)


def garment_by_colour(pixels: npt.NDArray[np.uint8], tolerance: int) -> npt.NDArray[np.bool_]:
    """Return (h, w) True where a mask's (h, w, 3) pixel has none of :data:`NOT_GARMENT_COLOURS`.

    A colour is met when no channel is further from it than ``tolerance``; 0 asks for the exact colours.

    >>> row = np.array([[(0, 0, 0), (9, 0, 4), (250, 235, 215), (144, 238, 144)]], np.uint8)
    >>> garment_by_colour(row, 0).tolist(), garment_by_colour(row, 12).tolist()
    ([[False, True, True, False]], [[False, False, True, False]])
    """
    garment = np.ones(pixels.shape[:2], np.bool_)
    signed = pixels.astype(np.int16)  # (h, w, 3)
    for colour in NOT_GARMENT_COLOURS.values():
        garment &= (np.abs(signed - np.array(colour, np.int16)) > tolerance).any(axis=2)
    return garment


class ColourMask:
    """An :class:`~trendloom.catalogue.isolation.Isolator` over masks whose colours name what is no garment."""

    def __init__(
        self, masks: PhotoSource, *, tolerance: int = COLOUR_TOLERANCE, suffix: str = COLOUR_MASK_SUFFIX
    ) -> None:
        if not 0 <= tolerance <= 64:
            # green skin and blue face are 139 apart; further than half of that, colours would run into one another
            raise CatalogueError(f"A tolerance of {tolerance} tells no colours apart. Action: name one of 0 to 64.")
        self._masks = masks
        self._tolerance = tolerance
        self._suffix = suffix

    def describe(self) -> dict[str, str | int | float]:
        """Return kind, colours and tolerance."""
        colours = ", ".join(f"{part} {colour}" for part, colour in NOT_GARMENT_COLOURS.items())
        return {
            "kind": "colour-mask",
            "not_garment": colours,
            "tolerance": self._tolerance,
            "suffix": self._suffix,
            "around": "white",
        }

    def isolate(self, photo: Image.Image, name: str) -> Isolated:
        """Return the garment of the photo ``name`` by the mask ``<name><suffix>``."""
        mask = _fitted(read_mask(self._masks, mask_name(self._masks, name, self._suffix)), photo).convert("RGB")
        return crop_to_mask(photo, garment_by_colour(np.asarray(mask, np.uint8), self._tolerance), "colour-mask")


class LabelMap:
    """An :class:`~trendloom.catalogue.isolation.Isolator` over masks whose pixel values are labels.

    ``labels`` are the values that are garments; a search by one piece of clothing names only its own.
    """

    def __init__(self, masks: PhotoSource, labels: Collection[int] = CCP_GARMENTS, *, suffix: str = "") -> None:
        if not labels:
            raise CatalogueError("No label is a garment. Action: name the values of the label maps that are.")
        self._masks = masks
        self._labels = tuple(sorted(set(labels)))
        self._suffix = suffix

    def describe(self) -> dict[str, str | int | float]:
        """Return kind and garment labels."""
        return {
            "kind": "label-map",
            "garment_labels": " ".join(map(str, self._labels)),
            "suffix": self._suffix,
            "around": "white",
        }

    def isolate(self, photo: Image.Image, name: str) -> Isolated:
        """Return the garment of the photo ``name`` by the mask ``<name><suffix>``."""
        called = mask_name(self._masks, name, self._suffix)
        mask = read_mask(self._masks, called)
        if mask.mode not in {"1", "L", "P", "I", "I;16", "I;16B"}:
            raise UnusablePhoto(f"its mask {called} is a picture of mode {mask.mode}, no label map")
        values = np.asarray(_fitted(mask, photo)).astype(np.int64)  # (h, w); a palette's numbers, not its colours
        return crop_to_mask(photo, np.isin(values, self._labels), "label-map")
