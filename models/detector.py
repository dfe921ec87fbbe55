"""The garment detector's network: pretrained EfficientNet-Lite0, a feature pyramid, and torchvision's FCOS head.

Tensors in, tensors out; knows no files of boxes and no shop. What is frozen (the stem, and the tail unless it is
trained) is apart from what learns, so that its features can be kept between epochs. torch is imported when a network is
built. Read next: :mod:`trendloom.detector.training`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.backbones import BACKBONES, _read_tensors
from models.folding import fold_norms

if TYPE_CHECKING:
    import torch

__all__ = ["STRIDES", "DetectorNetwork", "DetectorShape", "build_detector", "fit_photo"]

#: Pixels a cell of each level covers: the stem's last layer and the tail's.
STRIDES = (16, 32)
_STEM_CHANNELS, _TAIL_CHANNELS = 112, 1280
#: Blocks 0..10 end at stride 16; 11..15 and the last convolution are the tail.
_TAIL_BLOCK = 11
_GREY = 127
#: Boxes of one class that overlap more are one.
_SAME_BOX_IOU = 0.6
_CANDIDATES = 300


@dataclass(frozen=True)
class DetectorShape:
    """What a detector is made of: as many as these numbers say."""

    classes: int
    long_side_px: int = 480
    #: Channels of the pyramid and the head; a multiple of 32 (group norms).
    channels: int = 64
    #: 3x3 convolutions in each of the head's two towers.
    convolutions: int = 2


def fit_photo(photo: Image.Image, long_side_px: int) -> tuple[npt.NDArray[np.uint8], float]:
    """Return (H, W, 3) pixels whose long side is ``long_side_px``, grey up to multiples of 32, and the scale.

    >>> pixels, scale = fit_photo(Image.new("RGB", (100, 240)), 480)
    >>> pixels.shape, scale
    ((480, 224, 3), 2.0)
    """
    scale = long_side_px / max(photo.size)
    width, height = (max(1, round(side * scale)) for side in photo.size)
    largest = STRIDES[-1]
    canvas = np.full((-(-height // largest) * largest, -(-width // largest) * largest, 3), _GREY, np.uint8)
    resized = photo.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    canvas[:height, :width] = np.asarray(resized, np.uint8)
    return canvas, scale


class DetectorNetwork:
    """Stem and tail of the backbone, and the head; :func:`build_detector` makes one."""

    def __init__(self, shape: DetectorShape, backbone: Any, head: Any, fcos: Any, weights_sha256: str) -> None:
        self.shape = shape
        self.weights_sha256 = weights_sha256
        self._backbone = backbone
        self.head = head
        self._fcos = fcos

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        found: torch.device = next(self.head.parameters()).device
        return found

    def to(self, device: str) -> DetectorNetwork:
        """Move everything to a device."""
        self._backbone.to(device)
        self.head.to(device)
        return self

    def tail_parameters(self) -> list[Any]:
        """Return what learns when the backbone's last blocks are trained too."""
        modules = [*self._backbone._blocks[_TAIL_BLOCK:], self._backbone._conv_head]  # noqa: SLF001
        return [parameter for module in modules for parameter in module.parameters()]

    def tail_state(self) -> dict[str, torch.Tensor]:
        """Return the tensors of the backbone's last blocks by name, empty where they are as they were pretrained."""
        names = ("_conv_head.", *(f"_blocks.{number}." for number in range(_TAIL_BLOCK, 16)))
        state: dict[str, torch.Tensor] = self._backbone.state_dict()
        return {name: value for name, value in state.items() if name.startswith(names)}

    def load_tail(self, state: dict[str, torch.Tensor]) -> None:
        """Take trained tensors of the backbone's last blocks; raises KeyError or RuntimeError when they do not fit."""
        whole = self._backbone.state_dict()
        if unknown := state.keys() - whole.keys():
            raise KeyError(f"no such layers: {sorted(unknown)[:3]}")
        self._backbone.load_state_dict({**whole, **state})

    def stem(self, pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Return (B, 112, H / 16, W / 16) frozen features of (B, H, W, 3) pixels."""
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).permute(0, 3, 1, 2)
            seen = batch.float().sub_(127.0).div_(128.0)
            net = self._backbone
            seen = net._swish(net._bn0(net._conv_stem(seen)))  # noqa: SLF001
            for block in net._blocks[:_TAIL_BLOCK]:  # noqa: SLF001
                seen = block(seen)
        return seen.clone()  # out of inference mode: it may be learnt from

    def tail(self, stem: torch.Tensor) -> torch.Tensor:
        """Return (B, 1280, H / 32, W / 32) features of the stem's."""
        net, seen = self._backbone, stem
        for block in net._blocks[_TAIL_BLOCK:]:  # noqa: SLF001
            seen = block(seen)
        found: torch.Tensor = net._swish(net._bn1(net._conv_head(seen)))  # noqa: SLF001
        return found

    def _outputs(self, stem: torch.Tensor, tail: torch.Tensor) -> tuple[dict[str, torch.Tensor], Any, list[int]]:
        from torchvision.models.detection.image_list import ImageList

        levels = list(self.head["pyramid"]({"stem": stem, "tail": tail}).values())
        height, width = stem.shape[-2] * STRIDES[0], stem.shape[-1] * STRIDES[0]
        canvas = ImageList(stem.new_zeros((len(stem), 1, height, width)), [(height, width)] * len(stem))
        anchors = self._fcos.anchor_generator(canvas, levels)
        return self.head["fcos"](levels), anchors, [level.shape[-2] * level.shape[-1] for level in levels]

    def loss(self, stem: torch.Tensor, tail: torch.Tensor, targets: list[dict[str, torch.Tensor]]) -> torch.Tensor:
        """Return FCOS' loss: focal loss of classes + GIoU loss of boxes + cross-entropy of centredness.

        ``targets`` are {"boxes": (M, 4) left, top, right, bottom in pixels of the canvas, "labels": (M,)} per photo.
        """
        outputs, anchors, cells = self._outputs(stem, tail)
        parts = self._fcos.compute_loss(targets, outputs, anchors, cells)
        total: torch.Tensor = sum(parts.values())
        return total

    def boxes(
        self, stem: torch.Tensor, tail: torch.Tensor, sizes: Sequence[tuple[int, int]], *, least_score: float, most: int
    ) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]]:
        """Return (boxes (M, 4), scores (M,), labels (M,)) per photo, best first; ``sizes`` are (height, width).

        score = sqrt(class probability x centredness); boxes of one class that overlap by more than .6 are one.
        """
        import torch

        with torch.inference_mode():
            outputs, anchors, cells = self._outputs(stem, tail)
            self._fcos.score_thresh, self._fcos.detections_per_img = least_score, most
            split = {name: list(value.split(cells, dim=1)) for name, value in outputs.items()}
            levels = [list(one.split(cells)) for one in anchors]
            found = self._fcos.postprocess_detections(split, levels, list(sizes))
        return [
            (one["boxes"].float().cpu().numpy(), one["scores"].float().cpu().numpy(), one["labels"].cpu().numpy())
            for one in found
        ]


def build_detector(shape: DetectorShape, *, seed: int = 0) -> DetectorNetwork:
    """Return a network with the backbone's pretrained weights and a head drawn from ``seed``.

    Raises ModuleNotFoundError when torch, torchvision or the backbone's package is missing.
    """
    import torch
    from efficientnet_lite_pytorch import EfficientNet
    from torch import nn
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.fcos import FCOS, FCOSHead
    from torchvision.ops import FeaturePyramidNetwork

    weights = BACKBONES["efficientnet_lite0"].find_weights()
    backbone = EfficientNet.from_name("efficientnet-lite0")
    backbone.load_state_dict(_read_tensors(weights))
    fold_norms(backbone.eval())
    for parameter in backbone.parameters():
        parameter.requires_grad_(requires_grad=False)
    backbone.to(memory_format=torch.channels_last)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.ModuleDict(
            {
                "pyramid": FeaturePyramidNetwork([_STEM_CHANNELS, _TAIL_CHANNELS], shape.channels),
                "fcos": FCOSHead(shape.channels, 1, shape.classes, shape.convolutions),
            }
        )
    nothing = nn.Identity()
    nothing.out_channels = shape.channels  # FCOS asks for it; its backbone is never called
    fcos = FCOS(
        nothing,
        shape.classes,
        anchor_generator=AnchorGenerator(tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES)),
        head=head["fcos"],
        nms_thresh=_SAME_BOX_IOU,
        topk_candidates=_CANDIDATES,
    )
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return DetectorNetwork(shape, backbone, head, fcos, digest)
