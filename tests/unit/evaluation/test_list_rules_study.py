import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.list_rules_study import RULES, Rows, judged, main, slices_of, with_new_items
from tests.small_shop import shop
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.columns import Columns
from trendloom.relevance.top_k import TopK


def test_places_for_new_items_never_repeat_an_item() -> None:
    items = np.array([[1, 2, 3, 4], [5, 6, -1, -1]])
    cold = TopK(np.array([[2, 9], [7, -1]], np.int32), np.zeros((2, 2)), np.zeros((2, 2, 1)), ("visual",))
    assert with_new_items(items, cold, 2).tolist() == [[1, 2, 9, 3], [5, 6, 7, -1]]
    assert with_new_items(items, cold, 1).tolist() == [[1, 2, 3, 9], [5, 6, -1, 7]]


def test_slices_and_hits_by_hand() -> None:
    features = shop(1, n=20, events=10).features
    rows = Rows(
        {"some": np.array([[3, 4], [5, 6], [7, 8], [9, 10]])},
        np.array([4, 11, 7, 12]),
        np.array([1, 2, 3, 4]),
        np.array([0, 3, 9, 4]),
    )
    found = slices_of(rows, features)
    assert found["cold"].tolist() == [True, True, False, True]
    assert found["never_sold"].tolist() == [True, False, False, False]
    told = judged(rows, features)["some"]
    assert told["hit_at_10"] == 0.5
    assert told["ndcg_at_10"] == pytest.approx((1 / np.log2(3) + 1) / 4, abs=1e-5)
    assert told["cold_hit_at_10"] == pytest.approx(1 / 3, abs=1e-5)
    assert told["never_sold_hit_at_10"] == 1.0


def test_a_log_becomes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(2)
    table = ["article_id,kind,product"] + [f"{n:010d},{'abc'[n % 3]},{n // 2}" for n in range(60)]
    (tmp_path / "items.csv").write_text("\n".join(table) + "\n")
    attributes = {"kind": 1.0, "product": 1.0}
    columns = Columns(item_id="article_id", category="kind", product="product", attributes=attributes)
    build_catalogue(tmp_path / "items.csv", tmp_path / "shop", columns, BuildOptions(neighbours=8, lowest=4))
    days, customers = rng.integers(1, 4, size=900), rng.integers(80, size=900)
    items = (60 * rng.random(900) ** 2).astype(int)
    lines = [
        f"2020-01-0{day},c{buyer},{item:010d},1,1" for day, buyer, item in zip(days, customers, items, strict=True)
    ]
    lines = ["t_dat,customer_id,article_id,price,sales_channel_id", *lines]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    arguments = [str(tmp_path / "log.csv"), "--catalogue", str(tmp_path / "shop"), "--from", "2020-01-02"]
    assert main([*arguments, "--to", "2020-01-03", "--out", str(tmp_path / "out.json")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "out.json").read_text()) == report
    assert str(tmp_path) not in json.dumps(report)
    assert report["questions"] > 100
    assert set(RULES) < set(report["lists"])
    lists = report["lists"]
    assert lists["at most 1 of a product"]["hit_at_10"] <= 1.0
    assert lists["at most 2 of a type"]["types"] >= lists["no rule"]["types"] - 0.5
