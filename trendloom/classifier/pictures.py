"""Pictures for people: a confusion matrix, and a grid of photos under their labels; drawn with Pillow alone.

Numbers and photos in, pictures out; nothing is written or decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

__all__ = ["MOST_CELLS", "confusion_picture", "photo_grid", "small_photo"]

_INK, _FAINT, _PAPER = (34, 34, 34), (120, 120, 120), (255, 255, 255)
_SHADE = (29, 78, 137)
#: Most photos that a grid shows, so that a folder of thousands gives a picture that opens.
MOST_CELLS = 400


def confusion_picture(matrix: npt.NDArray[np.integer], labels: Sequence[str], title: str = "") -> Image.Image:
    """Return a picture of (C, C) counts, true classes as rows: darker = a greater share of the row.

    >>> confusion_picture(np.array([[8, 2], [1, 9]]), ("dress", "hat")).mode
    'RGB'
    """
    cell, font, small = 40, ImageFont.load_default(14), ImageFont.load_default(11)
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    margin = 24 + round(max((ruler.textlength(label, font) for label in labels), default=0))
    above = 34
    side = cell * len(labels)
    last = 70
    picture = Image.new("RGB", (margin + side + last, above + margin + side + 12), _PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((10, 8), title or "rows: true class, columns: chosen class", _INK, font)
    for column, label in enumerate(labels):
        strip = Image.new("RGB", (margin - 8, 20), _PAPER)
        ImageDraw.Draw(strip).text((2, 2), label, _INK, font)
        picture.paste(strip.rotate(90, expand=True), (margin + column * cell + cell // 2 - 10, above + 4))
    top = above + margin
    draw.text((margin + side + 8, top - 18), "recall", _FAINT, small)
    for row, (label, counts) in enumerate(zip(labels, matrix, strict=True)):
        y, total = top + row * cell, int(counts.sum())
        draw.text((margin - 10, y + cell // 2), label, _INK, font, anchor="rm")
        for column, count in enumerate(counts):
            share = float(count) / total if total else 0.0
            x = margin + column * cell
            shade = tuple(round(paper + (ink - paper) * share) for paper, ink in zip(_PAPER, _SHADE, strict=True))
            draw.rectangle((x, y, x + cell, y + cell), fill=shade, outline=(225, 225, 225))
            if count:
                ink = _PAPER if share > 0.5 else _INK
                draw.text((x + cell // 2, y + cell // 2), str(int(count)), ink, small, anchor="mm")
        recall = f"{counts[row] / total:.0%}" if total else "-"
        draw.text((margin + side + 8, y + cell // 2), recall, _INK, small, anchor="lm")
    return picture


def small_photo(photo: Image.Image, side_px: int = 128) -> Image.Image:
    """Return a copy of a photo whose long side is at most ``side_px``.

    >>> small_photo(Image.new("RGB", (400, 200))).size
    (128, 64)
    """
    cell = photo.copy()
    cell.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    return cell


def photo_grid(
    sections: Iterable[tuple[str, Sequence[tuple[Image.Image, str]]]], *, columns: int = 8, side_px: int = 128
) -> Image.Image:
    """Return photos in rows of ``columns``, each over its caption, under a heading a section; at most 400 photos.

    Every photo that is handed over up to that bound is shown, also those of an unfinished row.

    >>> grid = photo_grid([("dress", [(Image.new("RGB", (60, 90)), "91 %")] * 3)], columns=2, side_px=50)
    >>> grid.width, grid.height
    (126, 194)
    """
    heading, caption, gap = 30, 18, 6
    font, small = ImageFont.load_default(16), ImageFont.load_default(12)
    shown: list[tuple[str, Sequence[tuple[Image.Image, str]]]] = []
    left = MOST_CELLS
    for name, photos in sections:
        shown.append((name, photos[:left]))
        left -= len(shown[-1][1])
    height = sum(heading + -(-len(photos) // columns) * (side_px + caption + gap) for _, photos in shown)
    picture = Image.new("RGB", (columns * (side_px + gap) + gap + 8, max(1, height) + 16), _PAPER)
    draw = ImageDraw.Draw(picture)
    y = 8
    for name, photos in shown:
        draw.text((10, y + 6), name, _INK, font)
        y += heading
        for number, (photo, said) in enumerate(photos):
            row, column = divmod(number, columns)
            x, top = 10 + column * (side_px + gap), y + row * (side_px + caption + gap)
            cell = small_photo(photo, side_px)
            picture.paste(cell, (x + (side_px - cell.width) // 2, top + (side_px - cell.height) // 2))
            draw.text((x, top + side_px + 2), said, _FAINT, small)
        y += -(-len(photos) // columns) * (side_px + caption + gap)
    return picture
