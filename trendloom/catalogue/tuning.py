"""Learns, from a catalogue's own labels, what "similar" is to mean: a facet for each label, over frozen features.

Each facet is a small network with one hidden layer whose outputs gather round one proxy a label value (normalised
softmax: Zhai & Wu, "Classification is a strong baseline for deep metric learning", BMVC 2019). torch is imported when
something is learnt, never to apply it. Read next: :mod:`trendloom.catalogue.facets`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trendloom.catalogue.facets import COLOURS, Facet, FacetProjection, components_facet, mix_parts, split_parts
from trendloom.catalogue.projection import PhotoProjection, fit_projection
from trendloom.errors import CatalogueError, MissingExtra

if TYPE_CHECKING:
    import torch

__all__ = ["TUNABLE", "Tuning", "can_tune", "fit_embedding", "label_codes", "tune_projection"]

#: Labels that a facet can be learnt for.
TUNABLE = ("type", "colour")
#: A label teaches something when at least two of its values have so many photos.
_LEAST_PHOTOS = 5


@dataclass(frozen=True)
class Tuning:
    """How facets are learnt; chosen on H&M's photos, on a part that no figure is taken from (docs/catalogue.md)."""

    #: Of what is learnt, the share of colour against type: the knob.
    colour_weight: float = 0.35
    #: Share of how garments look to the network, whatever their labels.
    look_weight: float = 0.2
    #: H, and the lengths of the facets.
    hidden: int = 256
    type_dims: int = 96
    colour_dims: int = 64
    look_dims: int = 96
    epochs: int = 14
    batch: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    #: Logits are ``scale`` times cosines: the smaller, the closer photos of one label value come together.
    scale: float = 6.0
    label_smoothing: float = 0.1
    dropout: float = 0.3
    seed: int = 42

    def weights(self, names: Sequence[str]) -> dict[str, float]:
        """Return the weight of each facet that is there.

        >>> Tuning(colour_weight=0.4, look_weight=0.5).weights(("type", "colour", "look"))
        {'type': 0.3, 'colour': 0.2, 'look': 0.5}
        """
        shares = {"type": 1.0 - self.colour_weight, "colour": self.colour_weight}
        learnt = {name: shares[name] for name in names if name in shares}
        total = sum(learnt.values()) or 1.0
        look = self.look_weight if "look" in names else 0.0
        found = {name: (1.0 - look) * share / total for name, share in learnt.items()}
        return {**found, "look": look} if "look" in names else found


def can_tune(labels: npt.NDArray[np.integer]) -> bool:
    """Return whether (P,) label codes, negative where unknown, tell enough: two values with five photos each.

    >>> can_tune(np.repeat([0, 1, -1], 5)), can_tune(np.repeat([0, -1], 5))
    (True, False)
    """
    known = labels[labels >= 0]
    return int((np.bincount(known) >= _LEAST_PHOTOS).sum()) >= 2 if known.size else False


def tune_projection(
    features: npt.NDArray[np.float32],
    parts: Sequence[tuple[str, int]],
    labels: Mapping[str, npt.NDArray[np.integer]],
    tuning: Tuning,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> FacetProjection:
    """Return a projection with a facet for each label, learnt from (P, F) features and (P,) codes (negative: unknown).

    ``parts`` names the parts of the features with their lengths. The type is learnt from what networks saw, the colour
    from the colour histogram and the middle of networks, or from everything where no middle was tapped. Raises
    :class:`CatalogueError` for labels that are no :data:`TUNABLE` or tell too little, :class:`MissingExtra` without
    torch. About a minute for 12,000 photos.
    """
    lengths = tuple(length for _, length in parts)
    split = split_parts(features, lengths)
    unknown = sorted(set(labels) - set(TUNABLE))
    dull = sorted(name for name, codes in labels.items() if name in TUNABLE and not can_tune(codes))
    if unknown or not labels:
        raise CatalogueError(
            f"An embedding cannot be tuned for {', '.join(unknown) or 'nothing'}. "
            f"Action: tune for {' or '.join(TUNABLE)}."
        )
    if dull:
        raise CatalogueError(
            f"The labels for {', '.join(dull)} tell too little: two values with {_LEAST_PHOTOS} photos each are the "
            "least. Action: name the column with --map, or leave --tune out."
        )
    deep = tuple(at for at, (name, _) in enumerate(parts) if name != COLOURS) or tuple(range(len(parts)))
    # colours are seen low in a network, if it was tapped there: the layers above have learnt to overlook them
    low = tuple(at for at, (name, _) in enumerate(parts) if name.endswith((COLOURS, "middle")))
    coloured = any(name.endswith("middle") for name, _ in parts)
    seen = {"type": deep, "colour": low if coloured else tuple(range(len(parts)))}
    names = [name for name in TUNABLE if name in labels] + (["look"] if tuning.look_weight > 0 else [])
    weights = tuning.weights(names)
    total, facets = tuning.epochs * len(labels), []
    for number, name in enumerate(names):
        if name == "look":
            facets.append(components_facet(name, weights[name], deep, split, dims=tuning.look_dims, whitening=0.0))
            continue

        def tell(epoch: int, before: int = number * tuning.epochs) -> None:
            if progress is not None:
                progress(before + epoch, total)

        dims = tuning.type_dims if name == "type" else tuning.colour_dims
        facets.append(_learn(name, weights[name], seen[name], split, labels[name], dims, tuning, tell))
    return FacetProjection(lengths, tuple(facets))


def _learn(
    name: str,
    weight: float,
    parts: tuple[int, ...],
    split: Sequence[npt.NDArray[np.float32]],
    labels: npt.NDArray[np.integer],
    dims: int,
    tuning: Tuning,
    tell: Callable[[int], None],
) -> Facet:
    known = np.flatnonzero(labels >= 0)
    # each part counts alike: centred, and divided by the mean deviation of its values
    chosen = [split[at][known] for at in parts]
    mean = np.concatenate([part.mean(axis=0, dtype=np.float64) for part in chosen]).astype(np.float32)
    spread = np.concatenate([np.full(part.shape[1], max(float(part.std(axis=0).mean()), 1e-9)) for part in chosen])
    spread = spread.astype(np.float32)
    inputs = (np.concatenate(chosen, axis=1) - mean) / spread
    values, codes = np.unique(labels[known], return_inverse=True)
    first, first_bias, second, second_bias = _train(inputs, codes, len(values), dims, tuning, tell)
    return Facet(name, weight, parts, mean, (first / spread[:, None], second), (first_bias, second_bias))


def _train(
    inputs: npt.NDArray[np.float32],
    codes: npt.NDArray[np.integer],
    classes: int,
    dims: int,
    tuning: Tuning,
    tell: Callable[[int], None],
) -> tuple[npt.NDArray[np.float32], ...]:
    """Return (F', H), (H,), (H, D), (D,): loss = cross entropy of scale * cos(z, proxy), smoothed, AdamW, one cycle."""
    try:
        import torch
        from torch.nn import functional
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"To tune an embedding the package {error.name} is needed. Action: pip install 'trendloom[vision]'."
        ) from error
    chance = torch.Generator().manual_seed(tuning.seed)  # everything random comes from here: the same photos, the same

    def drawn(rows: int, columns: int) -> torch.Tensor:
        return (torch.rand(rows, columns, generator=chance) * 2 - 1).div_(rows**0.5).requires_grad_()

    photos, targets = torch.from_numpy(inputs), torch.from_numpy(codes.astype(np.int64))  # (P, F'), (P,)
    first, second, proxies = drawn(inputs.shape[1], tuning.hidden), drawn(tuning.hidden, dims), drawn(dims, classes)
    first_bias, second_bias = (torch.zeros(length, requires_grad=True) for length in (tuning.hidden, dims))
    # fused: one step over each weight instead of a dozen
    optimiser = torch.optim.AdamW(
        [
            {"params": [first, second], "weight_decay": tuning.weight_decay},
            {"params": [first_bias, second_bias, proxies], "weight_decay": 0.0},
        ],
        lr=tuning.learning_rate,
        fused=True,
    )
    batches = -(-len(photos) // tuning.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, tuning.learning_rate, total_steps=max(tuning.epochs * batches, 2)
    )
    for epoch in range(tuning.epochs):
        for rows in torch.randperm(len(photos), generator=chance).split(tuning.batch):
            hidden = torch.relu(photos[rows] @ first + first_bias)  # (B, H)
            kept = torch.rand(hidden.shape, generator=chance) >= tuning.dropout
            short = functional.normalize(hidden * kept / (1.0 - tuning.dropout) @ second + second_bias)  # (B, D)
            logits = tuning.scale * short @ functional.normalize(proxies, dim=0)  # (B, C)
            loss = functional.cross_entropy(logits, targets[rows], label_smoothing=tuning.label_smoothing)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        tell(epoch + 1)
    return tuple(tensor.detach().numpy() for tensor in (first, first_bias, second, second_bias))


def label_codes(values: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return a code for each label; -1 where the table says nothing.

    >>> label_codes(["red", "", "blue", "red"]).tolist()
    [1, -1, 0, 1]
    """
    known, codes = np.unique(np.array(values, np.str_), return_inverse=True)
    return codes.astype(np.int64) - int(known.size > 0 and known[0] == "")


def fit_embedding(
    features: npt.NDArray[np.float32],
    parts: Sequence[tuple[str, int]],
    labels: Mapping[str, npt.NDArray[np.integer]],
    *,
    tune: Sequence[str],
    tuning: Tuning,
    dims: int,
    whitening: float,
    mix_colour_weight: float,
    progress: Callable[[int, int], None] | None = None,
) -> PhotoProjection:
    """Return how (P, F) features become embeddings: tuned, mixed, or plain principal components.

    ``tune`` names the labels to learn from; ``("auto",)`` learns from type and colour where both tell enough. Where
    nothing is learnt, features with a colour histogram are mixed and others only shortened.
    """
    if tuple(tune) == ("auto",):
        coloured = any(name == COLOURS for name, _ in parts)
        tune = TUNABLE if coloured and all(can_tune(labels[name]) for name in TUNABLE) else ()
    if tune:
        wanted = {name: labels.get(name, np.zeros(0, np.int64)) for name in tune}
        return tune_projection(features, parts, wanted, tuning, progress=progress)
    if any(name == COLOURS for name, _ in parts):
        return mix_parts(features, parts, dims=dims, whitening=whitening, colour_weight=mix_colour_weight)
    return fit_projection(features, dims=dims, whitening=whitening)
