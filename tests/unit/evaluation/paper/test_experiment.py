import csv
from pathlib import Path

import pytest

from evaluation.paper.customers import Faults, Habits
from evaluation.paper.experiment import Plan, run, variants_of
from evaluation.paper.results import COLUMNS, PURCHASE_COLUMNS
from tests.unit.evaluation.paper.small_street import STORES, seen
from trendloom.errors import SettingsError


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_tables_hold_every_list_under_the_sources_name_and_columns(tmp_path: Path) -> None:
    looks = seen(tmp_path / "photos")
    plan = Plan(seeds=(3,), top_k=4, ablation=False)
    report = run(looks, STORES, plan, out=tmp_path)
    assert report["files"] == ["df3_cust15_pur3_Pthresh0.15_PenExp4_Pmax100_topk4.csv"]
    header, *rows = read(tmp_path / report["files"][0])
    assert header == list(COLUMNS)
    bought = read(tmp_path / report["files"][0].replace(".csv", "_purchases.csv"))
    assert bought[0] == list(PURCHASE_COLUMNS)
    assert len(rows) == (len(bought) - 1) * 2 * 4  # purchases, networks, places
    assert [row[0] for row in rows] == [str(number) for number in range(len(rows))]
    assert {row[2] for row in rows} == {"one", "two"}
    gender_of = {
        f"{item} {category}": looks.garments.items.gender[place]
        for place, (item, category) in enumerate(
            zip(looks.garments.items.item_ids, looks.garments.items.categories, strict=True)
        )
    }
    names = ("UNKNOWN", "WOMEN", "MEN")
    assert all(row[10] == names[gender_of[row[4]]] for row in rows)  # of the garment recommended
    assert all(row[9] == names[gender_of[row[3]]] for row in rows)  # a customer buys for one gender
    assert {row[9] != row[10] for row in rows} == {True, False}
    assert all(0.0 <= float(row[8]) <= 1.0 and 0.0 <= float(row[7]) <= 1.0 for row in rows)
    parts_header, *parts = read(tmp_path / report["files"][0].replace(".csv", "_parts.csv"))
    assert parts_header == ["", "place", "visual", "popularity_fit", "store", "distance_km"]
    for row, part in zip(rows, parts, strict=True):
        assert float(row[5]) == pytest.approx(float(part[2]) + float(part[3]), abs=2e-6)


def test_the_same_plan_writes_the_same_bytes(tmp_path: Path) -> None:
    looks = seen(tmp_path / "photos")
    for place in ("one", "two"):
        run(looks, STORES, Plan(ablation=False), out=tmp_path / place)
    written = [{path.name: path.read_bytes() for path in (tmp_path / place).iterdir()} for place in ("one", "two")]
    assert len(written[0]) == 3
    assert written[0] == written[1]


def test_each_part_alone_is_best_at_what_it_is_for(tmp_path: Path) -> None:
    report = run(seen(tmp_path), STORES, Plan(seeds=(1, 2, 3), habits=Habits(customers=40)))
    for variants in report["measures"].values():
        best = {
            "category_similarity": max(variants, key=lambda name: variants[name]["category_similarity"]),
            "gender_agreement": max(variants, key=lambda name: variants[name]["gender_agreement"]),
            "popularity_mae": min(variants, key=lambda name: variants[name]["popularity_mae"]),
            "distance_km": min(variants, key=lambda name: variants[name]["distance_km"]),
        }
        assert (
            variants["only category"]["category_similarity"]
            == variants[best["category_similarity"]]["category_similarity"]
        )
        assert variants["only gender"]["gender_agreement"] == 1.0
        assert best["popularity_mae"] == "only popularity_fit"
        assert variants["only proximity"]["distance_km"] < variants["chance"]["distance_km"]
        # photos of a category share a pattern, and nothing tells women's from men's
        assert variants["only visual"]["category_similarity"] > variants["chance"]["category_similarity"] + 0.2
        assert abs(variants["chance"]["gender_agreement"] - 0.5) < 0.1
        assert variants["as planned"]["category_similarity_standard_error"] > 0.0


def test_the_originals_faults_hide_what_they_break(tmp_path: Path) -> None:
    looks, habits = seen(tmp_path), Habits(customers=60)
    right = run(looks, STORES, Plan(habits=habits, ablation=False))
    wrong = run(looks, STORES, Plan(habits=habits, ablation=False, faults=Faults(True, True)))
    assert right["sales"]["trendiness_popular_correlation"] > 0.2
    assert wrong["sales"]["trendiness_popular_correlation"] == 0.0
    assert wrong["sales"]["popular_share"] == 0.0
    for name in ("one", "two"):
        assert wrong["measures"][name]["as planned"]["gender_agreement"] == 1.0
        assert right["measures"][name]["as planned"]["gender_agreement"] < 0.9


def test_the_penalty_is_nearly_flat_for_a_taste_in_the_middle(tmp_path: Path) -> None:
    spread = run(seen(tmp_path), STORES, Plan(ablation=False))["penalty_spread"]
    assert spread["0.5"] == 0.0625  # of 1: .0125 after the weight of .2
    assert spread["0"] == spread["1"] == 1.0


def test_variants_without_the_plans_own_exponent_and_without_an_ablation() -> None:
    assert "exponent 2" not in variants_of(Plan(exponent=2.0))
    assert list(variants_of(Plan(ablation=False))) == ["as planned"]


@pytest.mark.parametrize(
    ("says", "changed"),
    [
        ("--top_k", {"top_k": 0}),
        ("--Penalty_exponent", {"exponent": 0.0}),
        ("no part", {"weights": {"repurchase": 1.0}}),
        ("Nothing weighs", {"weights": {"visual": 0.0}}),
        ("a seed", {"seeds": ()}),
    ],
)
def test_what_cannot_be_run_is_refused(says: str, changed: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=rf"{says}.*Action: |.*{says}"):
        Plan(**changed)  # type: ignore[arg-type]
