"""Runs a worker until a signal or a fault: SIGTERM and SIGINT finish and commit what is in flight, a fault is raised.

A fault of ours must end the process, so that the log is read again from what was committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys

from agents.app import Worker

__all__ = ["run_worker"]

log = logging.getLogger(__name__)

#: Seconds after which a thread that computes lets another one go on. The client fetches in a thread of its own: with
#: Python's 5 ms each purchase waits for lists of others. With .1 ms both threads do little but change places.
_SWITCH_S = 0.0005


async def run_worker(worker: Worker, *, drain_timeout_s: float) -> None:
    """Start the app and return after a signal and a drain; raise whatever crashed it."""
    app = worker.app
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    try:
        sys.setswitchinterval(_SWITCH_S)
        await app.start()
        gc.collect()
        gc.freeze()  # catalogue, copies and app live as long as the worker: no collection has to look through them
        await _until(asked, worker)
        if not app.crashed and not await worker.drain(drain_timeout_s):
            log.warning(
                "Not all was finished in %g s; it will be delivered again, and changes nothing", drain_timeout_s
            )
    finally:
        reason = app.crash_reason if app.crashed else None
        with contextlib.suppress(asyncio.CancelledError):
            await app.stop()
        if reason is not None:
            raise reason


async def _until(asked: asyncio.Event, worker: Worker) -> None:
    """Wait for the signal or for a crash, whichever comes first."""
    signalled = asyncio.ensure_future(asked.wait())
    ended = asyncio.ensure_future(worker.app.wait_until_stopped())
    crashed = asyncio.ensure_future(worker.app._crashed.wait())  # noqa: SLF001 - mode has no public event for it
    waiting = {signalled, ended, crashed}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
