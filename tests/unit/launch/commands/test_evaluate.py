from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from launch import cli

FIRST_MS = 18_521 * 86_400_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    rows = [f"c{place % 7},item-{place * place % 11},{FIRST_MS + place * 3_600_000}" for place in range(90)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["customer_id,item_id,occurred_at", *rows]) + "\n")
    return path


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["trendloom", "evaluate", "prequential", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    said = capsys.readouterr()
    return int(str(caught.value.code)), said.out, said.err


def test_a_report_in_three_forms(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "csv", "html")}
    written = [word for kind, path in files.items() for word in (f"--{kind}", str(path))]
    code, out, err = run(
        monkeypatch,
        capsys,
        str(log),
        "--from",
        "2020-09-17",
        "--model",
        "popularity",
        "--model",
        "item-knn",
        "--draws",
        "20",
        *written,
    )
    assert code == 0
    assert "next_in_session" in out
    assert "seed 1: 80 of 80 purchases" in err
    assert "times faster than real time" in out
    models = json.loads(files["json"].read_text())["tasks"]["next_basket"]["models"]
    assert set(models) == {
        "popularity",
        "popularity (frozen at midnight)",
        "item-knn",
        "item-knn (frozen at midnight)",
    }
    assert files["csv"].read_text().startswith("task,model,metric,day,value,low,high\n")
    assert files["html"].read_text().startswith("<!doctype html>")


def test_a_model_that_is_not_there_is_told_and_costs_exit_code_two(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(monkeypatch, capsys, str(log), "--from", "2020-09-17", "--model", "nobody")
    assert code == 2
    assert "Action:" in err


def test_models_are_listed(log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(monkeypatch, capsys, str(log), "--from", "2020-09-17", "--models")
    assert code == 0
    assert "repurchase-popularity" in out
