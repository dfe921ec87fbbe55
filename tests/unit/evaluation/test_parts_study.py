from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_log import small_catalogue, small_ground, small_purchases

from evaluation import parts_study
from evaluation.contestant import Ground, Purchases


def test_a_part_is_asked_at_each_weight_and_trained_with_each_training() -> None:
    ground = small_ground()
    colour = parts_study.contestants(ground, "colour", [3.0, 9.0], ["gmf", "als"])
    assert list(colour) == ["balanced", "colour 3", "colour 9"]
    trained = parts_study.contestants(ground, "trained", [0.5], ["gmf", "als"])
    assert list(trained) == ["balanced", "gmf 0.5", "als 0.5"]


def test_the_report_compares_every_weight_with_balanced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    purchases = small_purchases(events=400)

    def prepared(*given: object, **more: object) -> tuple[Purchases, Ground]:
        return purchases, small_ground()

    monkeypatch.setattr(parts_study, "read_log", lambda *given, **more: None)
    monkeypatch.setattr(parts_study, "load_catalogue", lambda path: small_catalogue())
    monkeypatch.setattr(parts_study, "prepare", prepared)
    out = tmp_path / "found.json"
    day = "2020-09-17"
    parts_study.main(
        [
            *("log", "--catalogue", "shop", "--part", "colour", "--weight", "9", "--draws", "20"),
            *("--from", day, "--to", "2020-09-19", "--out", str(out)),
        ]
    )
    capsys.readouterr()
    told = json.loads(out.read_text())["colour"]["tasks"]["next_in_session"]
    assert told["questions"] > 0
    assert np.isfinite(told["colour 9"]["against balanced"]["difference"])
