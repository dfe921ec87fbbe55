from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.trained_models import command, digest


def test_each_model_is_run_beside_item_knn() -> None:
    asked = argparse.Namespace(columns="hm", catalogue=Path("shop"), scored_from="2020-09-18", seed=2, every=4)
    line = command(Path("log.parquet"), "als", asked, Path("report.json"))
    assert line[2:6] == ["launch.cli", "evaluate", "prequential", "log.parquet"]
    assert [line[at + 1] for at, part in enumerate(line) if part == "--model"] == ["als", "item-knn"]
    assert "--no-frozen" in line


def test_a_digest_holds_the_paired_difference() -> None:
    value = {"value": 0.2, "low": 0.1, "high": 0.3}
    told = {f"{metric}@10": value for metric in ("hit", "ndcg", "map", "recall")}
    against = {"difference": 0.05, "low": 0.01, "high": 0.09, "ratio": 1.3}
    report = {
        "about": {"peak memory GB": 0.86},
        "models": {"als": {"seconds": 3.0}, "item-knn": {"seconds": 1.0}},
        "tasks": {
            "next_in_session": {
                "k": 10,
                "questions": 7,
                "models": {"als": {**told, "against": {"item-knn": {"hit@10": against}}}, "item-knn": told},
            }
        },
    }
    found = digest(report, "als")
    assert (found["seconds"], found["process peak MB"]) == (3.0, 860)
    assert found["tasks"]["next_in_session"]["hit@10 against item-knn"] == against
    assert "hit@10 against item-knn" not in digest(report, "item-knn")["tasks"]["next_in_session"]
