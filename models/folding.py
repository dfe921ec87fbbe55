"""Rewrites a network's layers into fewer and faster ones that compute the same numbers; for inference only.

Made for EfficientNet-Lite as its package builds it; knows nothing of weights, photos or catalogues. Read next:
:mod:`models.backbones`, which calls it when a network is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["fold_norms", "plain_convolutions"]


def fold_norms(network: nn.Module) -> None:
    """Fold every batch norm of an EfficientNet into the convolution before it: the same numbers, half the time."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    pairs = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
    in_block = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    for owner in network.modules():
        for conv, norm in (in_block if hasattr(owner, "_depthwise_conv") else pairs).items():
            if hasattr(owner, conv):
                setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
                setattr(owner, norm, nn.Identity())
        if isinstance(owner, nn.ReLU6):
            owner.inplace = True


def plain_convolutions(network: nn.Module) -> None:
    """Make matrix products of the convolutions that look at one pixel at a time, and let the others pad by themselves.

    In one thread torch unfolds and copies the input of a 1x1 convolution, although channels-last pixels are the rows of
    a matrix already, and a border that is put around a layer first is one more copy of it. Together they took nearly
    half of the time of EfficientNet-Lite0. A border that is wider on one side stays as it is.
    """
    from torch import nn

    for layer in network.modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        border = getattr(layer, "static_padding", None)
        if isinstance(border, nn.ZeroPad2d) and len(set(border.padding)) == 1:
            layer.padding = (border.padding[0], border.padding[0])
            layer.static_padding = nn.Identity()
        if (
            layer.kernel_size == (1, 1)
            and tuple(layer.stride) == (1, 1)
            and layer.groups == 1
            and not any(layer.padding)
        ):
            layer.forward = _by_single_pixels(layer)


def _by_single_pixels(layer: nn.Conv2d) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what a 1x1 convolution computes, as a linear map of each pixel."""
    from torch.nn import functional

    def forward(seen: torch.Tensor) -> torch.Tensor:
        rows = seen.permute(0, 2, 3, 1)  # (B, in, h, w) channels-last -> (B, h, w, in), nothing moves
        mapped: torch.Tensor = functional.linear(rows, layer.weight[:, :, 0, 0], layer.bias)
        return mapped.permute(0, 3, 1, 2)  # (B, out, h, w)

    return forward
