"""Training GMF and asking all users: ours against loops of the kind that the source system runs, in the same run.

``python -m benchmarks.ncf_speed --log sequences.txt.gz`` (needs torch). The loops draw untaken items one at a time with
a look into a set, build lists and then arrays, and rank each user's 100 candidates with a dictionary and a heap;
network, batches, learner and scores are the same for both, so that what differs is the loop. Rounds alternate. Seconds
are those of the process on its one thread, so that other work on the machine counts for neither.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.processes_seen import machine
from benchmarks.report import software
from evaluation.leave_one_out.networks_study import fit_model, questions_of
from evaluation.leave_one_out.protocols import Questions, figures, rank_sampled
from evaluation.leave_one_out.split import leave_one_out
from models.collaborative.networks import build, logits
from models.collaborative.recipe import SOURCE, NetworkRecipe
from models.collaborative.training import learner_of, train
from trendloom.collaborative.model import CollaborativeModel
from trendloom.logs.interaction_files import read_interactions
from trendloom.logs.interactions import Interactions

__all__ = ["loop_epoch_s", "loop_evaluation", "our_epoch_s"]

_RESULT = Path(__file__).parent / "results" / "ncf_speed.json"


def drawn_by_a_loop(
    known: Interactions, negatives: int, rng: random.Random
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return users, items and truths of an epoch, drawn row by row."""
    taken = set(zip(known.user.tolist(), known.item.tolist(), strict=True))
    users, items, truths = [], [], []
    for user, item in zip(known.user.tolist(), known.item.tolist(), strict=True):
        users.append(user)
        items.append(item)
        truths.append(1.0)
        for _ in range(negatives):
            other = rng.randrange(known.n_items)
            while (user, other) in taken:
                other = rng.randrange(known.n_items)
            users.append(user)
            items.append(other)
            truths.append(0.0)
    return np.array(users), np.array(items), np.array(truths, np.float32)


def loop_epoch_s(known: Interactions, recipe: NetworkRecipe, epochs: int) -> tuple[float, float]:
    """Return the mean seconds of an epoch with drawing by a loop, and how many of them the drawing took."""
    import torch
    from torch.nn import functional

    tensors = build(recipe, known.n_users, known.n_items, seed=1)
    learner = learner_of(recipe, tensors)
    rng, drawing_s, began_s = random.Random(1), 0.0, time.process_time()
    for _ in range(epochs):
        drawing_began_s = time.process_time()
        columns = drawn_by_a_loop(known, recipe.negatives, rng)
        drawing_s += time.process_time() - drawing_began_s
        order = torch.randperm(len(columns[0]))
        shuffled = [torch.from_numpy(column)[order].split(recipe.batch) for column in columns]
        for users, items, truth in zip(*shuffled, strict=True):
            loss = functional.binary_cross_entropy_with_logits(logits(tensors, recipe, users, items), truth)
            learner.zero_grad(set_to_none=True)
            loss.backward()
            learner.step()
    return (time.process_time() - began_s) / epochs, drawing_s / epochs


def our_epoch_s(known: Interactions, recipe: NetworkRecipe, epochs: int) -> float:
    """Return the mean seconds of an epoch of :func:`models.collaborative.training.train`."""
    few = replace(recipe, epochs=epochs)
    trained = train(few, known.start, known.item, known.n_items, seed=1, clock_s=time.process_time)
    return sum(epoch.train_s for epoch in trained.epochs) / epochs


def loop_evaluation(model: CollaborativeModel, questions: Questions, k: int = 10) -> tuple[float, float]:
    """Return hit@k and NDCG@k, user by user: the target is first in its list, as in the source, and wins its ties."""
    hits, gains = [], []
    for user, target, negatives in zip(
        questions.users.tolist(), questions.target.tolist(), questions.negatives.tolist(), strict=True
    ):
        items = [target, *negatives]
        scores = model.score_pairs(np.array([user]), np.array([items]))[0]
        score_of = {item: scores[place] for place, item in enumerate(items)}
        ranked = heapq.nlargest(k, score_of, key=score_of.__getitem__)
        hits.append(1 if target in ranked else 0)
        gains.append(math.log(2) / math.log(ranked.index(target) + 2) if target in ranked else 0.0)
    return float(np.mean(hits)), float(np.mean(gains))


def main() -> None:
    """Measure in alternating rounds and write ``results/ncf_speed.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=_RESULT)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    split = leave_one_out(read_interactions(given.log))
    validation, _ = questions_of(split)
    recipe = SOURCE["gmf"]
    model, _, _ = fit_model(split.learnt, replace(recipe, epochs=5), seed=1)
    rounds: list[dict[str, float]] = []
    for _ in range(given.rounds):
        theirs, drawing = loop_epoch_s(split.learnt, recipe, given.epochs)
        ours = our_epoch_s(split.learnt, recipe, given.epochs)
        began_s = time.process_time()
        by_loop = loop_evaluation(model, validation)
        loop_s = time.process_time() - began_s
        began_s = time.process_time()
        at_once = figures(rank_sampled(model, validation))
        ours_s = time.process_time() - began_s
        rounds.append(
            {
                "loop epoch s": theirs,
                "of which drawing s": drawing,
                "our epoch s": ours,
                "loop evaluation s": loop_s,
                "our evaluation s": ours_s,
                "loop hit@10": by_loop[0],
                "our hit@10": at_once["hit@10"],
            }
        )
        print(rounds[-1], flush=True)
    median = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    told: dict[str, Any] = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python -m benchmarks.ncf_speed --log sequences.txt.gz",
        "machine": machine(),
        "versions": software() | {"torch": torch.__version__},
        "log": {"users": split.learnt.n_users, "items": split.learnt.n_items, "learnt": int(split.learnt.item.size)},
        "rounds": rounds,
        "median": median,
        "epochs faster": statistics.median(one["loop epoch s"] / one["our epoch s"] for one in rounds),
        "evaluation faster": statistics.median(one["loop evaluation s"] / one["our evaluation s"] for one in rounds),
        "targets": {"epochs faster": 3.0, "evaluation faster": 20.0},
    }
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"epochs {told['epochs faster']:.1f} times faster, evaluation {told['evaluation faster']:.1f} times")


if __name__ == "__main__":
    main()
