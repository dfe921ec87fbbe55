from pathlib import Path

import numpy as np
import pytest

from benchmarks.workload import Workload, customer_id, item_id, make_log, write_catalogue, zipf_draws
from trendloom.catalogue.directory import load_catalogue
from trendloom.events import decode_purchase, encode

NOW_MS = 1_700_000_000_000


def test_records_are_what_the_wire_contract_encodes() -> None:
    log = make_log(Workload(purchases=200, items=50, customers=20), NOW_MS)
    for record in log.records:
        purchase = decode_purchase(record.value, NOW_MS)
        assert encode(purchase) == record.value
        assert record.key == purchase.customer_id.encode()
        assert record.at_ms == purchase.occurred_at


def test_a_log_tells_by_number_who_bought_what() -> None:
    log = make_log(Workload(purchases=50, items=50, customers=20), NOW_MS)
    told = zip(log.customers.tolist(), log.items.tolist(), strict=True)
    for record, (customer, item) in zip(log.records, told, strict=True):
        purchase = decode_purchase(record.value, NOW_MS)
        assert (purchase.customer_id, purchase.item_id) == (customer_id(customer), item_id(item))


def test_the_log_lies_before_now_and_in_order() -> None:
    log = make_log(Workload(purchases=100), NOW_MS)
    times = [record.at_ms for record in log.records]
    assert times == sorted(times)
    assert times[-1] < NOW_MS


def test_the_same_seed_gives_the_same_log_and_another_one_another() -> None:
    small = Workload(purchases=50)
    assert make_log(small, NOW_MS).records == make_log(small, NOW_MS).records
    other = make_log(Workload(purchases=50, seed=2), NOW_MS)
    assert [record.key for record in other.records] != [record.key for record in make_log(small, NOW_MS).records]


def test_ids_have_the_sixteen_characters_that_the_memory_figures_are_stated_for() -> None:
    assert len(customer_id(99_999_999)) == len(item_id(99_999_999)) == 16


def test_zipf_follows_its_exponent() -> None:
    counts = np.sort(np.bincount(zipf_draws(100, 1.0, 200_000, np.random.default_rng(3)), minlength=100))[::-1]
    assert counts[0] / counts[9] == pytest.approx(10.0, rel=0.1)


def test_a_written_catalogue_loads_and_no_item_is_its_own_neighbour(tmp_path: Path) -> None:
    fingerprint = write_catalogue(tmp_path / "made-up", 300)
    catalogue = load_catalogue(tmp_path / "made-up")
    assert catalogue.fingerprint == fingerprint
    assert catalogue.item_ids[7] == item_id(7)
    for table in (catalogue.neighbours, catalogue.lowest):
        assert table.min() >= 0
        assert not (table == np.arange(300)[:, None]).any()
        assert all(len(set(row)) == len(row) for row in table.tolist())
    assert (np.diff(catalogue.neighbour_similarity, axis=1) <= 0).all()
    assert (np.diff(catalogue.lowest_similarity, axis=1) >= 0).all()


def test_a_catalogue_smaller_than_its_neighbour_lists_has_shorter_ones(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "tiny", 10)
    assert load_catalogue(tmp_path / "tiny").neighbours.shape == (10, 9)
