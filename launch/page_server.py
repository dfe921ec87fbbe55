"""Serves the page of a run from a thread, on loopback; on another port if the wished one is taken.

Needs the extra ``dashboard``. Read next: :mod:`dashboard.page`, which is the page.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dashboard.feed import Feed
from trendloom.catalogue.garment import Catalogue
from trendloom.errors import MissingExtra, OutsideUnavailable

__all__ = ["serve_page"]

_START_S = 10.0


@contextmanager
def serve_page(feed: Feed, catalogue: Catalogue, *, host: str, port: int) -> Iterator[str]:
    """Serve the page while the block runs, and yield its address.

    Raises :class:`MissingExtra` if the extra ``dashboard`` is not installed.
    """
    try:
        import uvicorn

        from dashboard.page import build_page
    except ImportError:
        raise MissingExtra("The page needs FastAPI and uvicorn. Action: pip install 'trendloom[dashboard]'.") from None
    listening = _listen(host, port)
    config = uvicorn.Config(
        build_page(feed, catalogue), log_level="warning", access_log=False, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="page", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + _START_S
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise OutsideUnavailable("The page does not start. Action: run with --no-page.")
            time.sleep(0.01)
        yield f"http://{host}:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        server.force_exit = True  # a browser that keeps its connection does not keep the demo
        thread.join(5.0)
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    """Return a bound socket: on the wished port, or on a free one where that is taken."""
    for wished in (port, 0):
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, wished))
        except OSError:
            bound.close()
        else:
            return bound
    raise OutsideUnavailable(f"Nothing can listen on {host}. Action: correct dashboard.host, or run with --no-page.")
