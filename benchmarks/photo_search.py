"""Search by photo beside the plain code of the source systems, as described: both must find the same rows.

* one photo among 44,441 x 2048: a scikit-learn index, fitted anew from a list at every request;
* many photos: the same request path for each of them, against one batch;
* within a label of 72,158 rows: a Python loop with a scipy cosine and a sort of the best so far for every row.

``python -m benchmarks.photo_search`` needs ``pip install -r benchmarks/requirements-search.txt`` beside the project; it
prints JSON and writes ``benchmarks/results/vision_search.json``. Rounds alternate, so what else the machine does falls
on both; times are medians of the wall clock, and beside them of the CPU of all threads, which who else is at work
hardly changes.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.processes_seen import machine
from trendloom.errors import MissingExtra
from trendloom.similar.gallery import Gallery

__all__ = ["measure", "nearest_by_loop", "nearest_by_request"]

ROWS, DIMS, LABELLED, BATCH = 44_441, 2048, 72_158, 256
#: Times the baseline's time, as the project promises it.
TARGETS = {"one_photo": 10.0, "batch": 50.0, "within_label": 50.0}
_RESULT = Path(__file__).parent / "results" / "vision_search.json"

Floats = npt.NDArray[np.float32]


def unit_rows(count: int, dims: int, rng: np.random.Generator) -> Floats:
    """Return made-up unit rows like pooled features: never negative, in 200 clouds with true neighbours."""
    centres = np.maximum(rng.normal(size=(200, dims)), 0).astype(np.float32)
    rows = centres[rng.integers(200, size=count)]
    rows += 0.7 * np.abs(rng.standard_normal(size=rows.shape, dtype=np.float32))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def nearest_by_request(features: list[Floats], query: Floats, count: int) -> list[int]:
    """Return the nearest rows as a request of those systems does: build the index from the list, then ask it."""
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=count, algorithm="brute", metric="euclidean")
    index.fit(features)
    _, rows = index.kneighbors([query])
    found: list[int] = rows[0].tolist()
    return found


def nearest_by_loop(rows: Floats, query: Floats, count: int) -> list[int]:
    """Return the nearest rows as one of them does within a label: for each row a cosine and a sort of the best."""
    from scipy.spatial.distance import cosine

    best: list[tuple[float, int]] = []
    for row in range(len(rows)):
        best.append((float(cosine(query, rows[row])), row))
        best.sort()
        del best[count:]
    return [row for _, row in best]


def measure(rows: int, labelled: int, rounds: int, wait_for: Path | None) -> dict[str, Any]:
    """Return the times in milliseconds for a photo of both forms of the three searches, and their ratios."""
    rng = np.random.default_rng(20)
    return {
        **_measure_requests(rows, rounds, wait_for, rng),
        "within_label": _measure_label(labelled, max(3, rounds // 3), wait_for, rng),
    }


def _measure_requests(rows: int, rounds: int, wait_for: Path | None, rng: np.random.Generator) -> dict[str, Any]:
    features = unit_rows(rows, DIMS, rng)
    queries = _near(features, BATCH, rng)
    as_list, gallery = list(features), Gallery(features)
    for number in range(3):
        _agree(
            nearest_by_request(as_list, queries[number], 6), gallery.nearest(queries[number : number + 1], 6).rows[0]
        )

    def request(at: int) -> object:
        return nearest_by_request(as_list, queries[at], 6)

    one = _compare(request, lambda at: gallery.nearest(queries[at : at + 1], 6), rounds, wait_for)
    batch = _compare(request, lambda at: gallery.nearest(queries, 6), rounds, wait_for, photos=BATCH)
    return {"one_photo": {**one, "rows": rows}, "batch": {**batch, "rows": rows, "photos_in_a_batch": BATCH}}


def _measure_label(labelled: int, rounds: int, wait_for: Path | None, rng: np.random.Generator) -> dict[str, Any]:
    # half as many rows of other labels lie among those of the label that is searched
    everything = unit_rows(labelled + labelled // 2, DIMS, rng)
    labels = np.zeros(len(everything), np.int64)
    labels[rng.permutation(len(everything))[:labelled]] = 1
    inside = np.flatnonzero(labels == 1)
    gallery, within = Gallery(everything, labels=labels, label_count=2), everything[inside]
    queries = _near(within, rounds, rng)
    wanted = inside[nearest_by_loop(within, queries[0], 9)].tolist()
    _agree(wanted, gallery.nearest_within(queries[:1], 9, label=1).rows[0])
    told = _compare(
        lambda at: nearest_by_loop(within, queries[at], 9),
        lambda at: gallery.nearest_within(queries[at : at + 1], 9, label=1),
        rounds,
        wait_for,
    )
    return {**told, "rows": labelled}


def _near(rows: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return ``count`` unit queries, each near a row."""
    queries = rows[rng.integers(len(rows), size=count)] + 0.01 * rng.random((count, rows.shape[1]), np.float32)
    unit: Floats = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    return unit


def _agree(wanted: list[int], found: npt.NDArray[np.int32]) -> None:
    if wanted != found.tolist():
        raise AssertionError(f"the two forms find other rows: {wanted} and {found.tolist()}")


def _compare(
    baseline: Callable[[int], object],
    ours: Callable[[int], object],
    rounds: int,
    wait_for: Path | None,
    *,
    photos: int = 1,
) -> dict[str, Any]:
    times: dict[str, list[float]] = {"baseline": [], "ours": []}
    worked: dict[str, list[float]] = {"baseline": [], "ours": []}
    baseline(0)
    ours(0)
    for at in range(rounds):
        while wait_for is not None and wait_for.exists():
            sleep(3.0)
        for name, work, share in (("baseline", baseline, 1), ("ours", ours, photos), ("ours", ours, photos)):
            began_s, cpu_s = perf_counter(), process_time()
            work(at)
            worked[name].append((process_time() - cpu_s) * 1000.0 / share)
            times[name].append((perf_counter() - began_s) * 1000.0 / share)
    theirs, own = statistics.median(times["baseline"]), statistics.median(times["ours"])
    their_cpu, own_cpu = statistics.median(worked["baseline"]), statistics.median(worked["ours"])
    return {
        "baseline_ms": round(theirs, 3),
        "ours_ms": round(own, 3),
        "ratio": round(theirs / own, 1),
        "baseline_cpu_ms": round(their_cpu, 3),
        "ours_cpu_ms": round(own_cpu, 3),
        "cpu_ratio": round(their_cpu / own_cpu, 1),
        "baseline_best_ms": round(min(times["baseline"]), 3),
        "ours_best_ms": round(min(times["ours"]), 3),
        "rounds": rounds,
    }


def main() -> None:
    """Measure, print JSON and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--labelled", type=int, default=LABELLED)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--wait-for", type=Path, help="pause between rounds while this file exists")
    parser.add_argument("--out", type=Path, default=_RESULT)
    asked = parser.parse_args()
    try:
        versions = {name: version(name) for name in ("numpy", "scikit-learn", "scipy")}
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"The baselines need {error.name}. Action: pip install -r benchmarks/requirements-search.txt."
        ) from error
    seen = machine()
    told = measure(asked.rows, asked.labelled, asked.rounds, asked.wait_for)
    for name, least in TARGETS.items():
        told[name]["at_least"] = least
    told = {"machine": seen, "versions": versions, "dims": DIMS, **told}
    text = json.dumps(told, indent=1)
    print(text)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
