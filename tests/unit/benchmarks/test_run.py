import json
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.run import PARTS, parse
from trendloom.errors import InputError


def test_quick_is_the_headline_comparison_of_all_contenders() -> None:
    asked = parse(["--quick"])
    assert asked.parts == ["drain", "freshness"]
    assert asked.presets == ["paper", "balanced"]
    assert set(asked.contenders) >= {"ours", "plain", "quix", "stock_faust"}
    assert (asked.items, asked.customers, asked.rounds, asked.purchases) == (10_000, 100_000, 3, 100_000)


def test_without_arguments_everything_but_the_sweep_is_measured() -> None:
    asked = parse([])
    assert asked.parts == [name for name in PARTS if name != "sweep"]
    assert asked.purchases == 300_000


@pytest.mark.parametrize("words", [["--parts", "drian"], ["--contenders", "nobody"], ["--vary", "size=3"]])
def test_what_does_not_exist_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(words)
    assert "known:" in capsys.readouterr().err


def test_a_part_keeps_its_figures_with_what_they_were_measured_on(tmp_path: Path) -> None:
    assert run._keep(tmp_path, "pairs", {"command": "make bench"}, lambda: {"items": 7})
    told = json.loads((tmp_path / "pairs.json").read_text())
    assert (told["items"], told["command"]) == (7, "make bench")
    assert {"taken_at", "machine", "took_s"} <= set(told)


def test_the_command_is_kept_without_the_folder_of_a_trial() -> None:
    assert (
        run._command(["--quick", "--results", "/there/trial", "--rounds", "1"])
        == "make bench ARGS='--quick --rounds 1'"
    )
    assert run._command([]) == "make bench"


def test_a_part_that_fails_leaves_no_figures_and_lets_the_others_go_on(tmp_path: Path) -> None:
    def fail() -> dict[str, object]:
        raise InputError("There is no broker. Action: start one.")

    assert not run._keep(tmp_path, "pairs", {}, fail)
    assert list(tmp_path.iterdir()) == []
