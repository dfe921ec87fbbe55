"""Draws what was found: one row a query, the query at the left, then every match with its similarity.

All matches are drawn, however many there are: a long row goes on below. Writes no files. Read next:
:mod:`trendloom.similar.search`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, ImageOps

from trendloom.similar.search import Answer, Similar, percent

__all__ = ["GridRow", "draw_grid"]

_TILE, _GAP, _TEXT = 192, 16, 44
_ACROSS = 6  # matches beside a query, before the row goes on below
_PAPER, _CARD, _INK, _SOFT, _THREAD = "#faf8f5", "#ffffff", "#231d27", "#756c7a", "#a3195b"
_LARGE, _SMALL = 17, 12


@dataclass(frozen=True)
class GridRow:
    """A query: its picture (None = there is none), what it is called, and what was found for it."""

    picture: Image.Image | None
    name: str
    answer: Answer


def draw_grid(similar: Similar, rows: Sequence[GridRow]) -> Image.Image:
    """Return the picture of all rows; a garment without a thumbnail is a card with its title alone."""
    most = max((len(row.answer.matches) for row in rows), default=0)
    across = max(1, min(most, _ACROSS))
    lines = [max(1, -(-len(row.answer.matches) // across)) for row in rows]
    height = _TILE + _TEXT + _GAP
    size = (2 * _GAP + (across + 1) * (_TILE + _GAP), _GAP + max(1, sum(lines)) * height)
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    top = _GAP
    for row, count in zip(rows, lines, strict=True):
        told = "query"
        if row.answer.label is not None:
            told = row.answer.label
        if row.answer.label_probability is not None:
            told += f", {percent(row.answer.label_probability)} % sure"
        _tile(page, draw, (_GAP, top), row.picture, told, row.name, _INK)
        for number, match in enumerate(row.answer.matches):
            left = 3 * _GAP + _TILE + number % across * (_TILE + _GAP)
            below = top + number // across * height
            picture = _thumbnail(similar, match.row)
            _tile(page, draw, (left, below), picture, f"{percent(match.similarity)} %", match.item_id, _THREAD)
        top += count * height
    return page


def _tile(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    picture: Image.Image | None,
    said: str,
    name: str,
    ink: str,
) -> None:
    left, top = corner
    draw.rectangle((left, top, left + _TILE, top + _TILE), fill=_CARD)
    if picture is not None:
        small = ImageOps.contain(picture.convert("RGB"), (_TILE, _TILE))
        page.paste(small, (left + (_TILE - small.width) // 2, top + (_TILE - small.height) // 2))
    draw.text((left, top + _TILE + 4), said, fill=ink, font=ImageFont.load_default(_LARGE))
    draw.text((left, top + _TILE + 26), _short(draw, name), fill=_SOFT, font=ImageFont.load_default(_SMALL))


def _short(draw: ImageDraw.ImageDraw, name: str) -> str:
    """Return a name that fits below a tile, its middle left out if need be: ends of ids tell them apart."""
    font = ImageFont.load_default(_SMALL)
    shown = name
    for kept in range(len(name), 4, -1):
        shown = name if kept == len(name) else f"{name[: kept // 2]}…{name[len(name) - kept // 2 :]}"
        if draw.textlength(shown, font=font) <= _TILE:
            break
    return shown


def _thumbnail(similar: Similar, row: int) -> Image.Image | None:
    content = similar.catalogue.thumbnails.get(row)
    return None if content is None else Image.open(io.BytesIO(content))
