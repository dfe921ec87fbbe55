"""Worker processes of a run: started with the settings of the run, asked how they are, drained at the end.

Each is the ordinary ``trendloom worker`` command in a process of its own. Read next: :mod:`launch.run`.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from config.settings import Settings
from launch.processes import Process, Processes, ProgramFailed
from launch.readiness import free_port
from trendloom.errors import TrendloomError

__all__ = ["Workers", "environment_of"]

_ENVIRONMENT = "TRENDLOOM_"
_READY_S = 60.0
_STEP_S = 0.05


class Workers:
    """The workers of a run. ``settings`` are handed to each through its environment, secrets included."""

    def __init__(self, processes: Processes, settings: Settings, *, drain_timeout_s: float = 30.0) -> None:
        self._processes = processes
        self._settings = settings
        self._drain_timeout_s = drain_timeout_s
        #: Running workers by number, with the port of each one's health endpoint.
        self.running: dict[int, tuple[Process, int]] = {}
        self._started = 0

    def start(self) -> int:
        """Start one more worker and return its number; it is not ready yet."""
        number, port = self._started, free_port()
        self._started += 1
        argv = [sys.executable, "-P", "-m", "launch.cli", "worker", "--health-port", str(port)]
        process = self._processes.start(f"worker-{number}", argv, environment_of(self._settings), Path.cwd())
        self.running[number] = (process, port)
        return number

    def wait_until_ready(self, timeout_s: float = _READY_S) -> None:
        """Return once every worker says that it is ready; raises :class:`ProgramFailed` with a worker's last words."""
        deadline = time.monotonic() + timeout_s
        waiting = set(self.running)
        while waiting:
            self.raise_if_ended()
            waiting = {number for number in waiting if self.health(number).get("status") != "ready"}
            if waiting and time.monotonic() > deadline:
                process, _ = self.running[min(waiting)]
                raise ProgramFailed(
                    f"{process.name} is not ready after {timeout_s:g} s:\n{process.tail()}\nAction: see above."
                )
            time.sleep(_STEP_S if waiting else 0.0)

    def health(self, number: int) -> dict[str, Any]:
        """Return what a worker's health endpoint says; empty while it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.running[number][1], timeout=2.0)
        try:
            connection.request("GET", "/health")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return {}
        else:
            return found
        finally:
            connection.close()

    def raise_if_ended(self) -> None:
        """Raise :class:`ProgramFailed`, with its last words, if a worker ended by itself."""
        for process, _ in self.running.values():
            status = process.status()
            if status is not None:
                raise _ended(process, status)

    def drain(self) -> list[int]:
        """Ask every worker to finish what is in flight and end (SIGTERM); return their exit statuses."""
        statuses = [process.stop(self._drain_timeout_s) for process, _ in self.running.values()]
        self.running.clear()
        return statuses


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment variables that give another process of ours exactly these settings.

    >>> environment_of(Settings())["TRENDLOOM_LISTS__TOP_K"]
    '10'
    """
    found: dict[str, str] = {}
    for group, fields in settings:
        for name, value in fields if isinstance(fields, BaseModel) else ():
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            found[f"{_ENVIRONMENT}{group}__{name}".upper()] = _text(plain)
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _ended(process: Process, status: int) -> TrendloomError:
    return ProgramFailed(
        f"{process.name} ended by itself (status {status}):\n{process.tail()}\nAction: see its words above."
    )
