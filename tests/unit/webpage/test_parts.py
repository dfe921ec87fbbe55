"""Files by fixed names and pictures of known items: nothing else is served."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from webpage.parts import add_files, add_pictures


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    for name in ("index.html", "page.css", "page.js", "page.svg"):
        (tmp_path / name).write_text(f"this is {name}")
    (tmp_path / "page.txt").write_text("nobody's business")
    app = FastAPI()
    add_files(app, tmp_path, headers={"Content-Security-Policy": "default-src 'none'"})
    add_pictures(app, load_catalogue(demo_catalogue_path()))
    return TestClient(app)


def test_the_files_of_a_page(client: TestClient) -> None:
    index = client.get("/")
    assert index.text == "this is index.html"
    assert index.headers["content-security-policy"] == "default-src 'none'"
    for kind, mime in (("css", "text/css"), ("js", "text/javascript"), ("svg", "image/svg+xml")):
        told = client.get(f"/page.{kind}")
        assert told.text == f"this is page.{kind}"
        assert told.headers["content-type"].startswith(mime)
    for path in ("/page.txt", "/page.html/../page.txt", "/page.../secret", "/index.html"):
        assert client.get(path).status_code == 404


def test_pictures_of_the_catalogues_items_only(client: TestClient) -> None:
    catalogue = load_catalogue(demo_catalogue_path())
    told = client.get(f"/thumbs/{catalogue.item_ids[0]}")
    assert told.headers["content-type"] == "image/webp"
    assert told.content == catalogue.thumbnails.get(0)
    for name in ("nobody", "%2e%2e%2fpyproject.toml"):
        assert client.get(f"/thumbs/{name}").status_code == 404
