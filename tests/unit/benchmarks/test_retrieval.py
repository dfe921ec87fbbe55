import asyncio
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.retrieval import Asking, measure_retrieval, recorded_data, retrieval_of, simulated_shop
from trendloom.relevance.presets import PRESETS


def test_lists_of_all_candidates_are_those_of_exhaustive_scoring() -> None:
    _, catalogue, log = simulated_shop()
    told = asyncio.run(retrieval_of(catalogue, islice(log(), 600), PRESETS["balanced"], 20, factors=(0.1, 1.0)))
    few, own = told["by_candidates"]
    assert told["customers"] == 20
    assert few["candidates"] < own["candidates"]
    assert few["overlap"]["plain"] <= own["overlap"]["plain"] <= 1.0
    assert own["overlap"]["worker"] > 0.9


def test_customers_are_asked_for_as_they_stand_after_the_log() -> None:
    _, catalogue, log = simulated_shop()
    purchases = list(islice(log(), 300))
    asking = asyncio.run(Asking.after(catalogue, purchases, PRESETS["paper"], 10_000))
    assert asking.purchases == 300
    assert asking.query.size == len({purchase.customer_id for purchase in purchases})
    last = {purchase.customer_id: purchase.item_id for purchase in purchases}
    ids = asking.refresher.mirror.ids
    assert sorted(ids[number] for number in asking.query.item.tolist()) == sorted(last.values())


def test_a_shop_without_data_is_skipped_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVALUATION_DATA", str(tmp_path))
    assert recorded_data() is None
    told = measure_retrieval([], customers=1)
    assert "EVALUATION_DATA" in told["skipped"]
    assert told["skipped"] in capsys.readouterr().out
