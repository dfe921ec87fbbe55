from __future__ import annotations

import builtins
import http.client
import json
import socket
from typing import Any

import numpy as np
import pytest

from dashboard.feed import Feed
from launch.page_server import serve_page
from trendloom.catalogue.synthetic import random_catalogue
from trendloom.errors import MissingExtra

_CATALOGUE = random_catalogue(20, np.random.default_rng(1))


def _health(address: str) -> dict[str, str]:
    connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=10)
    try:
        connection.request("GET", "/health")
        found: dict[str, str] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return found


def test_the_page_is_served_while_the_block_runs_and_moves_where_the_port_is_taken() -> None:
    pytest.importorskip("uvicorn")
    feed = Feed(clock_s=lambda: 1.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serve_page(feed, _CATALOGUE, host="127.0.0.1", port=port) as address:
            assert f":{port}/" not in address
            assert _health(address) == {"status": "starting"}
    with pytest.raises(OSError, match="refused"):
        _health(address)


def test_without_the_extra_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without_uvicorn(name: str, *rest: Any, **named: Any) -> Any:
        if name == "uvicorn":
            raise ImportError(name)
        return really(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_uvicorn)
    feed = Feed(clock_s=lambda: 1.0)
    with (
        pytest.raises(MissingExtra, match=r"Action: pip install 'trendloom\[dashboard\]'"),
        serve_page(feed, _CATALOGUE, host="127.0.0.1", port=0),
    ):
        pass
