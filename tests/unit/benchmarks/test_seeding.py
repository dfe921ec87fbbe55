import numpy as np

from benchmarks.seeding import seeded_records
from trendloom.state.customer import Customer

NOW_S = 1_700_000_000


def test_a_seeded_customer_has_a_full_history_of_items_that_exist() -> None:
    for record in seeded_records(50, np.arange(30), history_length=20, now_s=NOW_S):
        entries = Customer.unpack(record).entries()
        assert len(entries) == 20
        assert all(0 <= item < 30 for item, *_ in entries)
        times = [at_s for _, at_s, *_ in entries]
        assert times == sorted(times)
        assert times[-1] < NOW_S


def test_events_differ_so_that_none_counts_as_a_repetition() -> None:
    records = seeded_records(100, np.arange(10), history_length=20, now_s=NOW_S)
    events = [event for record in records for _, _, _, event, _ in Customer.unpack(record).entries()]
    assert len(set(events)) == len(events)


def test_a_history_is_packed_as_a_worker_packs_it() -> None:
    record = seeded_records(1, np.arange(10), history_length=3, now_s=NOW_S)[0]
    again = Customer()
    for item, at_s, percentile, event, store in Customer.unpack(record).entries():
        again.buy(item, at_s * 1000, percentile, event, store, history_length=3)
    assert again.pack() == record
