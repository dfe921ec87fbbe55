"""Adds to a web application what every page here has: its own files, and the pictures of a catalogue's garments.

Files are read once and served from memory by fixed names, so that no path from a request reaches the disk. Knows
neither what a page asks for nor what it shows. Read next: :mod:`finder.page`, :mod:`dashboard.page`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response

from trendloom.catalogue.garment import Catalogue

__all__ = ["add_files", "add_pictures"]

_MIME = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FILES = ("index.html", "page.css", "page.js", "page.svg")


def add_files(app: FastAPI, directory: Path, *, headers: Mapping[str, str] | None = None) -> None:
    """Serve ``index.html`` as ``/`` with these headers, and ``page.css``, ``page.js`` and ``page.svg`` beside it."""
    files = {name: (directory / name).read_bytes() for name in _FILES}
    of_index = {"Cache-Control": "no-cache", **(headers or {})}

    @app.get("/")
    def index() -> Response:
        return Response(files["index.html"], media_type=_MIME["html"], headers=of_index)

    @app.get("/page.{kind}")
    def part(kind: str) -> Response:
        content = files.get(f"page.{kind}")
        if content is None:
            raise HTTPException(404)
        return Response(content, media_type=_MIME[kind], headers={"Cache-Control": "no-cache"})


def add_pictures(app: FastAPI, catalogue: Catalogue) -> None:
    """Serve the picture of each item as ``/thumbs/{item_id}``; any other name is 404, whatever it looks like."""

    @app.get("/thumbs/{item_id}")
    def thumb(item_id: str) -> Response:
        row = catalogue.row_of.get(item_id)
        picture = catalogue.thumbnails.get(row) if row is not None else None
        if picture is None:
            raise HTTPException(404)
        return Response(picture, media_type="image/webp", headers={"Cache-Control": "max-age=86400"})
