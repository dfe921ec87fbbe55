"""Leave-one-out figures of every scorer on one log: chosen on the validation items, measured on the test items once.

``python -m benchmarks.leave_one_out --log sequences.txt.gz --models DIR`` (needs torch and scipy; five minutes on an
idle machine, most of it training). Networks are kept in ``--models`` and not trained again; so are the figures of each
scorer, with the time when they were taken: a run that was cut off goes on where it was. For the test each scorer knows
the validation items too: counts are taken again, networks trained again with an epoch chosen on a tenth of the users.
Seeds 1, 2, 3.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes_seen import machine
from benchmarks.report import software
from evaluation.leave_one_out.baselines import Chance, Popularity
from evaluation.leave_one_out.blending import Blend, Logarithm, Mean, fit_weights, hard_questions, offset_of
from evaluation.leave_one_out.neighbours import ItemNeighbours, SecondNeighbours
from evaluation.leave_one_out.networks_study import both_protocols, fit_model, nearly_all, questions_of
from evaluation.leave_one_out.protocols import Questions, Scorer
from evaluation.leave_one_out.split import Split, leave_one_out
from models.collaborative.recipe import SOURCE, TUNED, NetworkRecipe
from trendloom.collaborative.model import CollaborativeModel
from trendloom.collaborative.model_file import load_model, save_model
from trendloom.logs.interaction_files import read_interactions
from trendloom.logs.interactions import Interactions

__all__ = ["KeptFigures", "full_parts", "neighbours", "network", "sampled_parts"]

_RESULT = Path(__file__).parent / "results" / "leave_one_out.json"
#: Direct neighbours that are tried: damping and position decay.
GRID = ((0.0, 0.9), (0.0, 1.0), (0.1, 0.9), (0.3, 0.9))
#: The networks that are trained at the source's settings. Ours are made of them: what is added comes after training.
NETWORKS = ("gmf", "mlp")
SEEDS = (1, 2, 3)
#: Validation users whose items fit the blend; its validation figures are those of the others.
_FITTING = 8_000
#: The blend is ranked in full for every so many-th user only: its second step reaches most items of everybody.
_FEW = 8
#: The networks are ranked in full for every so many-th user: there are three of each.
_NETWORKS_FEW = 4

Told = Mapping[str, Mapping[str, float]]


def neighbours(known: Interactions, damping: float, position_decay: float) -> ItemNeighbours:
    """Return direct neighbours, as the grid names them."""
    return ItemNeighbours(known, damping=damping, shrinkage=2.0, position_decay=position_decay)


def sampled_parts(known: Interactions) -> list[Scorer]:
    """Return what the blend for the sampled protocol is made of, besides the networks: it has to order the tail."""
    direct = ItemNeighbours(known, damping=0.3, shrinkage=2.0, position_decay=1.0, tie_break=0.0)
    return [Popularity(known), direct, SecondNeighbours(known, shrinkage=20.0)]


def full_parts(known: Interactions) -> list[Scorer]:
    """Return what the blend for full ranking is made of, besides the networks: direct neighbours in several forms."""
    forms: tuple[dict[str, float], ...] = (
        {"damping": 0.0, "shrinkage": 1.0, "position_decay": 0.9},
        {"damping": 0.5, "shrinkage": 5.0, "position_decay": 0.9},
        {"damping": 0.1, "shrinkage": 1.0, "position_decay": 0.8, "nearness": 0.7},
        {"damping": 0.2, "shrinkage": 1.0, "position_decay": 0.5},
        {"damping": 0.5, "shrinkage": 1.0, "position_decay": 1.0, "row_damping": 0.5},
    )
    return [Popularity(known), *(ItemNeighbours(known, tie_break=0.0, **form) for form in forms)]


def network(
    split: Split, validation: Questions, recipe: NetworkRecipe, *, seed: int, folder: Path, name: str
) -> tuple[CollaborativeModel, CollaborativeModel]:
    """Return a network for the validation items and one for the test items: kept ones, or trained now."""
    files = (folder / f"{name}_{seed}.validation.safetensors", folder / f"{name}_{seed}.test.safetensors")
    if not files[0].is_file():
        model, _, _ = fit_model(split.learnt, recipe, seed=seed, validation=validation)
        save_model(model, files[0])
    if not files[1].is_file():
        known, inner = nearly_all(split, validation, np.random.default_rng(seed))
        model, _, _ = fit_model(known, recipe, seed=seed, validation=inner)
        save_model(model, files[1])
    return load_model(files[0]), load_model(files[1])


def _mean(of: list[Told]) -> dict[str, dict[str, float]]:
    return {
        protocol: {name: float(np.mean([one[protocol][name] for one in of])) for name in of[0][protocol]}
        for protocol in of[0]
    }


def _rows(questions: Questions, rows: Any) -> Questions:
    return Questions(questions.users[rows], questions.target[rows], questions.negatives[rows], questions.known)


@dataclass
class KeptFigures:
    """What was measured, by name, in a file that is written after each of them; nothing is measured twice."""

    path: Path
    found: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> KeptFigures:
        """Return what the file holds; nothing where there is none."""
        return cls(path, json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {})

    def once(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return what is kept under a name, or measure it and keep it."""
        if name not in self.found:
            told = measure()
            self.found[name] = {"taken_at": datetime.now(UTC).isoformat(timespec="seconds"), "told": told}
            unfinished = self.path.with_name(self.path.name + ".unfinished")
            unfinished.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
            unfinished.replace(self.path)
            print(name, json.dumps(told), flush=True)
        return self.found[name]["told"]


def _same(pair: tuple[Scorer, Scorer]) -> tuple[Scorer, Scorer]:
    return pair


def _each_seed(tested: list[Told]) -> dict[str, dict[str, float]]:
    return {
        f"seed {seed}": {
            f"{protocol} {metric}": value
            for protocol, figures in one.items()
            for metric, value in figures.items()
            if not metric.endswith(" se")
        }
        for seed, one in zip(SEEDS, tested, strict=True)
    }


def main() -> None:
    """Measure, choose, and write ``results/leave_one_out.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="where trained networks and figures are kept")
    parser.add_argument("--out", type=Path, default=_RESULT)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    split = leave_one_out(read_interactions(given.log))
    validation, test = questions_of(split)
    learnt, known = split.learnt, split.before_test
    kept = KeptFigures.of(given.models / "figures.json")

    def both(scorers: Callable[[], tuple[Scorer, Scorer]], *, few: int = 1, asked: Questions = validation) -> Any:
        before, later = scorers()
        every = slice(None, None, few)
        return {
            "validation": both_protocols(before, asked, in_full=_rows(asked, every)),
            "test": both_protocols(later, test, in_full=_rows(test, every)),
        }

    def trained(kind: str) -> list[tuple[CollaborativeModel, CollaborativeModel]]:
        return [
            network(split, validation, SOURCE[kind], seed=seed, folder=given.models, name=f"source_{kind}")
            for seed in SEEDS
        ]

    rng = np.random.default_rng(1)
    kept.once("random", lambda: both(lambda: (Chance(learnt.n_items, rng), Chance(learnt.n_items, rng))))
    kept.once("popularity", lambda: both(lambda: (Popularity(learnt), Popularity(known))))

    def tried_case(case: tuple[float, float]) -> Told:
        return both_protocols(neighbours(learnt, *case), validation)

    tried = {
        case: kept.once(f"damping {case[0]}, position decay {case[1]}", partial(tried_case, case)) for case in GRID
    }
    best = max(GRID, key=lambda case: float(tried[case]["full"]["hit@10"]))
    kept.once("direct neighbours", lambda: both(lambda: (neighbours(learnt, *best), neighbours(known, *best))))

    order = np.random.default_rng(2).permutation(validation.users.size)
    fitting, rest = (_rows(validation, np.sort(part)) for part in (order[:_FITTING], order[_FITTING:]))

    def blend(parts_of: Callable[[Interactions], list[Scorer]], share: float, few: int) -> Any:
        crowds = [Mean([pair[place] for pair in trained("gmf")]) for place in (0, 1)]
        parts = parts_of(learnt)
        asked = fitting if parts_of is sampled_parts else hard_questions(neighbours(learnt, 0.0, 0.9), fitting)
        offsets = [offset_of(part, asked, share) for part in parts]
        fitted = fit_weights([*map(Logarithm, parts, offsets), crowds[0]], asked)
        later = Blend([*map(Logarithm, parts_of(known), offsets), crowds[1]], fitted.weights)
        return both(lambda: (fitted, later), few=few, asked=rest) | {"weights": list(fitted.weights)}

    kept.once("blend, sampled", lambda: blend(sampled_parts, 0.5, _FEW))
    kept.once("blend, full", lambda: blend(full_parts, 0.05, 1))

    ours, weight = TUNED["neumf"], TUNED["gmf"].popularity

    def network_seeds(name: str) -> Any:
        pairs = trained("mlp" if name == "source_mlp" else "gmf")
        if name == "tuned_gmf":
            pairs = [(one.with_popularity(weight), other.with_popularity(weight)) for one, other in pairs]
        elif name == "tuned_neumf":
            pairs = [
                (
                    gmf[0].joined(mlp[0], ours.joined).with_popularity(ours.popularity),
                    gmf[1].joined(mlp[1], ours.joined).with_popularity(ours.popularity),
                )
                for gmf, mlp in zip(pairs, trained("mlp"), strict=True)
            ]
        measured = [both(partial(_same, pair), few=_NETWORKS_FEW) for pair in pairs]
        tested = [one["test"] for one in measured]
        on_validation = _mean([one["validation"] for one in measured])
        return {"validation": on_validation, "test": _mean(tested), "test, each seed": _each_seed(tested)}

    networks = ("source_gmf", "source_mlp", "tuned_gmf", "tuned_neumf")
    for name in networks:
        kept.once(name, partial(network_seeds, name))
    figures = {
        name: kept.found[name]
        for name in ("random", "popularity", "direct neighbours", "blend, sampled", "blend, full", *networks)
    }
    chosen = {
        protocol: max(figures, key=lambda name: float(figures[name]["told"]["validation"][protocol]["hit@10"]))
        for protocol in ("sampled", "full")
    }
    told = {
        "command": "python -m benchmarks.leave_one_out --log sequences.txt.gz --models DIR",
        "machine": machine(),
        "versions": software() | {"torch": torch.__version__},
        "log": {"users": learnt.n_users, "items": learnt.n_items, "learnt": int(learnt.item.size)},
        "ranked in full": f"all users; every {_FEW}th with the first blend, every {_NETWORKS_FEW}th with networks",
        "direct neighbours tried, validation": {
            f"damping {damping}, position decay {decay}": tried[damping, decay] for damping, decay in GRID
        },
        "direct neighbours chosen": {"damping": best[0], "position decay": best[1]},
        "chosen on validation": chosen,
        "figures": {name: {"taken_at": one["taken_at"], **one["told"]} for name, one in figures.items()},
        "targets on the test items": {
            "chosen, sampled, hit@10 and ndcg@10": [0.42, 0.26],
            "chosen, full, hit@10 and ndcg@10": [0.042, 0.024],
            "source_gmf, sampled, hit@10": 0.29,
            "source_mlp, sampled, hit@10": 0.265,
            "tuned_neumf": "above popularity in both; sampled hit@10 .32 is the aspiration",
        },
    }
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for protocol, name in chosen.items():
        one = figures[name]["told"]["test"][protocol]
        print(f"{protocol}: {name}, test hit@10 {one['hit@10']:.4f}, ndcg@10 {one['ndcg@10']:.4f}")


if __name__ == "__main__":
    main()
