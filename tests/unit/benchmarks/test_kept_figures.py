from __future__ import annotations

from pathlib import Path

from benchmarks.leave_one_out import KeptFigures


def test_nothing_is_measured_twice_even_in_another_run(tmp_path: Path) -> None:
    measured: list[str] = []

    def measure(name: str) -> dict[str, float]:
        measured.append(name)
        return {"hit@10": 0.5}

    kept = KeptFigures.of(tmp_path / "figures.json")
    assert kept.once("one", lambda: measure("one")) == {"hit@10": 0.5}
    again = KeptFigures.of(tmp_path / "figures.json")
    assert again.once("one", lambda: measure("one")) == {"hit@10": 0.5}
    again.once("two", lambda: measure("two"))
    assert measured == ["one", "two"]
    assert set(KeptFigures.of(tmp_path / "figures.json").found) == {"one", "two"}
