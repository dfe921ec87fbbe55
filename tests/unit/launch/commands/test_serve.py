from __future__ import annotations

import builtins
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from launch.cli import app
from trendloom.errors import CatalogueError, InputError, MissingExtra

ROOT = Path(__file__).parents[4]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["serve", *arguments])


def test_a_port_that_is_taken_is_said() -> None:
    pytest.importorskip("uvicorn", reason="the extra `dashboard` is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = call("--port", str(taken.getsockname()[1]))
    assert isinstance(result.exception, InputError)
    assert "Action: name another --port" in str(result.exception)


def test_a_catalogue_that_is_none_is_said() -> None:
    pytest.importorskip("uvicorn", reason="the extra `dashboard` is not installed")
    assert isinstance(call("--catalogue", "nowhere").exception, CatalogueError)


def test_without_the_extra_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without_uvicorn(name: str, *rest: Any, **named: Any) -> Any:
        if name == "uvicorn":
            raise ModuleNotFoundError(name, name=name)
        return really(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_uvicorn)
    result = call()
    assert isinstance(result.exception, MissingExtra)
    assert "pip install 'trendloom[dashboard]'" in str(result.exception)


@pytest.mark.slow
def test_it_serves_this_machine_until_it_is_interrupted() -> None:
    pytest.importorskip("uvicorn", reason="the extra `dashboard` is not installed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "launch.cli", "serve", "--port", "0"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as served:
        try:
            assert served.stdout is not None
            line = served.stdout.readline()
            found = re.fullmatch(r"2000 garments at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends\)\n", line)
            assert found is not None, line
            connection = http.client.HTTPConnection("127.0.0.1", int(found.group(1)), timeout=20)
            connection.request("GET", "/api/similar?item=dress-4c1acd5c&k=2")
            answer = connection.getresponse()
            assert answer.status == 200
            assert len(json.loads(answer.read())["matches"]) == 2
            connection.close()
            # a body that says that it is too large is refused before it is sent
            connection = http.client.HTTPConnection("127.0.0.1", int(found.group(1)), timeout=20)
            connection.putrequest("POST", "/api/similar")
            connection.putheader("Content-Length", str(10**12))
            connection.endheaders()
            assert connection.getresponse().status == 413
            connection.close()
        finally:
            served.send_signal(signal.SIGINT)
            _, said = served.communicate(timeout=30)
    assert served.returncode == 130, said
    assert "Traceback" not in said
