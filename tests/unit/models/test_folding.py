"""Layers are rewritten without another number coming out."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'trendloom[vision]'")
pytestmark = pytest.mark.vision


def test_plain_convolutions_compute_the_same() -> None:
    import torch
    from torch import nn

    from models.folding import plain_convolutions

    def padded(channels: int, stride: int, border: tuple[int, int, int, int]) -> nn.Conv2d:
        """Return a convolution whose border is put around it first, as EfficientNet's package does it."""
        layer = nn.Conv2d(channels, channels, 3, stride=stride, groups=channels)
        layer.static_padding = nn.ZeroPad2d(border)
        layer.forward = lambda seen: nn.Conv2d.forward(layer, layer.static_padding(seen))
        return layer

    torch.manual_seed(7)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 1), padded(8, 1, (1, 1, 1, 1)), nn.ReLU6(), padded(8, 2, (0, 1, 0, 1)), nn.Conv2d(8, 4, 1)
    ).eval()
    photos = torch.rand(2, 3, 32, 24).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        before = network(photos)
        plain_convolutions(network)
        after = network(photos)
    assert "forward" in vars(network[0])
    assert "forward" in vars(network[4])
    assert isinstance(network[1].static_padding, nn.Identity)
    assert isinstance(network[3].static_padding, nn.ZeroPad2d)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-6)
