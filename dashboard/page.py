"""The page: the garments that trend and the lists that refresh, with pictures; it asks for the state every second.

A factory without globals: everything that it shows comes from a :class:`~dashboard.feed.Feed` and a catalogue, and
nothing is loaded from anywhere else. Read next: ``dashboard/pages/index.html``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, JSONResponse, Response

from dashboard.feed import Feed
from trendloom.catalogue.garment import Catalogue

__all__ = ["build_page"]

_MIME = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_DIRECTORY = Path(__file__).parent / "pages"
_PAGES = ("index.html", "page.css", "page.js", "page.svg")
#: Nothing from elsewhere, no frames, no forms: what a browser may do with this page.
_POLICY = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'"


def build_page(feed: Feed, catalogue: Catalogue) -> FastAPI:
    """Return the web application: ``/``, ``/state.json``, ``/thumbs/{item_id}``, ``/health``.

    Only items of the catalogue have pictures; any other name is 404, whatever it looks like.
    """
    app = FastAPI(title="Trendloom", docs_url=None, redoc_url=None, openapi_url=None)
    pages = {name: (_DIRECTORY / name).read_bytes() for name in _PAGES}

    @app.get("/")
    def index() -> HTMLResponse:
        return HTMLResponse(pages["index.html"], headers={"Content-Security-Policy": _POLICY})

    @app.get("/page.{kind}")
    def part(kind: str) -> Response:
        content = pages.get(f"page.{kind}")
        if content is None:
            raise HTTPException(404)
        return Response(content, media_type=_MIME[kind], headers={"Cache-Control": "no-cache"})

    @app.get("/state.json")
    def state() -> JSONResponse:
        return JSONResponse(_with_names(feed.state(), catalogue), headers={"Cache-Control": "no-store"})

    @app.get("/thumbs/{item_id}")
    def thumb(item_id: str) -> Response:
        row = catalogue.row_of.get(item_id)
        picture = catalogue.thumbnails.get(row) if row is not None else None
        if picture is None:
            raise HTTPException(404)
        return Response(picture, media_type="image/webp", headers={"Cache-Control": "max-age=86400"})

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": str(feed.state()["status"])}

    return app


def _with_names(state: dict[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Return the state with what the page needs to know of each item that occurs in it: title, type, picture or not."""
    occurring = {item["item_id"] for item in state["rising"]}
    for found in state["recent"]:
        occurring.add(found["cause"]["item_id"])
        occurring.update(entry["item_id"] for entry in found["entries"])
    items = {}
    for item_id in occurring:
        row = catalogue.row_of.get(item_id)
        if row is not None:
            items[item_id] = {
                "title": catalogue.titles[row],
                "kind": catalogue.category_names[int(catalogue.category[row])] if catalogue.category[row] >= 0 else "",
                "picture": bool(catalogue.photo_row[row] >= 0),
            }
    return {**state, "items": items}
