import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from launch.cli import app
from tests.unit.evaluation.paper.small_street import NamedEmbedder, draw_street
from trendloom.errors import SettingsError

FLAGS = {
    "seed": "7",
    "num_customers": "4",
    "max_purchases_per_customer": "2",
    "top_k": "3",
    "P_max": "50",
    "P_threshold": "0.2",
    "Penalty_exponent": "2.5",
}
STEM = "df7_cust4_pur2_Pthresh0.2_PenExp2.5_Pmax50_topk3"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def opened(name: str, *, weights: str) -> NamedEmbedder:
        return NamedEmbedder(name, 1 + len(weights))

    monkeypatch.setattr("trendloom.catalogue.embedding.open_backbone", opened)
    return draw_street(tmp_path / "photos", products=20)


def call(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, ["paper", *map(str, arguments)], env=env or {})


@pytest.mark.parametrize("spelling", ["_", "-"])
def test_the_sources_flags_in_both_spellings(photos: Path, tmp_path: Path, spelling: str) -> None:
    flags = [text for name, value in FLAGS.items() for text in (f"--{name.replace('_', spelling)}", value)]
    result = call(*flags, "--train_folder", photos, "--out", tmp_path / "out", "--no-ablation")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / f"{STEM}.csv").is_file()
    assert "efficientnet_lite2" in result.stdout


def test_every_flag_can_be_set_in_the_environment(photos: Path, tmp_path: Path) -> None:
    env = {f"PAPER_{name.upper()}": value for name, value in FLAGS.items()} | {"PAPER_TRAIN_FOLDER": str(photos)}
    result = call("--out", tmp_path / "out", "--json", env=env)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["files"] == [f"{STEM}.csv"]
    assert sorted(report["measures"]) == ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
    assert json.loads((tmp_path / "out" / "paper.json").read_text()) == report


def test_networks_weights_and_faults_by_name(photos: Path, tmp_path: Path) -> None:
    result = call(
        "--train_folder", photos, "--out", tmp_path, "--backbone", "resnet50=w.pth", "--weight", "gender=1",
        "--fault", "gender-of-bought", "--repeats", "2", "--no-ablation", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert list(report["measures"]) == ["resnet50"]
    assert report["plan"]["weights"] == {"gender": 1.0}
    assert report["plan"]["faults"] == {"threshold_of_sum": False, "gender_of_bought": True}
    assert len(report["files"]) == 2


def test_without_a_folder_the_catalogues_pictures_are_looked_at(photos: Path, tmp_path: Path) -> None:
    result = call("--out", tmp_path, "--backbone", "one", "--no-ablation", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["garments"] == 2000


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("--seed", ["--seed", "-1"]),
        ("no fault", ["--fault", "everything"]),
        ("PART=NUMBER", ["--weight", "visual"]),
        ("--train_folder", ["--seg_folder", "masks"]),
        ("--P_threshold", ["--P_threshold", "1.2"]),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(photos: Path, says: str, arguments: list[str]) -> None:
    result = call(*arguments)
    assert isinstance(result.exception, SettingsError)
    assert says in str(result.exception)
    assert "Action: " in str(result.exception)
