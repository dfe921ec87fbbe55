"""Draws boxes with their classes into a photo, to look at.

Read next: :mod:`trendloom.detector.detect`.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from trendloom.detector.boxes import Box

__all__ = ["draw_boxes"]

_COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")


def draw_boxes(photo: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """Return a copy of the photo with each box and its class and score; each class has a colour of its own.

    >>> drawn = draw_boxes(Image.new("RGB", (60, 60)), [Box("bag", 0.9, 10, 20, 50, 55)])
    >>> drawn.getpixel((10, 40))
    (214, 39, 40)
    """
    drawn = photo.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    labels = sorted({box.label for box in boxes})
    width = max(1, max(photo.size) // 240)
    for box in reversed(boxes):  # the best on top
        colour = _COLOURS[labels.index(box.label) % len(_COLOURS)]
        right, bottom = max(box.left, box.right - 1), max(box.top, box.bottom - 1)
        pen.rectangle((box.left, box.top, right, bottom), outline=colour, width=width)
        words = f"{box.label} {box.score:.2f}"
        at = (box.left + width + 1, box.top + width)
        pen.rectangle(pen.textbbox(at, words), fill="white")
        pen.text(at, words, fill=colour)
    return drawn
