"""The page "find similar to this photo", and the endpoint behind it: POST a photo, get the garments most like it.

A factory without globals: everything comes from a :class:`~trendloom.similar.Similar`, nothing is loaded from anywhere
else, and a photo is forgotten as soon as it was answered. Read next: ``finder/pages/index.html``, :mod:`finder.upload`,
:mod:`webpage.parts`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from finder.upload import MOST_BYTES, photo_in, read_body
from trendloom.errors import InputError, MissingExtra, PhotoRefused
from trendloom.similar import Answer, Similar
from trendloom.similar.photo import MOST_PIXELS, read_photo
from trendloom.similar.search import percent
from webpage.parts import add_files, add_pictures

__all__ = ["LOCAL_HOSTS", "build_page"]

#: Names by which a browser on this machine reaches the page; any other is a foreign site pointing here.
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
#: How many photos are decoded and looked at together; the others wait.
_AT_ONCE = 2
_DIRECTORY = Path(__file__).parent / "pages"
#: What a browser may do with the page: nothing from elsewhere; the preview of a photo is a blob of its own.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: The status of a refusal by its reason; anything else that was handed over wrongly is 422.
_STATUS = {"not_a_picture": 415, "too_many_bytes": 413, "too_many_pixels": 413, "too_slow": 408}

K = Annotated[int, Query(ge=1, le=50, description="How many garments.")]
LabelAware = Annotated[bool, Query(description="Let the classifier's probabilities weigh the candidates.")]


def build_page(
    similar: Similar,
    *,
    most_bytes: int = MOST_BYTES,
    most_pixels: int = MOST_PIXELS,
    hosts: Sequence[str] = LOCAL_HOSTS,
) -> FastAPI:
    """Return the web application: ``/``, ``/api/{similar,samples,about}``, ``/thumbs/{item_id}``, ``/health``.

    An error is JSON: ``error``, a sentence that ends with what to do, and ``reason``, one word. ``hosts`` are the names
    that a request may ask for, ``*`` for any.
    """
    app = FastAPI(title="Trendloom, find similar", docs_url=None, redoc_url=None, openapi_url=None)
    catalogue, at_work = similar.catalogue, asyncio.Semaphore(_AT_ONCE)

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Any]) -> Response:
        if "*" not in hosts and _name_of(request.headers.get("host", "")) not in hosts:
            response: Response = _refusal(
                400, "foreign_name", f"This is not what this machine is called. Action: open it as {hosts[0]}."
            )
        elif request.method == "POST" and request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            response = _refusal(403, "foreign_page", "Another site asks. Action: open this page itself.")
        else:
            response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.exception_handler(InputError)
    async def refused(_: Request, error: Exception) -> JSONResponse:
        if isinstance(error, PhotoRefused):
            return _refusal(_STATUS.get(error.reason, 422), error.reason, str(error))
        if isinstance(error, MissingExtra):
            return _refusal(503, "not_installed", str(error))
        return _refusal(422, "not_possible", str(error))

    @app.exception_handler(RequestValidationError)
    async def unreadable(_: Request, error: Exception) -> JSONResponse:
        wrong = (
            ", ".join(str(one["loc"][-1]) for one in error.errors())
            if isinstance(error, RequestValidationError)
            else ""
        )
        return _refusal(422, "parameter", f"Not usable: {wrong}. Action: k is 1 to 50, label_aware true or false.")

    add_files(app, _DIRECTORY)
    add_pictures(app, catalogue)

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        return {
            "catalogue": catalogue.manifest.get("name") or catalogue.fingerprint,
            "items": len(similar),
            "credit": catalogue.manifest.get("credit") or "",
            "most_bytes": most_bytes,
            "most_pixels": most_pixels,
        }

    @app.get("/api/samples")
    def samples(count: Annotated[int, Query(ge=1, le=40)] = 12, seed: Annotated[int, Query(ge=0)] = 0) -> JSONResponse:
        chosen = similar.samples(count, np.random.default_rng(seed))
        return JSONResponse([_item(similar, catalogue.row_of[item_id]) for item_id in chosen])

    @app.get("/api/similar")
    def similar_to_item(*, item: str, k: K = 5, label_aware: LabelAware = False) -> JSONResponse:
        if item not in catalogue.row_of:
            return _refusal(404, "no_such_item", "The catalogue has no such item. Action: ask /api/samples for some.")
        began_s = perf_counter()
        answer = similar.search_item(item, k, label_aware=label_aware)
        return _told(similar, answer, began_s, query=_item(similar, catalogue.row_of[item]))

    @app.post("/api/similar")
    async def similar_to_photo(*, request: Request, k: K = 5, label_aware: LabelAware = False) -> JSONResponse:
        try:
            body = await read_body(request.stream(), request.headers.get("content-length"), most_bytes=most_bytes)
        except ClientDisconnect:
            return _refusal(400, "broken_off", "The photo did not arrive whole. Action: send it again.")
        content = photo_in(body, request.headers.get("content-type", ""))

        def look() -> Answer:
            return similar.search(read_photo(content, most_pixels=most_pixels), k, label_aware=label_aware)

        async with at_work:
            began_s = perf_counter()
            return _told(similar, await asyncio.to_thread(look), began_s, query=None)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "running"}

    return app


def _name_of(host: str) -> str | None:
    """Return the name or address in a Host header, without its port; None where there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # what Python says of half an IPv6 address
        return None


def _item(similar: Similar, row: int) -> dict[str, Any]:
    catalogue = similar.catalogue
    item_id = catalogue.item_ids[row]
    return {
        "item_id": item_id,
        "title": catalogue.titles[row],
        "category": catalogue.category_names[catalogue.category[row]] if catalogue.category[row] >= 0 else "",
        "picture": f"thumbs/{quote(item_id, safe='')}" if catalogue.thumbnails.get(row) else None,
    }


def _told(similar: Similar, answer: Answer, began_s: float, *, query: dict[str, Any] | None) -> JSONResponse:
    matches = [
        {
            **_item(similar, match.row),
            "similarity": round(match.similarity, 4),
            "percent": percent(match.similarity),
            "score": round(match.score, 4),
        }
        for match in answer.matches
    ]
    probability = answer.label_probability
    told = {
        "query": query,
        "label": answer.label,
        "label_probability": None if probability is None else round(probability, 4),
        "matches": matches,
        "took_ms": round((perf_counter() - began_s) * 1000, 1),
    }
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


def _refusal(status: int, reason: str, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence, "reason": reason}, status, headers={"Cache-Control": "no-store"})
