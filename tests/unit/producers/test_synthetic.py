from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from producers.synthetic import Simulation
from producers.wares import Wares
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import CatalogueError, SettingsError
from trendloom.events import Purchase

NOON_MS = 1_600_344_000_000  # 2020-09-17T12:00:00Z
STORES = {f"store-{number}": (0.1 * number, -0.3 * number) for number in range(1, 6)}
WARES = Wares.of(random_catalogue(400, np.random.default_rng(7)))


def simulation(**options: Any) -> Simulation:
    return Simulation(WARES, STORES, **({"num_customers": 200} | options))


def bought(simulation: Simulation, number: int, *, gap_ms: int = 20_000, start_ms: int = NOON_MS) -> list[Purchase]:
    return [simulation.purchase(start_ms + place * gap_ms) for place in range(number)]


def test_the_same_seed_buys_the_same_and_another_seed_does_not() -> None:
    first, second = bought(simulation(), 300), bought(simulation(), 300)
    assert first == second
    assert bought(simulation(seed=43), 300) != first


def test_another_run_of_a_seed_buys_the_same_under_new_event_ids() -> None:
    first, second = bought(simulation(run=1), 200), bought(simulation(run=2), 200)
    assert [purchase.item_id for purchase in first] == [purchase.item_id for purchase in second]
    assert not {purchase.event_id for purchase in first} & {purchase.event_id for purchase in second}


def test_event_ids_differ_and_what_is_bought_fits_the_customer() -> None:
    model = simulation()
    purchases = bought(model, 3000)
    assert len({purchase.event_id for purchase in purchases}) == 3000
    gender = dict(zip(model.customers.ids, model.customers.gender, strict=True))
    for purchase in purchases:
        row = WARES.row(purchase.item_id)
        assert WARES.gender[row] in {0, 3, 4, gender[purchase.customer_id]}
        assert purchase.store_id == WARES.store_ids[WARES.store[row]]
        assert purchase.source == "synthetic"


def test_nobody_buys_the_same_twice_soon() -> None:
    last: dict[str, list[str]] = defaultdict(list)
    for purchase in bought(simulation(), 3000):
        assert purchase.item_id not in last[purchase.customer_id][-10:]
        last[purchase.customer_id].append(purchase.item_id)


def test_the_share_of_popular_purchases_is_the_customers_trendiness() -> None:
    model = simulation(num_customers=40)
    trendiness = dict(zip(model.customers.ids, model.customers.trendiness, strict=True))
    number_of = {customer: place for place, customer in enumerate(model.customers.ids)}
    popular: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for place in range(20_000):
        before = [list(group.order[: group.size]) for group in model._groups]
        purchase = model.purchase(NOON_MS + place * 20_000)
        group = model._groups.index(model._group_of[number_of[purchase.customer_id]])
        total[purchase.customer_id] += 1
        popular[purchase.customer_id] += WARES.row(purchase.item_id) in before[group]
    often = [customer for customer in total if total[customer] >= 200]
    assert len(often) > 15
    for customer in often:
        assert popular[customer] / total[customer] == pytest.approx(trendiness[customer], abs=0.12)
    assert model.from_popular == popular.total()


def test_a_purchase_makes_its_item_more_popular_at_once() -> None:
    model = simulation(p_max=0, p_threshold=0.01)
    purchase = model.purchase(NOON_MS)
    row = WARES.row(purchase.item_id)
    customer = model.customers.ids.index(purchase.customer_id)
    assert model.is_popular(row, customer)
    assert model.purchases_of[row] == 1


def test_feedback_makes_few_items_very_popular() -> None:
    sold = bought_counts(simulation(burst_every=None), 8000)
    assert sum(sold[:40]) > 0.3 * 8000  # a tenth of the items; evenly they would take 0.1
    assert sum(bought_counts(simulation(p_threshold=0.0), 8000)[:40]) < 0.25 * 8000


def test_among_the_popular_what_sells_sells_more() -> None:
    sold = bought_counts(simulation(p_threshold=0.3), 8000)
    assert sum(sold[:40]) > 0.32 * 8000  # 0.27 if popularity were all that counted


def bought_counts(model: Simulation, number: int) -> list[int]:
    bought(model, number)
    return sorted(model.purchases_of, reverse=True)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_an_empty_popular_set_or_an_empty_rest_falls_back_to_the_other(threshold: float) -> None:
    model = simulation(p_threshold=threshold)
    bought(model, 500)
    assert model.from_popular == 500 * threshold


def test_favourite_categories_are_bought_more_and_near_stores_are_preferred() -> None:
    model = simulation(num_customers=50)
    number_of = {customer: place for place, customer in enumerate(model.customers.ids)}
    favourite, near = [], []
    for purchase in bought(model, 5000):
        customer = number_of[purchase.customer_id]
        row = WARES.row(purchase.item_id)
        favourite.append(WARES.category[row] in model.customers.favourites[customer])
        nearness = model.customers.nearness[customer]
        near.append(nearness[WARES.store[row]] - np.mean(nearness))
    share = np.mean([len(favourites) for favourites in model.customers.favourites]) / len(WARES.category_names)
    assert np.mean(favourite) > share + 0.2
    assert np.mean(near) > 0.02


def test_summer_wear_sells_in_july_and_sweaters_in_january() -> None:
    july, january = 1_594_000_000_000, 1_578_500_000_000
    shares = []
    for start in (july, january):
        kinds = Counter(
            WARES.category_names[WARES.category[WARES.row(purchase.item_id)]]
            for purchase in bought(simulation(), 4000, start_ms=start, gap_ms=1000)
        )
        shares.append((kinds["Skirts"] / 4000, kinds["Sweaters"] / 4000))
    assert shares[0][0] > 1.3 * shares[1][0]
    assert shares[1][1] > 1.3 * shares[0][1]


def test_further_items_of_a_visit_look_like_the_one_before() -> None:
    model = simulation(num_customers=30, max_purchases_per_customer=6)
    last: dict[str, int] = {}
    alike = []
    for purchase in bought(model, 4000, gap_ms=60_000):
        row = WARES.row(purchase.item_id)
        if purchase.customer_id in last:
            alike.append(row in WARES.neighbours[last[purchase.customer_id]])
        last[purchase.customer_id] = row
    by_chance = len(WARES.neighbours[0]) / len(WARES)
    assert np.mean(alike) > 2 * by_chance


def test_a_burst_lifts_its_item_at_once_and_fades() -> None:
    model = simulation(num_customers=2000)
    bought(model, 500)
    item = WARES.item_ids[11]
    model.start_burst(item)
    during = sum(purchase.item_id == item for purchase in bought(model, 200, start_ms=NOON_MS + 10**8))
    bought(model, 1500, start_ms=NOON_MS + 2 * 10**8)
    after = sum(purchase.item_id == item for purchase in bought(model, 200, start_ms=NOON_MS + 3 * 10**8))
    assert during > 15
    assert after < during / 3
    assert model.bursts == []
    with pytest.raises(CatalogueError):
        model.start_burst("nothing")


def test_random_bursts_happen_about_as_often_as_asked() -> None:
    model = simulation(num_customers=2000, burst_every=100)
    begun: set[int] = set()
    for place in range(5000):
        model.purchase(NOON_MS + place)
        begun.update(burst.began for burst in model.bursts)
    assert 25 < len(begun) < 80


def test_the_sources_simulation_lets_everyone_come_once_for_one_to_three_purchases() -> None:
    model = simulation(num_customers=15, one_visit_each=True)
    assert model.planned is not None
    counts = Counter(purchase.customer_id for purchase in bought(model, model.planned))
    assert set(counts) == set(model.customers.ids)
    assert set(counts.values()) <= {1, 2, 3}
    with pytest.raises(IndexError):
        model.purchase(NOON_MS + 10**9)


def test_the_furthest_corner_of_a_shop_with_one_item_works() -> None:
    one = Wares(["only"], [0], ["Tees"], [1], [-1], [], [[]])
    model = Simulation(one, {}, num_customers=1)
    assert {purchase.item_id for purchase in bought(model, 5)} == {"only"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"num_customers": 0},
        {"max_purchases_per_customer": 0},
        {"p_max": -1},
        {"p_threshold": 1.5},
        {"p_threshold": float("nan")},
        {"burst_every": 0.5},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"Action: "):
        simulation(**wrong)
