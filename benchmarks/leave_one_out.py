"""Leave-one-out figures of every scorer on one log: chosen on the validation items, measured on the test items once.

``python -m benchmarks.leave_one_out --log sequences.txt.gz --models DIR`` (needs torch and scipy; an hour, most of it
training). Networks are kept in ``--models`` and not trained again. For the test each scorer knows the validation items
too: counts are taken again, networks trained again with an epoch chosen on a tenth of the users. Seeds 1, 2, 3.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime
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

__all__ = ["full_parts", "neighbours", "network", "sampled_parts"]

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


def main() -> None:
    """Measure, choose, and write ``results/leave_one_out.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="where trained networks are kept")
    parser.add_argument("--out", type=Path, default=_RESULT)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    split = leave_one_out(read_interactions(given.log))
    validation, test = questions_of(split)
    learnt, known = split.learnt, split.before_test
    on_validation: dict[str, Told] = {}
    on_test: dict[str, Told] = {}

    def measured(name: str, before: Scorer, later: Scorer, asked: Questions = validation, *, few: bool = False) -> None:
        every = slice(None, None, _FEW if few else 1)
        on_validation[name] = both_protocols(before, asked, in_full=_rows(asked, every))
        on_test[name] = both_protocols(later, test, in_full=_rows(test, every))
        print(name, on_validation[name], on_test[name], flush=True)

    rng = np.random.default_rng(1)
    measured("random", Chance(learnt.n_items, rng), Chance(learnt.n_items, rng))
    measured("popularity", Popularity(learnt), Popularity(known))
    tried = {case: both_protocols(neighbours(learnt, *case), validation) for case in GRID}
    best = max(GRID, key=lambda case: tried[case]["full"]["hit@10"])
    measured("direct neighbours", neighbours(learnt, *best), neighbours(known, *best))
    trained = {
        kind: [
            network(split, validation, SOURCE[kind], seed=seed, folder=given.models, name=f"source_{kind}")
            for seed in SEEDS
        ]
        for kind in NETWORKS
    }
    order = rng.permutation(validation.users.size)
    fitting, rest = (_rows(validation, np.sort(part)) for part in (order[:_FITTING], order[_FITTING:]))
    crowds = [Mean([pair[place] for pair in trained["gmf"]]) for place in (0, 1)]
    blends: dict[str, Blend] = {}
    for name, parts_of, share in (("blend, sampled", sampled_parts, 0.5), ("blend, full", full_parts, 0.05)):
        parts = parts_of(learnt)
        asked = fitting if parts_of is sampled_parts else hard_questions(neighbours(learnt, 0.0, 0.9), fitting)
        offsets = [offset_of(part, asked, share) for part in parts]
        fitted = fit_weights([*map(Logarithm, parts, offsets), crowds[0]], asked)
        blends[name] = fitted
        later = Blend([*map(Logarithm, parts_of(known), offsets), crowds[1]], fitted.weights)
        measured(name, fitted, later, rest, few=parts_of is sampled_parts)
    ours, weight = TUNED["neumf"], TUNED["gmf"].popularity
    networks = {f"source_{kind}": each for kind, each in trained.items()} | {
        "tuned_gmf": [tuple(part.with_popularity(weight) for part in pair) for pair in trained["gmf"]],
        "tuned_neumf": [
            tuple(
                product.joined(deep, ours.joined).with_popularity(ours.popularity)
                for product, deep in zip(gmf, mlp, strict=True)
            )
            for gmf, mlp in zip(trained["gmf"], trained["mlp"], strict=True)
        ],
    }
    for name, pairs in networks.items():
        on_validation[name] = _mean([both_protocols(before, validation) for before, _ in pairs])
        tested = [both_protocols(later, test) for _, later in pairs]
        on_test[name] = _mean(tested)
        on_test[f"{name}, each seed"] = {
            f"seed {seed}": {
                f"{protocol} {metric}": value
                for protocol, figures in one.items()
                for metric, value in figures.items()
                if not metric.endswith(" se")
            }
            for seed, one in zip(SEEDS, tested, strict=True)
        }
        print(name, on_validation[name], on_test[name], flush=True)
    chosen = {
        protocol: max(on_validation, key=lambda name: on_validation[name][protocol]["hit@10"])
        for protocol in ("sampled", "full")
    }
    told = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python -m benchmarks.leave_one_out --log sequences.txt.gz --models DIR",
        "machine": machine(),
        "versions": software() | {"torch": torch.__version__},
        "log": {"users": learnt.n_users, "items": learnt.n_items, "learnt": int(learnt.item.size)},
        "direct neighbours tried, validation": {
            f"damping {damping}, position decay {decay}": tried[damping, decay] for damping, decay in GRID
        },
        "direct neighbours chosen": {"damping": best[0], "position decay": best[1]},
        "blends' weights": {name: list(blend.weights) for name, blend in blends.items()},
        "validation": on_validation,
        "chosen on validation": chosen,
        "test": on_test,
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
        one = on_test[name][protocol]
        print(f"{protocol}: {name}, test hit@10 {one['hit@10']:.4f}, ndcg@10 {one['ndcg@10']:.4f}")


if __name__ == "__main__":
    main()
