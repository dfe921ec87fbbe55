"""SASRec on a log of sequences, leave one out: its epoch chosen on validation, the test items measured once.

``python -m benchmarks.sequence_models --log sequences.txt.gz`` (needs the extra sequential). The questions are those of
:mod:`benchmarks.leave_one_out`, so the figures stand beside each other. The network that is asked for the test items is
trained again with the validation items of nine users in ten, and the tenth user's choose its epoch. One seed; small
widths and few epochs, because two cores train it.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.processes_seen import machine
from benchmarks.report import software
from evaluation.leave_one_out.baselines import Popularity
from evaluation.leave_one_out.networks_study import both_protocols, nearly_all, questions_of
from evaluation.leave_one_out.protocols import Questions
from evaluation.leave_one_out.sequence_scorer import SequenceScorer
from evaluation.leave_one_out.split import leave_one_out
from evaluation.sasrec import SasRecRecipe, train_sasrec
from trendloom.logs.interaction_files import read_interactions
from trendloom.logs.interactions import Interactions

__all__ = ["choosing_sequences"]

_RESULT = Path(__file__).parent / "results" / "sequence_models.json"
#: Users whose held-out items choose the epoch: the library asks them one at a time.
_CHOOSING = 500


def choosing_sequences(
    questions: Questions, count: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (start, item) of ``count`` users' known items with the held-out one at the end."""
    few = np.sort(rng.permutation(questions.users.size)[:count])
    known = questions.known
    parts = [
        np.append(known.item[known.start[user] : known.start[user + 1]], target)
        for user, target in zip(questions.users[few].tolist(), questions.target[few].tolist(), strict=True)
    ]
    start = np.cumsum([0, *(part.size for part in parts)])
    return start.astype(np.int64), np.concatenate(parts).astype(np.int64)


def _fitted(known: Interactions, asked: Questions, recipe: SasRecRecipe, *, seed: int) -> tuple[SequenceScorer, float]:
    rng = np.random.default_rng(seed)
    began_s = time.process_time()
    model = train_sasrec(
        known.start,
        known.item,
        known.n_items,
        recipe,
        seed=seed,
        choose_by=choosing_sequences(asked, _CHOOSING, rng),
    )
    return SequenceScorer(model, known, length=recipe.longest), time.process_time() - began_s


def main() -> None:
    """Train, choose, measure, and write ``results/sequence_models.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=SasRecRecipe.epochs)
    parser.add_argument("--width", type=int, default=SasRecRecipe.width)
    parser.add_argument("--longest", type=int, default=SasRecRecipe.longest)
    parser.add_argument("--dropout", type=float, default=SasRecRecipe.dropout)
    parser.add_argument("--exponent", type=float, default=SasRecRecipe.negatives_exponent)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--validation-only", action="store_true", help="to choose a recipe: the test is not read")
    parser.add_argument("--out", type=Path, default=_RESULT)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    recipe = replace(
        SasRecRecipe(),
        epochs=given.epochs,
        width=given.width,
        longest=given.longest,
        dropout=given.dropout,
        negatives_exponent=given.exponent,
    )
    split = leave_one_out(read_interactions(given.log))
    validation, test = questions_of(split)
    scorer, train_s = _fitted(split.learnt, validation, recipe, seed=given.seed)
    on_validation = both_protocols(scorer, validation)
    print(f"validation after {train_s:.0f} s of CPU: {on_validation}", flush=True)
    if given.validation_only:
        return
    known, inner = nearly_all(split, validation, np.random.default_rng(given.seed))
    later, later_s = _fitted(known, inner, recipe, seed=given.seed)
    asked = SequenceScorer(later.model, split.before_test, length=recipe.longest)
    told: dict[str, Any] = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python -m benchmarks.sequence_models --log sequences.txt.gz",
        "machine": machine(),
        "versions": software() | {"torch": torch.__version__, "cornac": version("cornac")},
        "log": {
            "users": split.learnt.n_users,
            "items": split.learnt.n_items,
            "learnt": int(split.learnt.item.size),
        },
        "recipe": asdict(recipe),
        "seed": given.seed,
        "training, CPU seconds": {"for validation": round(train_s, 1), "for the test": round(later_s, 1)},
        "validation": {"sasrec": on_validation, "popularity": both_protocols(Popularity(split.learnt), validation)},
        "test": {
            "sasrec": both_protocols(asked, test),
            "popularity": both_protocols(Popularity(split.before_test), test),
        },
    }
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told["test"], indent=1))


if __name__ == "__main__":
    main()
