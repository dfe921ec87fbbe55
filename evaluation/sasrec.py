"""SASRec (Kang and McAuley 2018), as the library ``cornac`` has it: sequences of items in, scores of the next item out.

Self-attention over the latest items of a sequence; training is the library's, asking many sequences at once is written
here. It holds no items out and knows no days. Read next: :mod:`evaluation.leave_one_out.sequence_scorer` and
:mod:`evaluation.contestants.sasrec`, which use it.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trendloom.errors import MissingExtra

__all__ = ["SasRec", "SasRecRecipe", "train_sasrec"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
#: Sequences put through the network at a time.
_AT_ONCE = 1_024


@dataclass(frozen=True)
class SasRecRecipe:
    """Shape and training; small enough for a processor without a graphics card."""

    width: int = 48
    blocks: int = 1
    heads: int = 1
    #: only so many latest items of a sequence are looked at
    longest: int = 10
    epochs: int = 12
    batch: int = 512
    #: items drawn for a whole batch beside its own, by purchases^``negatives_exponent``
    negatives: int = 1_024
    negatives_exponent: float = 0.5
    learning_rate: float = 0.002
    dropout: float = 0.2
    #: with sequences to choose by: the library asks them after every so many epochs and keeps the best
    ask_every: int = 3


class SasRec:
    """A trained network: ``network`` is the library's (torch), for N items."""

    def __init__(self, network: Any, n_items: int, longest: int) -> None:
        self._network = network
        self._longest = longest
        self._n_items = n_items
        self._items: Floats = network.item_emb.weight.detach().numpy()[:n_items]  # (N, F)

    def wanted(self, history: Ints) -> Floats:
        """Return what follows histories (B, H), oldest first, -1 where there is none (on the left): vectors (B, F)."""
        import torch

        latest = history[:, -self._longest :]
        padded = np.full((len(history), self._longest), self._n_items, np.int64)
        padded[:, self._longest - latest.shape[1] :] = np.where(latest >= 0, latest, self._n_items)
        nothing = torch.zeros(0, dtype=torch.int64)
        self._network.eval()
        with torch.no_grad():
            parts = [
                self._network(None, torch.from_numpy(padded[low : low + _AT_ONCE]), nothing, return_hidden=True)[0]
                for low in range(0, len(padded), _AT_ONCE)
            ]
        vectors: Floats = torch.cat(parts).numpy() if parts else np.zeros((0, self._items.shape[1]), np.float32)
        return vectors

    def scores(self, history: Ints) -> Floats:
        """Return the scores (B, N) of every item as the next one of histories (B, H)."""
        scores: Floats = self.wanted(history) @ self._items.T
        return scores

    def score_pairs(self, history: Ints, items: Ints) -> Floats:
        """Return the scores (B, C) of some items (B, C) as the next one of histories (B, H)."""
        scores: Floats = np.einsum("bf,bcf->bc", self.wanted(history), self._items[items], optimize=True)
        return scores


def train_sasrec(
    start: Ints,
    item: npt.NDArray[np.integer],
    n_items: int,
    recipe: SasRecRecipe,
    *,
    seed: int,
    choose_by: tuple[Ints, npt.NDArray[np.integer]] | None = None,
) -> SasRec:
    """Return a network trained to find each item of S sequences among drawn ones, from the items before it.

    Sequence s is ``item[start[s]:start[s + 1]]``, oldest first, items 0 ... ``n_items`` - 1. Without ``choose_by`` the
    last epoch is kept; with other sequences (start, item) that whose lists of 10 most often hold their last items.
    Nothing is learnt of sequences of one item. Raises :class:`~trendloom.errors.MissingExtra` without ``cornac``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own imports; not ours to mend
            from cornac.models import SASRec
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"SASRec needs the package {error.name}, which is not installed. "
            "Action: pip install 'trendloom[sequential]'."
        ) from error
    model = SASRec(
        embedding_dim=recipe.width,
        num_blocks=recipe.blocks,
        num_heads=recipe.heads,
        max_len=recipe.longest,
        n_epochs=recipe.epochs,
        batch_size=recipe.batch,
        n_sample=recipe.negatives,
        sample_alpha=recipe.negatives_exponent,
        learning_rate=recipe.learning_rate,
        dropout=recipe.dropout,
        model_selection="last" if choose_by is None else "best",
        val_eval_every=recipe.ask_every,
        val_k=10,
        seed=seed,
    )
    asked = None if choose_by is None else _as_sessions(*choose_by, n_items)
    model.fit(_as_sessions(start, item, n_items), asked)
    return SasRec(model.model, n_items, recipe.longest)


def _as_sessions(start: Ints, item: npt.NDArray[np.integer], n_items: int) -> Any:
    """Return the library's data set: every sequence is a session, and a user."""
    from cornac.data import SequentialDataset

    count = start.size - 1
    user = np.repeat(np.arange(count), np.diff(start))
    return SequentialDataset(
        num_users=count,
        num_sessions=count,
        num_items=n_items,
        uid_map=OrderedDict((number, number) for number in range(count)),
        sid_map=OrderedDict((number, number) for number in range(count)),
        iid_map=OrderedDict((number, number) for number in range(n_items)),
        uir_tuple=(user, item.astype(np.int64), np.ones(item.size)),
        session_indices=user,
    )
