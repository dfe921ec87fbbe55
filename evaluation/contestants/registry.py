"""Contestants by name: how each is built on a ground. A new one is one line here and one file beside this one.

Factories import what is heavy when they are called, so listing the names costs nothing. Read next:
:mod:`evaluation.prequential`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from evaluation.contestant import DAY_MS, Contestant, Ground
from trendloom.errors import InputError

__all__ = ["CONTESTANTS", "Entrant", "Factory", "build", "standard"]

Factory = Callable[[str, Ground], Contestant]


@dataclass(frozen=True)
class Entrant:
    """How a contestant is built, what it is in a few words, and what it needs."""

    factory: Factory
    says: str
    needs_catalogue: bool = False
    needs_photos: bool = False
    #: part of an evaluation where nobody says otherwise: everything that needs no training
    standard: bool = True
    #: whether purchases of the day change its lists by more than the customer's own history: else it is not frozen
    live: bool = True


def _compiled() -> bool:
    return importlib.util.find_spec("numba") is not None


def _random(name: str, ground: Ground) -> Contestant:
    from evaluation.contestants.chance import Chance

    return Chance(name, ground)


def _popularity(half_life_s: float | None) -> Factory:
    def made(name: str, ground: Ground) -> Contestant:
        from evaluation.contestants.popularity import Popularity

        return Popularity(name, ground, half_life_s=half_life_s)

    return made


def _repurchase(*, fill_half_life_s: float | None) -> Factory:
    def made(name: str, ground: Ground) -> Contestant:
        from evaluation.contestants.popularity import Popularity
        from evaluation.contestants.repurchase import Repurchase

        filler = None
        if fill_half_life_s is not None:
            filler = Popularity(name, ground, half_life_s=fill_half_life_s)
        return Repurchase(name, ground, filler=filler)

    return made


def _variants(name: str, ground: Ground) -> Contestant:
    from evaluation.contestants.variants import Variants

    return Variants(name, ground)


def _item_knn(*, cosine: bool = False, shrinkage: float = 20.0, exponent: float = 0.7) -> Factory:
    def made(name: str, ground: Ground) -> Contestant:
        from evaluation.contestants.item_knn import ItemKnn

        form: Literal["cosine", "damped"] = "cosine" if cosine else "damped"
        return ItemKnn(name, ground, form=form, shrinkage=shrinkage, exponent=exponent, compiled=_compiled())

    return made


def _visual(*, last_only: bool) -> Factory:
    def made(name: str, ground: Ground) -> Contestant:
        from evaluation.contestants.visual import Visual

        return Visual(name, ground, last_only=last_only)

    return made


def _preset(preset: str) -> Factory:
    def made(name: str, ground: Ground) -> Contestant:
        from evaluation.contestants.live import Live
        from trendloom.relevance.presets import PRESETS

        return Live(name, ground, PRESETS[preset], compiled=_compiled())

    return made


def _learned(name: str, ground: Ground) -> Contestant:
    from evaluation.contestants.learned import Learned

    return Learned(name, ground)


def _trained(family: str, *, every_ms: int = DAY_MS) -> Factory:
    """Return a factory of a contestant that is trained every day by ``train_<family>`` of the module ``<family>``."""

    def made(name: str, ground: Ground) -> Contestant:
        from evaluation.contestants.trained import Trained

        module = importlib.import_module(f"evaluation.contestants.{family}")
        return Trained(name, ground, getattr(module, f"train_{family}"), every_ms=every_ms)

    return made


def _network(kind: str) -> Factory:
    def made(name: str, ground: Ground) -> Contestant:
        from evaluation.contestants import networks
        from evaluation.contestants.trained import Trained

        return Trained(name, ground, getattr(networks, f"train_{kind}"))

    return made


def _balanced_trained(family: str, weight: float) -> Factory:
    def made(name: str, ground: Ground) -> Contestant:
        from evaluation.contestants import balanced_trained
        from trendloom.relevance.presets import PRESETS

        train = getattr(balanced_trained, f"train_{family}_vectors")
        return balanced_trained.BalancedTrained(name, ground, PRESETS["balanced"].weighing({"trained": weight}), train)

    return made


def _sasrec(name: str, ground: Ground) -> Contestant:
    from evaluation.contestants.sasrec import train_contestant
    from evaluation.contestants.sequences import Sequences
    from evaluation.contestants.trained import Trained

    return Trained(name, ground, train_contestant, gather=Sequences.of, renew_every=30)


CONTESTANTS: Mapping[str, Entrant] = {
    "random": Entrant(_random, "sold items, drawn at random", live=False),
    "popularity": Entrant(_popularity(None), "what sold most so far"),
    "popularity-6h": Entrant(_popularity(21_600.0), "what sold most, each sale halved every 6 hours"),
    "popularity-1d": Entrant(_popularity(86_400.0), "what sold most, each sale halved every day"),
    "popularity-7d": Entrant(_popularity(604_800.0), "what sold most, each sale halved every week"),
    "repurchase": Entrant(_repurchase(fill_half_life_s=None), "what the customer bought on earlier days", live=False),
    "repurchase-popularity": Entrant(
        _repurchase(fill_half_life_s=86_400.0), "what the customer bought on earlier days, then what sold most"
    ),
    "variants": Entrant(_variants, "other colours of what the customer bought", needs_catalogue=True),
    "item-knn": Entrant(_item_knn(), "what others bought with it: C_ij / (n_i + 20)^.7"),
    "item-knn-root": Entrant(_item_knn(shrinkage=5.0, exponent=0.5), "what others bought with it: C_ij / (n_i + 5)^.5"),
    "item-knn-cosine": Entrant(_item_knn(cosine=True), "what others bought with it: C_ij / sqrt(n_i n_j)"),
    "visual": Entrant(
        _visual(last_only=False),
        "what looks like the customer's items",
        needs_catalogue=True,
        needs_photos=True,
        live=False,
    ),
    "visual-last": Entrant(
        _visual(last_only=True),
        "what looks like the latest item",
        needs_catalogue=True,
        needs_photos=True,
        live=False,
    ),
    "paper": Entrant(_preset("paper"), "the live path with the preset paper", needs_catalogue=True),
    "balanced": Entrant(_preset("balanced"), "the live path with the preset balanced", needs_catalogue=True),
    "learned": Entrant(
        _learned, "trees grown before each day from the days before", needs_catalogue=True, standard=False
    ),
    "als": Entrant(_trained("als"), "implicit ALS of the earlier days, the history folded in", standard=False),
    "als-1h": Entrant(
        _trained("als", every_ms=3_600_000), "the same, trained every hour of the earlier hours", standard=False
    ),
    "bpr": Entrant(_trained("bpr"), "BPR of the earlier days, the history's factors added up", standard=False),
    "ease": Entrant(_trained("ease"), "EASE of the earlier days, 100 neighbours an item", standard=False),
    "item2vec": Entrant(_trained("item2vec"), "skip-gram of the earlier days, the basket as window", standard=False),
    "gmf": Entrant(_network("gmf"), "GMF of the earlier days' baskets, the history's mean basket", standard=False),
    "mlp": Entrant(_network("mlp"), "MLP of the earlier days' baskets, the history's mean basket", standard=False),
    "neumf": Entrant(_network("neumf"), "NeuMF: both of them under one sum", standard=False),
    "balanced-gmf": Entrant(
        _balanced_trained("network", 0.05),
        "balanced, and a GMF of the earlier days' customers as the part trained",
        needs_catalogue=True,
        standard=False,
    ),
    "balanced-als": Entrant(
        _balanced_trained("als", 0.05),
        "balanced, and ALS of the earlier days' customers as the part trained",
        needs_catalogue=True,
        standard=False,
    ),
    "sasrec": Entrant(_sasrec, "self-attention over the customers' sequences, trained every 30 days", standard=False),
}


def standard(ground: Ground) -> list[str]:
    """Return the names of all who need no training and find on this ground what they need."""
    photos = ground.features.photo_embeddings.shape[0] > 0
    return [
        name
        for name, one in CONTESTANTS.items()
        if one.standard
        and (ground.catalogue is not None or not one.needs_catalogue)
        and (photos or not one.needs_photos)
    ]


def build(name: str, ground: Ground) -> Contestant:
    """Return the contestant of that name.

    Raises :class:`~trendloom.errors.InputError` for a name that nobody has, and where it needs what is not there.
    """
    if name not in CONTESTANTS:
        raise InputError(f"There is no model {name!r}. Action: use one of {', '.join(sorted(CONTESTANTS))}.")
    entrant = CONTESTANTS[name]
    if entrant.needs_catalogue and ground.catalogue is None:
        raise InputError(f"Model {name!r} needs to know the items. Action: name a catalogue, or leave the model out.")
    return entrant.factory(name, ground)
