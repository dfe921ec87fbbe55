"""The live path as a contestant: records are decoded, applied to a state, scored and learnt as by a worker.

The store is the one in this process; everything else (decoding, fold, copy of the items, relevance) is the worker's own
code, :mod:`trendloom.refresh.refresher`. Only Kafka and Redis are missing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import orjson

from evaluation.contestant import Ground, Purchases
from trendloom.collaborative.model import CollaborativeModel
from trendloom.errors import InputError
from trendloom.events import SCHEMA_VERSION, PurchaseRecord, decode_purchases
from trendloom.refresh import Applied, Refresher
from trendloom.refresh.scorer import ListRules
from trendloom.relevance.presets import Preset
from trendloom.state.columns import Arrivals
from trendloom.state.in_process import InProcessStore
from trendloom.state.rules import StateRules
from trendloom.state.store import Partition

__all__ = ["Live"]

Ints = npt.NDArray[np.int64]
#: Lists are made this long; shorter ones are their beginnings.
_MOST = 12


@dataclass(eq=False)
class _Underway:
    """A batch that was asked about: what of it is written (all that was asked), and not yet learnt."""

    keys: Ints
    applied: list[Applied] = field(default_factory=list)


class Live:
    """Lists of a preset as a worker makes them, from batch to batch; it must be closed, for it owns an event loop.

    Raises InputError without a catalogue. With ``compiled`` the kernels that need numba are used, as in a worker.
    """

    def __init__(self, name: str, ground: Ground, preset: Preset, *, compiled: bool = False) -> None:
        if ground.catalogue is None:
            raise InputError(f"Model {name!r} needs to know the items. Action: name a catalogue, or leave it out.")
        self.name = name
        self._ground = ground
        self._loop = asyncio.new_event_loop()  # a Runner writes out each result when it restores its signal handler
        self._partition = Partition("purchases", 0)
        self._offset = 0
        self._waiting: deque[_Underway] = deque()
        store = InProcessStore(compiled=compiled)
        state_rules = ground.rules
        self._refresher = Refresher(
            store,
            ground.catalogue,
            state_rules=state_rules,
            list_rules=ListRules(preset, top_k=_MOST),
            stores={},
            worker=name,
            follow_every_s=float("inf"),
            monotonic=lambda: 0.0,  # snapshots are due after so many purchases, whatever this machine is doing
            compiled=compiled,
        )
        self._loop.run_until_complete(self._open(store, state_rules))

    async def _open(self, store: InProcessStore, rules: StateRules) -> None:
        await store.open(rules, 0)
        await store.number_items(self._ground.item_ids)  # the ground's numbers, so that ties are broken at random
        await self._refresher.open(0)
        await self._refresher.assigned(self._partition)

    def take_model(self, model: CollaborativeModel) -> None:
        """Let a trained model make the part `trained` from now on, as a worker would that is started with it."""
        self._loop.run_until_complete(self._refresher.take_model(model))

    def close(self) -> None:
        """Let go of the event loop."""
        self._loop.close()

    def after(self, batch: Purchases, k: int) -> Ints:
        """Write the purchases as a worker would and return their lists, from the items as they were learnt."""
        applied = self._loop.run_until_complete(self._begin(batch))
        self._waiting.append(_Underway(self._keys(batch), [applied]))
        return self._refresher.score(applied).items[:, :k].astype(np.int64)

    def before(self, customer: Ints, at_ms: Ints, k: int) -> Ints:
        """Return what the live path shows customers who come back, or come for the first time."""
        names = [self.name_of(one) for one in customer.tolist()]
        top = self._loop.run_until_complete(self._refresher.next_baskets(names, at_ms, k=k))
        return top.items.astype(np.int64)

    def name_of(self, customer: int) -> str:
        """Return the id under which the stream knows a customer."""
        names = self._ground.customer_ids
        return names[customer] if names else f"customer-{customer}"

    def learn(self, batch: Purchases) -> None:
        """Let the copy of the items catch up with the batch, and write what was not asked about."""
        keys = self._keys(batch)
        asked = np.zeros(keys.size, np.bool_)
        underway: list[Applied] = []
        if self._waiting and np.isin(self._waiting[0].keys, keys).all():
            first = self._waiting.popleft()
            asked = np.isin(keys, first.keys)
            underway = first.applied
        if not asked.all():
            underway.append(self._loop.run_until_complete(self._begin(batch.part(~asked))))
        for applied in underway:
            self._refresher.settle(applied)

    def _keys(self, batch: Purchases) -> Ints:
        """Return numbers (B,) that tell the purchases of a day apart: each item of a customer's day comes once."""
        return batch.customer * self._ground.n_items + batch.item

    async def _begin(self, batch: Purchases) -> Applied:
        records = [
            record
            for record in decode_purchases(self._encoded(batch), int(batch.at_ms[-1]))
            if isinstance(record, PurchaseRecord)
        ]
        numbers = await self._refresher.number([record.item_id for record in records])
        offsets = range(self._offset, self._offset + len(records))
        self._offset += len(records)
        return await self._refresher.apply(
            self._partition,
            Arrivals(offsets, records, numbers),
            first_offset=offsets.start,
            last_offset=offsets.stop - 1,
        )

    def _encoded(self, batch: Purchases) -> list[bytes]:
        """Return the records that a replay would send."""
        items = self._ground.item_ids
        columns = (batch.customer.tolist(), batch.item.tolist(), batch.at_ms.tolist(), batch.price.tolist())
        return [
            orjson.dumps(
                {
                    "schema_version": SCHEMA_VERSION,
                    "event_id": str(uuid.UUID(int=self._offset + place + 1)),
                    "customer_id": self.name_of(customer),
                    "item_id": items[item],
                    "occurred_at": at_ms,
                    "price": None if price != price else price,  # noqa: PLR0124 - NaN is not itself
                    "source": "replay",
                }
            )
            for place, (customer, item, at_ms, price) in enumerate(zip(*columns, strict=True))
        ]
