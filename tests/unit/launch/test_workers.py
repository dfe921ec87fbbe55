from __future__ import annotations

from pathlib import Path

import pytest

from config.loading import load_settings
from config.settings import Settings
from launch.processes import Processes, ProgramFailed
from launch.workers import Workers, environment_of


def test_another_process_gets_exactly_our_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted = load_settings(
        overrides={
            "kafka.bootstrap": "a:1,b:2",
            "kafka.sasl_password": "not told",
            "lists.top_k": 7,
            "lists.exclude_other_views": False,
            "state.slow_half_life_s": 98765.5,
            "redis.key_prefix": "x.y",
        }
    ).settings
    for name, value in environment_of(wanted).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert load_settings().settings == wanted


def test_a_worker_that_ends_by_itself_is_told_with_its_last_words() -> None:
    settings = Settings()
    broken = settings.model_copy(update={"lists": settings.lists.model_copy(update={"preset": "no-such-preset"})})
    with Processes() as processes:
        crew = Workers(processes, broken)
        crew.start()
        with pytest.raises(ProgramFailed, match=r"(?s)worker-0 ended by itself.*Action:"):
            crew.wait_until_ready(50.0)
