import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.state.customer import (
    ENTRY_BYTES,
    NO_ITEM,
    Customer,
    padded_entries,
    store_hash,
    trendiness,
)

_entries = st.lists(
    st.tuples(
        st.integers(0, 2**32 - 2),
        st.integers(0, 2**32 - 1),
        st.floats(0, 1, width=32),
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**32 - 1),
    ),
    max_size=30,
)
Entry = tuple[int, int, float, int, int]


def customer_of(bought: list[Entry], *, history_length: int) -> Customer:
    customer = Customer()
    for item, at_s, percentile, event, store in bought:
        customer.buy(item, at_s * 1000 + 999, percentile, event, store, history_length=history_length)
    return customer


@given(bought=_entries, history_length=st.integers(1, 25))
def test_a_record_comes_back_as_it_was_and_holds_the_last_purchases_only(
    bought: list[Entry], history_length: int
) -> None:
    customer = customer_of(bought, history_length=history_length)
    assert Customer.unpack(customer.pack()) == customer
    assert customer.entries() == bought[-history_length:]
    assert customer.number == len(bought)
    assert customer.percentile_sum == pytest.approx(sum(entry[2] for entry in bought), abs=1e-12)
    assert len(customer.pack()) == 16 + 24 * min(len(bought), history_length)


@given(bought=_entries, history_length=st.integers(1, 25), number=st.integers(0, 40))
def test_the_history_as_it_was_at_an_earlier_purchase(bought: list[Entry], history_length: int, number: int) -> None:
    customer = customer_of(bought, history_length=history_length)
    remembered = list(enumerate(bought, start=1))[-history_length:]
    wanted = customer_of([entry for at, entry in remembered if at <= number], history_length=history_length)
    assert customer.tail_until(number) == wanted.tail


def test_the_purchase_number_lies_in_the_first_eight_bytes_where_the_scripts_read_it() -> None:
    customer = Customer(number=258, percentile_sum=0.5)
    assert customer.pack()[:8] == (258).to_bytes(8, "little")


def test_times_before_1970_are_kept_as_0() -> None:
    customer = Customer()
    customer.buy(1, -5, 0.5, 1, 0, history_length=2)
    assert customer.entries()[0][1] == 0


def test_a_store_never_looks_like_no_store() -> None:
    assert store_hash("") == 1  # its CRC is 0
    assert store_hash(None) == 0


@given(
    number=st.integers(0, 1000),
    share=st.floats(0, 1),
    prior_mean=st.floats(0, 1),
    prior_weight=st.floats(0, 100),
)
def test_trendiness_lies_between_the_prior_and_the_customers_own_mean(
    number: int, share: float, prior_mean: float, prior_weight: float
) -> None:
    value = trendiness(number, number * share, prior_mean=prior_mean, prior_weight=prior_weight)
    own = share if number else prior_mean
    assert min(own, prior_mean) - 1e-9 <= value <= max(own, prior_mean) + 1e-9


def test_a_prior_without_weight_leaves_the_mean() -> None:
    assert trendiness(4, 3.0, prior_mean=0.1, prior_weight=0.0) == 0.75
    assert trendiness(0, 0.0, prior_mean=0.1, prior_weight=0.0) == 0.1


def test_histories_of_one_length_newest_first() -> None:
    three = customer_of([(n, n, 0.0, n, 0) for n in (1, 2, 3)], history_length=3)
    one = customer_of([(9, 9, 0.0, 9, 0)], history_length=3)
    assert len(three.tail) == 3 * ENTRY_BYTES
    found = padded_entries([three.tail, one.tail, b""], 3)
    assert found["item"].tolist() == [[3, 2, 1], [9, NO_ITEM, NO_ITEM], [NO_ITEM] * 3]
    assert found["at_s"].tolist() == [[3, 2, 1], [9, 0, 0], [0, 0, 0]]


@given(
    events=st.lists(st.integers(0, 2**64 - 1), max_size=6),
    asked=st.integers(0, 2**64 - 1),
    item=st.integers(0, 2**32 - 2),
    at_s=st.integers(0, 2**32 - 1),
)
def test_an_event_is_known_while_it_is_in_the_history_and_nothing_else_is(
    events: list[int], asked: int, item: int, at_s: int
) -> None:
    """Bytes of other fields that happen to read like an event are not taken for one."""
    customer = Customer()
    for event in events:
        customer.buy(item, at_s * 1000, 0.5, event, 7, history_length=4)
    kept = [entry[3] for entry in customer.entries()]
    like_fields = item | at_s << 32
    for event in [*events, asked, like_fields, 0]:
        assert customer.knows(event) == (event in kept)
    assert customer.bought() == [entry[:2] for entry in customer.entries()]
