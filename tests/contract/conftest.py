"""Where a state may lie: one place for each kind of store, so that one suite runs over all of them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from trendloom.state.in_process import InProcessStore
from trendloom.state.on_redis import connect
from trendloom.state.on_redis_items import FoldingPace
from trendloom.state.store import Store

_serial = itertools.count()


@dataclass
class Place:
    """A state, to be opened by any number of workers; ``elsewhere`` is an empty one beside it."""

    kind: str
    url: str = ""
    prefix: str = "tl"
    shared: InProcessStore = field(default_factory=InProcessStore)

    def elsewhere(self) -> Place:
        return Place(self.kind, self.url, f"t{next(_serial)}")

    @contextlib.asynccontextmanager
    async def worker(self, pace: FoldingPace | None = None) -> AsyncIterator[Store]:
        """A worker's own connection to this state."""
        if not self.url:
            yield self.shared
            return
        cluster = self.kind == "cluster"
        store = connect(self.url, prefix=self.prefix, cluster=cluster, retry_budget_s=5.0, pace=pace)
        try:
            yield store
        finally:
            await store.close()


@pytest.fixture(
    params=[
        "in_process",
        pytest.param("valkey", marks=pytest.mark.redis),
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("cluster", marks=[pytest.mark.redis, pytest.mark.slow]),
    ]
)
def place(request: pytest.FixtureRequest) -> Place:
    """An empty state, in turn of every kind."""
    kind: str = request.param
    if kind == "in_process":
        return Place(kind)
    if kind == "cluster":
        nodes: list[str] = request.getfixturevalue("redis_cluster")
        return Place(kind, nodes[0]).elsewhere()
    url: str = request.getfixturevalue("embedded_valkey" if kind == "valkey" else "redis_server")
    return Place(kind, url).elsewhere()
