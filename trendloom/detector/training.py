"""Trains a detector's head on boxes: frozen features once, then epochs over them.

Photos that :func:`trendloom.detector.boxes.is_held_out` names are never looked at here. Read next:
:mod:`trendloom.detector.head_file`, which writes what was learnt, and ``docs/detector.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from trendloom.catalogue.photos import PhotoSource, UnusablePhoto, decode_bytes, read_photo, upright_size
from trendloom.detector.boxes import BoxTable, scale_boxes
from trendloom.detector.views import View, make_view
from trendloom.errors import CatalogueError, MissingExtra

if TYPE_CHECKING:
    import torch

    from models.detector import DetectorNetwork, DetectorShape

__all__ = ["Training", "TrainingReport", "open_network", "train_detector"]

#: Photos whose frozen features are computed together.
_LOOK_BATCH = 4
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Training:
    """How a head is trained; the defaults are what two cores can do with Clothing Co-Parsing."""

    epochs: int = 16
    #: Views a photo: as it is, mirrored, and so many windows more; an epoch shows one of them, drawn at random.
    views: int = 4
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    #: Train the backbone's last five blocks too, at a tenth of the rate: for a GPU.
    train_tail: bool = False
    seed: int = 7
    device: str = "cpu"


@dataclass(frozen=True)
class TrainingReport:
    """What training cost and where it ended."""

    photos: int
    boxes: int
    views: int
    features_s: float
    epochs_s: float
    #: Mean loss of each epoch.
    losses: tuple[float, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Kept:
    """Frozen features of one view, float16, and what should be found in it."""

    stem: torch.Tensor
    tail: torch.Tensor | None
    boxes: torch.Tensor
    labels: torch.Tensor


def open_network(shape: DetectorShape, *, seed: int = 0, device: str = "cpu") -> DetectorNetwork:
    """Return an untrained detector.

    Raises :class:`MissingExtra` without torch and :class:`CatalogueError` for a device that is not there.
    """
    from models.backbones import WeightsError
    from models.detector import build_detector

    try:
        network = build_detector(shape, seed=seed)
        return network.to(device)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"The detector needs the package {error.name}, which is not installed. "
            "Action: pip install 'trendloom[vision]'."
        ) from error
    except WeightsError as error:
        raise CatalogueError(str(error)) from error
    except (RuntimeError, AssertionError) as error:  # what torch raises for a device that is not there
        raise CatalogueError(f"The device {device} cannot be used: {error}. Action: use cpu or cuda.") from error


def train_detector(
    network: DetectorNetwork,
    table: BoxTable,
    photos: PhotoSource,
    names: Sequence[str],
    training: Training,
    *,
    progress: Progress = lambda stage, done, total: None,
) -> TrainingReport:
    """Train ``network`` in place on the photos ``names`` and return what it cost.

    Adam with decoupled weight decay; the rate rises over the first tenth and falls to nothing along a cosine. The seed
    decides views, their order and nothing else. Raises :class:`CatalogueError` when no photo can be used.
    """
    import torch

    started = perf_counter()
    kept, left_out = _look(network, table, photos, names, training, progress)
    if not kept:
        raise CatalogueError("No photo of the table can be used. Action: check the photos; predict tells why.")
    looked = perf_counter()
    learnt, rates = [list(network.head.parameters())], [training.learning_rate]
    if training.train_tail:
        learnt.append(network.tail_parameters())
        rates.append(training.learning_rate / 10)
    for parameter in (everything := [parameter for group in learnt for parameter in group]):
        parameter.requires_grad_(requires_grad=True)
    optimiser = torch.optim.AdamW([{"params": group} for group in learnt], weight_decay=training.weight_decay)
    rng = np.random.default_rng(training.seed)
    steps = training.epochs * len(_batches(kept, training.batch, np.random.default_rng(training.seed)))
    step, losses = 0, []
    network.head.train()
    for _ in range(training.epochs):
        total = 0.0
        batches = _batches(kept, training.batch, rng)
        for views in batches:
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * _schedule(step / steps)
            loss = _loss(network, views, train_tail=training.train_tail)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(everything, 5.0)
            optimiser.step()
            total += float(loss.detach())
            step += 1
            progress("train", min(step, steps), steps)
        losses.append(total / len(batches))
    network.head.eval()
    return TrainingReport(
        photos=len(kept),
        boxes=sum(len(views[0].labels) for views in kept),
        views=training.views,
        features_s=round(looked - started, 1),
        epochs_s=round(perf_counter() - looked, 1),
        losses=tuple(round(loss, 4) for loss in losses),
        left_out=left_out,
    )


def _schedule(done: float) -> float:
    """Return the share of the rate after a share of the steps.

    >>> [round(_schedule(done), 2) for done in (0.0, 0.05, 0.1, 0.55, 1.0)]
    [0.02, 0.5, 1.0, 0.5, 0.0]
    """
    if done < 0.1:
        return max(0.02, done / 0.1)
    return float(0.5 + 0.5 * np.cos(np.pi * min(1.0, (done - 0.1) / 0.9)))


def _look(
    network: DetectorNetwork,
    table: BoxTable,
    photos: PhotoSource,
    names: Sequence[str],
    training: Training,
    progress: Progress,
) -> tuple[list[list[_Kept]], tuple[tuple[str, str], ...]]:
    """Return the frozen features of every view of every photo, and the photos that cannot be used with the reason."""
    kept: list[list[_Kept]] = []
    left_out: list[tuple[str, str]] = []
    for place, name in enumerate(names):
        try:
            content = read_photo(photos, name)
            photo = decode_bytes(content)
        except UnusablePhoto as error:
            left_out.append((name, str(error)))
            continue
        rng = np.random.default_rng((training.seed, place))
        own = upright_size(content)  # large photos are decoded smaller
        boxes = scale_boxes(table.in_pixels(name, *own), own, photo.size)
        views = [make_view(photo, boxes, number, rng) for number in range(max(1, training.views))]
        kept.append([_keep(network, view, table.labels, train_tail=training.train_tail) for view in views])
        progress("look", place + 1, len(names))
    return kept, tuple(left_out)


def _keep(network: DetectorNetwork, view: View, labels: Sequence[str], *, train_tail: bool) -> _Kept:
    import torch

    from models.detector import fit_photo

    pixels, scale = fit_photo(view.picture, network.shape.long_side_px)
    with torch.no_grad():
        stem = network.stem(pixels[None])
        tail = None if train_tail else network.tail(stem)[0].half()
    corners = [(box.left, box.top, box.right, box.bottom) for box in view.boxes]
    return _Kept(
        stem[0].half(),
        tail,
        torch.tensor(corners, dtype=torch.float32).reshape(-1, 4).to(network.device) * scale,
        torch.tensor([labels.index(box.label) for box in view.boxes], dtype=torch.int64).to(network.device),
    )


def _batches(kept: list[list[_Kept]], batch: int, rng: np.random.Generator) -> list[list[_Kept]]:
    """Return one drawn view of each photo, in batches drawn anew, padded together later."""
    views = [of_photo[int(rng.integers(len(of_photo)))] for of_photo in kept]
    order = rng.permutation(len(views))
    return [[views[place] for place in order[start : start + batch]] for start in range(0, len(views), batch)]


def _loss(network: DetectorNetwork, views: list[_Kept], *, train_tail: bool) -> torch.Tensor:
    stem = _stacked([view.stem for view in views])
    tails = [view.tail for view in views if view.tail is not None]
    tail = network.tail(stem) if train_tail else _stacked(tails)
    return network.loss(stem, tail, [{"boxes": view.boxes, "labels": view.labels} for view in views])


def _stacked(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return (B, C, H, W) float32 of maps (C, h, w), nought where one is smaller than the largest.

    H and W are even, so that both levels have cells for the same canvas.
    """
    height, width = max(one.shape[1] for one in maps), max(one.shape[2] for one in maps)
    stacked = maps[0].new_zeros((len(maps), maps[0].shape[0], height, width), dtype=maps[0].dtype)
    for place, one in enumerate(maps):
        stacked[place, :, : one.shape[1], : one.shape[2]] = one
    return stacked.float()
