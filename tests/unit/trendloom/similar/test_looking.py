from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.errors import CatalogueError, MissingExtra
from trendloom.similar import Similar
from trendloom.similar.looking import OnceOpened, open_query_look


def squares(count: int) -> Sequence[Image.Image]:
    rng = np.random.default_rng(3)
    return [Image.fromarray(rng.integers(0, 256, size=(40, 40, 3), dtype=np.uint8)) for _ in range(count)]


def test_something_is_opened_once_and_again_after_a_failure() -> None:
    opened: list[int] = []

    def open_it() -> str:
        opened.append(1)
        if len(opened) == 1:
            raise MissingExtra("not yet")
        return "open"

    once = OnceOpened(open_it)
    with pytest.raises(MissingExtra):
        once.get()
    threads = [Thread(target=once.get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert once.get() == "open"
    assert len(opened) == 2


@pytest.mark.parametrize("manifest", [{}, {"backbone": None}, {"backbone": {"name": "efficientnet_lite0"}}])
def test_a_catalogue_that_does_not_say_how_it_looks_is_to_be_built_again(
    manifest: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CatalogueError, match="does not say how .* Action: build the catalogue again"):
        open_query_look(tmp_path, manifest)


def test_a_projection_that_is_none_is_said(tmp_path: Path) -> None:
    manifest = {"backbone": {"name": "efficientnet_lite0"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "projection.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(CatalogueError, match="cannot be read"):
        open_query_look(tmp_path, manifest)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_without_torch_a_photo_names_the_extra_and_an_item_is_found(tmp_path: Path) -> None:
    similar = Similar.open()
    with pytest.raises(MissingExtra, match="pip install 'trendloom\\[vision\\]'"):
        similar.search(squares(1)[0])
    assert len(similar.search_item(similar.catalogue.item_ids[0]).matches) == 5


@pytest.mark.vision
@pytest.mark.slow
def test_a_picture_of_the_demo_finds_its_garment(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra `vision` is not installed")
    similar = Similar.open()
    found = 0
    for row in range(0, 2000, 250):
        picture = similar.catalogue.thumbnails.get(row)
        assert picture is not None
        found += similar.search(picture, k=1).matches[0].row == row
    assert found >= 7  # thumbnails are smaller than the photos that the rows were made from

    copied = tmp_path / "other"
    shutil.copytree(demo_catalogue_path(), copied)
    told = json.loads((copied / "manifest.json").read_text())
    told["backbone"]["weights_sha256"] = "0" * 64
    (copied / "manifest.json").write_text(json.dumps(told))
    manifest = load_catalogue(copied).manifest
    with pytest.raises(CatalogueError, match="other weights of efficientnet_lite0"):
        open_query_look(copied, manifest)
