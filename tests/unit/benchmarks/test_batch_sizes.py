from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.batch_sizes import measured
from evaluation.reporting import Plan

DAY_MS = 86_400_000
FIRST_MS = 18_521 * DAY_MS


def log_of(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    rows = ["customer_id,item_id,occurred_at"]
    for place in range(200):
        at_ms = FIRST_MS + place * 3 * DAY_MS // 200
        rows.append(f"c{rng.integers(20)},i{int(15 * rng.random() ** 2)},{at_ms}")
    path = folder / "log.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_every_size_is_measured_and_the_greatest_difference_is_told(tmp_path: Path) -> None:
    plan = Plan(
        log_of(tmp_path),
        "purchases",
        FIRST_MS + DAY_MS,
        models=("popularity",),
        baseline="popularity",
        frozen=False,
        draws=10,
    )
    found = measured(plan, None, [1, 50])
    hits = [found["batches"][size]["next_in_session"]["hit@10"] for size in ("1", "50")]
    assert found["greatest difference of hit@10 in session"] == round(max(hits) - min(hits), 5)
    assert found["met"] == (max(hits) - min(hits) <= found["target"])
    assert found["about"]["purchases"] == 200


def test_one_size_differs_from_nothing(tmp_path: Path) -> None:
    plan = Plan(
        log_of(tmp_path), "purchases", FIRST_MS + DAY_MS, models=("random",), baseline="random", frozen=False, draws=10
    )
    assert measured(plan, None, [7])["met"] is True
