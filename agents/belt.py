"""The in-memory channel between the agent that applies a batch and the one that scores it.

Faust empties its channels when partitions move: what waits there is fetched again. What lies on this one has changed
the state already, so it has to be scored wherever its partition went; it is never emptied and never held back.
"""

from __future__ import annotations

from typing import Any

from faust.channels import Channel
from mode.utils.queues import FlowControlEvent, ThrowableQueue

__all__ = ["Belt"]


class Belt(Channel[Any]):
    """A Faust channel of bounded length whose queue no rebalance touches."""

    @property
    def queue(self) -> ThrowableQueue[Any]:
        """Return the queue, made when it is first asked for: the event loop runs by then."""
        if self._queue is None:
            always_open = FlowControlEvent(initially_suspended=False)
            self._queue = ThrowableQueue(maxsize=self.maxsize or 0, flow_control=always_open)
        return self._queue

    async def send(self, *, value: Any = None, **_: Any) -> Any:
        """Lay a value on the belt as it is: an event that carried it would be skipped while partitions move."""
        await self.put(value)
