"""A trained detector on disk: the head's tensors as safetensors, float16, with labels and provenance in its header.

The backbone's frozen weights are not in the file; their hash is, and another backbone is refused. Never pickle.
Read next: :mod:`trendloom.detector.detect`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trendloom.errors import CatalogueError
from trendloom.whole_files import write_whole

if TYPE_CHECKING:
    from models.detector import DetectorNetwork

__all__ = ["FORMAT", "SHIPPED", "read_head", "save_head", "shipped_head_path"]

FORMAT = "trendloom-detector/1"
#: Names of heads that come with Trendloom.
SHIPPED = {"ccp": "ccp.safetensors"}
_HEAD, _TAIL = "head.", "tail."


def shipped_head_path(name: str) -> Path:
    """Return the file of a head that comes with Trendloom, or ``name`` as a path."""
    return Path(__file__).with_name(SHIPPED[name]) if name in SHIPPED else Path(name)


def save_head(
    path: Path,
    network: DetectorNetwork,
    labels: Sequence[str],
    provenance: dict[str, Any],
    *,
    with_tail: bool = False,
) -> None:
    """Write what was learnt, with the classes in their order and what it was learnt from."""
    import torch
    from safetensors.torch import save

    tensors = {_HEAD + name: value for name, value in network.head.state_dict().items()}
    if with_tail:
        tensors |= {_TAIL + name: value for name, value in network.tail_state().items()}
    told = {
        "format": FORMAT,
        "labels": list(labels),
        "shape": asdict(network.shape),
        "backbone": "efficientnet_lite0",
        "backbone_sha256": network.weights_sha256,
        "provenance": provenance,
    }
    halved = {name: value.detach().cpu().to(torch.float16).contiguous() for name, value in tensors.items()}
    write_whole(path, save(halved, {"trendloom": json.dumps(told)}))


def read_head(path: Path, *, device: str = "cpu") -> tuple[DetectorNetwork, dict[str, Any]]:
    """Return the detector of a file and what the file says of itself.

    Raises :class:`CatalogueError` for a file that is none or does not fit, :class:`~trendloom.errors.MissingExtra`
    without torch.
    """
    from safetensors import SafetensorError, safe_open

    from models.detector import DetectorShape
    from trendloom.detector.training import open_network

    why = f"{path} is no detector"
    try:
        with safe_open(path, framework="np") as file:
            header = (file.metadata() or {}).get("trendloom", "{}")
        told: dict[str, Any] = json.loads(header)
    except (OSError, SafetensorError, ValueError) as error:
        raise CatalogueError(f"{why}: {error}. Action: name a file of `trendloom detector train`.") from error
    if told.get("format") != FORMAT:
        raise CatalogueError(f"{why} of format {FORMAT}. Action: train it again with `trendloom detector train`.")
    network = open_network(DetectorShape(**told["shape"]), device=device)
    if told["backbone_sha256"] != network.weights_sha256:
        raise CatalogueError(
            f"{path} was trained over other weights of {told['backbone']}. "
            "Action: install the package version that it names, or train it again."
        )
    from safetensors.torch import load_file

    tensors = {name: value.float() for name, value in load_file(path).items()}
    try:
        network.head.load_state_dict(
            {name[len(_HEAD) :]: value for name, value in tensors.items() if name.startswith(_HEAD)}
        )
        network.load_tail({name[len(_TAIL) :]: value for name, value in tensors.items() if name.startswith(_TAIL)})
    except (RuntimeError, KeyError) as error:
        what = " ".join(str(error).split())[:120]
        raise CatalogueError(f"{why} ({what}). Action: train it again with `trendloom detector train`.") from error
    network.head.eval()
    return network, told
