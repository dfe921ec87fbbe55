"""The page: the garments that trend and the lists that refresh, with pictures; it asks for the state every second.

A factory without globals: everything that it shows comes from a :class:`~dashboard.feed.Feed` and a catalogue, and
nothing is loaded from anywhere else. Read next: ``dashboard/pages/index.html``, :mod:`webpage.parts`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from dashboard.feed import Feed
from trendloom.catalogue.garment import Catalogue
from webpage.parts import add_files, add_pictures

__all__ = ["build_page"]

_DIRECTORY = Path(__file__).parent / "pages"
#: Nothing from elsewhere, no frames, no forms: what a browser may do with this page.
_POLICY = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'"


def build_page(feed: Feed, catalogue: Catalogue) -> FastAPI:
    """Return the web application: ``/``, ``/state.json``, ``/thumbs/{item_id}``, ``/health``.

    Only items of the catalogue have pictures; any other name is 404, whatever it looks like.
    """
    app = FastAPI(title="Trendloom", docs_url=None, redoc_url=None, openapi_url=None)

    add_files(app, _DIRECTORY, headers={"Content-Security-Policy": _POLICY})
    add_pictures(app, catalogue)

    @app.get("/state.json")
    def state() -> JSONResponse:
        return JSONResponse(_with_names(feed.state(), catalogue), headers={"Cache-Control": "no-store"})

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
