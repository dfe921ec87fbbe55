"""How a collaborative network is shaped and trained: the source's settings, and ours, as values.

Nothing here computes. Read next: :mod:`models.collaborative.networks` and :mod:`models.collaborative.training`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["KINDS", "LEARNERS", "SOURCE", "TUNED", "NetworkRecipe"]

Kind = Literal["gmf", "mlp", "neumf", "image-mlp"]
Learner = Literal["adagrad", "adam", "rmsprop", "sgd"]
KINDS: tuple[Kind, ...] = ("gmf", "mlp", "neumf", "image-mlp")
LEARNERS: tuple[Learner, ...] = ("adagrad", "adam", "rmsprop", "sgd")


@dataclass(frozen=True)
class NetworkRecipe:
    """Shape and training of one network; what a kind lacks (factors of an MLP) is not looked at."""

    kind: Kind
    #: Width of the embeddings whose product is taken (GMF, NeuMF).
    factors: int = 8
    #: Widths of the perceptron (MLP, NeuMF, image-MLP): its input, half of it the user's, and each hidden layer.
    layers: tuple[int, ...] = (16, 8)
    #: L2 on the whole user and item embeddings of the product part, added to the loss as reg · Σ w².
    factor_regs: tuple[float, float] = (0.0, 0.0)
    #: The same for the perceptron: of its embeddings, then of each hidden layer.
    layer_regs: tuple[float, ...] = (0.0, 0.0)
    #: Width to which an item's image embedding is projected (image-MLP).
    image_width: int = 16
    #: Whether an item has a bias of its own, which holds what is popular.
    item_bias: bool = False
    #: NeuMF: train a GMF and an MLP apart, each with its own settings, and join them, the MLP's logits times this; 0
    #: trains NeuMF as one network.
    joined: float = 0.0
    #: Added to an item's score after training: so many times the log of 1 + the number of users who took it.
    popularity: float = 0.0
    #: Share of the embeddings' values that a step leaves out.
    dropout: float = 0.0
    #: AdamW-style decay of the embeddings a step, times the learning rate.
    weight_decay: float = 0.0
    #: Standard deviation of the embeddings at the start.
    spread: float = 0.05
    epochs: int = 50
    batch: int = 16_384
    #: Untaken items drawn for each taken one, anew in each epoch.
    negatives: int = 4
    learning_rate: float = 0.1
    learner: Learner = "adam"
    #: Epochs without a better validation figure before training stops; 0 trains all epochs and keeps the best.
    patience: int = 0


#: The source's settings (sizes, rates, epochs): docs/collaborative-models.md.
SOURCE: Mapping[str, NetworkRecipe] = {
    "gmf": NetworkRecipe("gmf", factors=4, learning_rate=0.1, epochs=50),
    "mlp": NetworkRecipe("mlp", layers=(16, 8), learning_rate=0.03, epochs=10),
    "neumf": NetworkRecipe("neumf", factors=8, layers=(16, 8), learning_rate=0.03, epochs=20),
    "image-mlp": NetworkRecipe("image-mlp", layers=(16, 8), learning_rate=0.03, epochs=10),
}

#: Settings of our own, chosen on the validation items of the Amazon sequences: a GMF learns who differs from the crowd,
#: and ranks better with the crowd added; NeuMF is best joined from a GMF and an MLP.
TUNED: Mapping[str, NetworkRecipe] = {
    "gmf": replace(SOURCE["gmf"], popularity=2.0),
    "mlp": replace(SOURCE["mlp"], patience=3),
    "neumf": replace(SOURCE["neumf"], factors=4, joined=2.0),
    "image-mlp": replace(SOURCE["image-mlp"], patience=3),
}
