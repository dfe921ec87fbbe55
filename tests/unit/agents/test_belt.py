from __future__ import annotations

import asyncio

import faust

from agents.belt import Belt


def test_what_lies_on_the_belt_outlives_a_rebalance() -> None:
    """Faust suspends and empties its own channels when partitions are revoked."""

    async def check() -> None:
        app = faust.App("belt", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False, origin=None)
        belt, stock = Belt(app, maxsize=2), app.channel(maxsize=2)
        ours, theirs = belt.clone(is_iterator=True), stock.clone(is_iterator=True)
        app.flow_control.resume()
        await belt.send(value="applied")
        await stock.send(value="applied")
        app.flow_control.suspend()
        app.flow_control.clear()
        assert theirs.queue.qsize() == 0
        await asyncio.wait_for(belt.send(value="applied meanwhile"), timeout=5)
        app.flow_control.resume()
        assert [await ours.queue.get() for _ in range(2)] == ["applied", "applied meanwhile"]

    asyncio.run(check())
