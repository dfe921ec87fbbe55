"""Purchases for load tests: Zipf-distributed customers and items, drawn as columns; their bytes, JSON from a template.

No pydantic model is made for a purchase; the bytes are those that :func:`trendloom.events.encode` would give, and a
test holds them to it. Nothing here knows Kafka. Read next: ``producers/load_batches.py``.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from trendloom.errors import SettingsError
from trendloom.events import SENT_AT_HEADER
from trendloom.partitions import partitions_of

__all__ = ["CUSTOMER_PREFIX", "Drawn", "LoadRecord", "LoadRecords", "ZipfRanks", "drawn_customers"]

Ints = npt.NDArray[np.int64]

#: Customers are ``customer-0000000`` and so on: 16 characters up to ten million of them.
CUSTOMER_PREFIX = b"customer-"
_CUSTOMER_DIGITS = 7
_FIXED = len("xxxxxxxx-xxxx-xxxx-xxxx-")  # of an event id, this much names the run; the other 12 digits count

#: (key, value, intended send time in ms, headers).
LoadRecord = tuple[bytes, bytes, int, list[tuple[str, bytes]]]


class Drawn(NamedTuple):
    """Purchases of one partition, in order: their numbers in the run, customers, items, intended times (N,)."""

    numbers: Ints
    customers: Ints
    items: Ints
    intended_ms: Ints


class ZipfRanks:
    """Draws numbers 0 .. n - 1; the r-th most frequent of them comes with a probability ∝ 1 / r^exponent.

    Which number has which rank is drawn too, so the frequent ones lie anywhere. ``exponent`` 0 is uniform.

    >>> ranks = ZipfRanks(1000, 1.0, np.random.default_rng(5))
    >>> drawn = np.bincount(ranks.draw(10_000), minlength=1000)
    >>> len(drawn), bool(drawn.max() > 1000)  # the first has about 1 / (ln 1000 + .58) = 13 %
    (1000, True)
    """

    def __init__(self, number: int, exponent: float, rng: np.random.Generator) -> None:
        if number < 1 or exponent < 0.0:
            raise SettingsError(
                f"{number} with Zipf exponent {exponent:g} cannot be drawn. Action: give at least 1, exponent >= 0."
            )
        cumulative = np.cumsum(np.arange(1, number + 1, dtype=np.float64) ** -exponent)
        self._cumulative = cumulative / cumulative[-1]
        self._number_of_rank = rng.permutation(number)
        self._rng = rng

    def draw(self, count: int) -> npt.NDArray[np.int64]:
        """Return the next ``count`` numbers; however they are cut into draws, the sequence is the same."""
        ranks = np.searchsorted(self._cumulative, self._rng.random(count), side="right")
        found: npt.NDArray[np.int64] = self._number_of_rank[ranks]
        return found


def drawn_customers(count: int, *, customers: int, exponent: float, seed: int) -> npt.NDArray[np.int64]:
    """Return whose the first ``count`` purchases of a run are, by number, without making them.

    >>> made = LoadRecords(["tee"], customers=3, exponent=1.0, seed=1, run=uuid.UUID(int=0), partitions=1)
    >>> [drawn] = made.draw(0, np.array([1_600_000_000_000]))
    >>> drawn.customers.tolist() == drawn_customers(1, customers=3, exponent=1.0, seed=1).tolist()
    True
    """
    return _customer_ranks(customers, exponent, seed).draw(count)


def _customer_ranks(customers: int, exponent: float, seed: int) -> ZipfRanks:
    return ZipfRanks(customers, exponent, np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[0]))


class LoadRecords:
    """Makes the records of a run, number 0, 1, 2 ...; the same seed buys the same things in the same order.

    The event id of purchase n is the run's first 24 characters and n in twelve hexadecimal digits, so a consumer
    reads n out of any list. ``item_ids`` are what is for sale; ``run`` must be another one each time, or the state
    takes the purchases for repetitions.

    >>> records = LoadRecords(["tee"], customers=3, exponent=1.0, seed=1, run=uuid.UUID(int=0), partitions=2)
    >>> drawn = records.draw(0, np.array([1_600_000_000_000] * 4))
    >>> sum(len(records.encode(some)) for some in drawn), len(drawn)
    (4, 2)
    """

    def __init__(
        self,
        item_ids: Sequence[str],
        *,
        customers: int,
        exponent: float,
        seed: int,
        run: uuid.UUID,
        partitions: int,
    ) -> None:
        item_seed = np.random.SeedSequence(seed).spawn(2)[1]
        self._customers = _customer_ranks(customers, exponent, seed)
        self._items = ZipfRanks(len(item_ids), exponent, np.random.default_rng(item_seed))
        #: The items' ids as JSON, by number.
        self.item_json = [orjson.dumps(item_id) for item_id in item_ids]
        digits = max(_CUSTOMER_DIGITS, len(str(customers - 1)))
        #: How many digits follow :data:`CUSTOMER_PREFIX` in a customer's id.
        self.customer_digits = digits
        #: The 24 characters that all event ids of the run begin with.
        self.run = str(run)[:_FIXED].encode()
        self._partitions = partitions
        self._partition_of = partitions_of(_customer_keys(customers, digits), partitions)
        #: What stands before, between and after a purchase's number, customer, item and time.
        self.texts = (
            b'{"schema_version":1,"event_id":"' + self.run,
            b'","customer_id":"',
            b'","item_id":',
            b',"occurred_at":',
            b',"quantity":1,"price":null,"store_id":null,"variant_id":null,"source":"synthetic"}',
        )

    def draw(self, first: int, intended_ms: Ints) -> list[Drawn]:
        """Draw the purchases numbered from ``first`` on, one for each intended time, by partition and in order.

        They have to be asked for in order of their numbers: the draws go on where they ended.
        """
        count = len(intended_ms)
        customers, items = self._customers.draw(count), self._items.draw(count)
        partition = self._partition_of[customers]
        order = np.argsort(partition, kind="stable")
        ends = np.searchsorted(partition[order], np.arange(1, self._partitions + 1)).tolist()
        columns = (order + first, customers[order], items[order], intended_ms[order])
        return [Drawn(*(column[start:end] for column in columns)) for start, end in zip([0, *ends], ends, strict=False)]

    def encode(self, drawn: Drawn) -> list[LoadRecord]:
        """Return the records of purchases that were drawn."""
        before, customer_id, item_id, occurred_at, after = self.texts
        key_of, item_json = CUSTOMER_PREFIX + b"%%0%dd" % self.customer_digits, self.item_json
        value = before + b"%012x" + customer_id + b"%b" + item_id + b"%b" + occurred_at + b"%d" + after
        headers = {ms: [(SENT_AT_HEADER, b"%d" % ms)] for ms in np.unique(drawn.intended_ms).tolist()}
        records: list[LoadRecord] = []
        for number, customer, item, ms in zip(*(column.tolist() for column in drawn), strict=True):
            key = key_of % customer
            records.append((key, value % (number, key, item_json[item], ms), ms, headers[ms]))
        return records


def _customer_keys(customers: int, digits: int) -> npt.NDArray[np.uint8]:
    keys = np.empty((customers, len(CUSTOMER_PREFIX) + digits), np.uint8)
    keys[:, : len(CUSTOMER_PREFIX)] = np.frombuffer(CUSTOMER_PREFIX, np.uint8)
    left = np.arange(customers)
    for place in range(digits):
        left, digit = np.divmod(left, 10)
        keys[:, -1 - place] = digit + ord("0")
    return keys
