"""Keeps a classifier in one safetensors file: small tensors, and labels, backbone and provenance in its metadata.

Hidden layers are kept as 8-bit numbers with a scale a column, the last one and the standardisation as 16-bit floats:
a head of 1,280 -> 512 -> 128 -> 17 takes 0.7 MB. Loaders refuse what does not fit. Never pickle.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from trendloom.classifier.head import Classifier, Standardisation
from trendloom.errors import ClassifierError
from trendloom.whole_files import write_whole

__all__ = ["FORMAT_VERSION", "SHIPPED", "as_kept", "load_classifier", "save_classifier"]

FORMAT_VERSION = "1"
_DIGEST_BYTES = 8
_KIND = "trendloom classifier head"
#: Heads that come with the package, by name.
SHIPPED = {"cc0": Path(__file__).parent / "shipped" / "cc0.safetensors"}
_REBUILD = "Action: name a file that `trendloom classifier train` wrote, or a head that ships: " + ", ".join(SHIPPED)


def save_classifier(classifier: Classifier, path: Path) -> int:
    """Write a classifier to ``path`` and return the bytes written; the same classifier gives the same bytes."""
    tensors: dict[str, npt.NDArray[Any]] = {
        "mean": classifier.standardisation.mean.astype(np.float16),
        "deviation": classifier.standardisation.deviation.astype(np.float16),
    }
    if classifier.trained_on:
        digests = bytes.fromhex("".join(sorted(classifier.trained_on)))
        tensors["trained_on"] = np.frombuffer(digests, np.uint8).reshape(-1, _DIGEST_BYTES)
    last = len(classifier.layers) - 1
    for number, (weights, bias) in enumerate(classifier.layers):
        tensors[f"{number}.bias"] = bias.astype(np.float32)
        if number == last:
            tensors[f"{number}.weights"] = weights.astype(np.float16)
        else:
            scale = np.maximum(np.abs(weights).max(axis=0), 1e-12) / 127  # (out,)
            tensors[f"{number}.scale"] = scale.astype(np.float32)
            tensors[f"{number}.weights"] = np.rint(weights / scale.astype(np.float32)).astype(np.int8)
    about = {
        "format_version": FORMAT_VERSION,
        "kind": _KIND,
        "labels": list(classifier.labels),
        "layers": len(classifier.layers),
        "bound": classifier.standardisation.bound,
        "temperature": classifier.temperature,
        "mirrored": classifier.mirrored,
        "backbone": dict(classifier.backbone),
        "provenance": dict(classifier.provenance),
    }
    # one entry: safetensors writes several in an order that changes from run to run
    content = save(tensors, {"about": json.dumps(about, sort_keys=True, ensure_ascii=False)})
    write_whole(path, content)
    return len(content)


def load_classifier(source: str | Path) -> Classifier:
    """Return the classifier in a file, or the one that ships under a name: ``load_classifier("cc0")``.

    Raises :class:`ClassifierError` for a file that is missing, broken, of another kind or format version, or whose
    parts do not fit each other.

    >>> load_classifier("cc0").labels[:3]
    ('Blazer', 'Blouse', 'Body')
    """
    path = SHIPPED.get(str(source), Path(source))
    if not path.is_file():
        raise ClassifierError(f"There is no classifier {source}. {_REBUILD}.")
    try:
        with safe_open(path, framework="np") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            # safetensors calls its names keys, but a file is no dictionary
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ClassifierError(f"{path} is no classifier: {error}. {_REBUILD}.") from error
    if not isinstance(about, dict) or (about.get("kind"), about.get("format_version")) != (_KIND, FORMAT_VERSION):
        told = about if isinstance(about, dict) else {}
        found = f"{told.get('kind', 'something else')}, format {told.get('format_version', 'unknown')}"
        raise ClassifierError(f"{path} is {found}; wanted: {_KIND}, format {FORMAT_VERSION}. {_REBUILD}.")
    try:
        classifier = _assemble(about, tensors)
        _check(classifier)
    except (KeyError, TypeError, ValueError) as error:
        raise ClassifierError(f"The parts of {path} do not fit each other: {error}. {_REBUILD}.") from error
    return classifier


def as_kept(classifier: Classifier, place: Path) -> Classifier:
    """Return the classifier as it comes back from a file at ``place``: what is measured is what is shipped."""
    save_classifier(classifier, place)
    return load_classifier(place)


def _assemble(about: dict[str, Any], tensors: dict[str, npt.NDArray[Any]]) -> Classifier:
    layers = []
    for number in range(int(about["layers"])):
        weights = tensors[f"{number}.weights"].astype(np.float32)
        if f"{number}.scale" in tensors:
            weights *= tensors[f"{number}.scale"]
        layers.append((weights, tensors[f"{number}.bias"].astype(np.float32)))
    return Classifier(
        labels=tuple(about["labels"]),
        standardisation=Standardisation(
            tensors["mean"].astype(np.float32), tensors["deviation"].astype(np.float32), float(about["bound"])
        ),
        layers=tuple(layers),
        temperature=float(about["temperature"]),
        mirrored=bool(about["mirrored"]),
        backbone=about["backbone"],
        provenance=about["provenance"],
        trained_on=frozenset(bytes(digest).hex() for digest in tensors.get("trained_on", ())),
    )


def _check(classifier: Classifier) -> None:
    """Raise ValueError when the shapes do not form a chain from features to labels, or numbers are none."""
    width = classifier.dim
    if classifier.standardisation.deviation.shape != (width,) or not (classifier.standardisation.deviation > 0).all():
        raise ValueError("the standardisation is not one positive deviation a feature")
    for number, (weights, bias) in enumerate(classifier.layers):
        if weights.shape != (width, len(bias)):
            raise ValueError(f"layer {number} is {weights.shape}, wanted ({width}, {len(bias)})")
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise ValueError(f"layer {number} holds values that are no finite numbers")
        width = len(bias)
    if not classifier.layers or width != len(classifier.labels) or len(set(classifier.labels)) != width:
        raise ValueError(f"{len(classifier.labels)} labels for {width} outputs")
    if not classifier.temperature > 0:
        raise ValueError(f"the temperature is {classifier.temperature}")
