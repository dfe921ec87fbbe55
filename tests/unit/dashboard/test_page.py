from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra `dashboard` is not installed")
from fastapi.testclient import TestClient

import dashboard.page
from dashboard.feed import Feed
from dashboard.page import build_page
from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.catalogue.thumbnails import Thumbnails


class OnePicture(Thumbnails):
    """Thumbnails of which only row 3 has a picture."""

    def __init__(self) -> None:
        super().__init__({})

    def get(self, row: int) -> bytes | None:
        return b"RIFF-a-picture" if row == 3 else None


@pytest.fixture
def catalogue() -> Catalogue:
    return dataclasses.replace(random_catalogue(40, np.random.default_rng(1)), thumbnails=OnePicture())


@pytest.fixture
def feed() -> Feed:
    return Feed(clock_s=lambda: 1000.0, preset="balanced")


@pytest.fixture
def client(feed: Feed, catalogue: Catalogue) -> Iterator[TestClient]:
    with TestClient(build_page(feed, catalogue)) as found:
        yield found


def test_the_page_and_its_parts_are_there(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    parts = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert len(parts) == 3
    for part in parts:
        assert client.get("/" + part).status_code == 200, part


def test_the_page_asks_nobody_else(client: TestClient) -> None:
    assert "default-src 'none'" in client.get("/").headers["content-security-policy"]
    for name in ("index.html", "page.css", "page.js"):
        text = (Path(dashboard.page.__file__).parent / "pages" / name).read_text(encoding="utf-8")
        assert not re.search(r"(https?:)?//[a-z0-9.-]+\.[a-z]", text), name


def test_the_state_names_the_items_that_occur(client: TestClient, feed: Feed, catalogue: Catalogue) -> None:
    bought, shown, gone = catalogue.item_ids[3], catalogue.item_ids[5], "sold-out"
    feed.list_published(
        {
            "customer_id": "c1",
            "sent_at": None,
            "cause": {"item_id": bought},
            "entries": [{"item_id": shown, "score": 1.0, "parts": {}}],
        },
        0.0,
    )
    feed.rising({"items": [{"item_id": gone, "rising": 1.0, "popularity": 1.0, "purchases": 1}]})
    state = client.get("/state.json").json()
    assert set(state["items"]) == {bought, shown}
    assert state["items"][bought]["title"] == catalogue.titles[3]
    assert state["preset"] == "balanced"


def test_only_items_of_the_catalogue_have_pictures(client: TestClient, catalogue: Catalogue) -> None:
    found = client.get(f"/thumbs/{catalogue.item_ids[3]}")
    assert (found.status_code, found.content, found.headers["content-type"]) == (200, b"RIFF-a-picture", "image/webp")
    assert client.get(f"/thumbs/{catalogue.item_ids[4]}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/thumbs/nothing",
        "/thumbs/..%2f..%2fpyproject.toml",
        "/thumbs/%2e%2e%2fpage.py",
        "/page.py",
        "/page.%2e%2e",
        "/docs",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_health_tells_the_status(client: TestClient, feed: Feed) -> None:
    feed.status("running")
    assert client.get("/health").json() == {"status": "running"}
