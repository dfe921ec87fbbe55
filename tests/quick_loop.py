"""An event loop in which nobody waits for a timer: for tests of what is to happen later."""

from __future__ import annotations

import asyncio
import selectors

__all__ = ["QuickLoop"]


class _Impatient(selectors.DefaultSelector):
    ahead_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.ahead_s += max(timeout or 0.0, 0.0)
        return super().select(0 if timeout else timeout)


class QuickLoop(asyncio.SelectorEventLoop):
    """Whoever sleeps wakes at once, and the clock says that the time has passed; no other time passes."""

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.ahead_s
