from __future__ import annotations

import pytest

from launch import build_progress
from launch.build_progress import Pace, show_progress

STAGES = {"embed": "looking at photos"}


def test_what_an_earlier_build_has_done_is_no_pace() -> None:
    now_s = [5.0]
    pace = Pace(clock=lambda: now_s[0])
    assert pace.tell(4_000, 5_000) == "4,000 of 5,000"
    now_s[0] = 15.0
    assert pace.tell(4_500, 5_000) == "4,500 of 5,000, 50.0/s, 10 s left"
    now_s[0] = 25.0
    assert pace.tell(5_000, 5_000) == "5,000 of 5,000, 50.0/s"


def test_without_a_terminal_it_says_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(build_progress, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(Pace.__init__, "__defaults__", (lambda: now_s[0],))
    with show_progress(STAGES, quiet=False) as tell:
        for done in range(0, 251, 10):
            now_s[0] = done / 10
            tell("embed", done, 250)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "looking at photos: 100 of 250, 10.0/s, 15 s left",
        "looking at photos: 200 of 250, 10.0/s, 5 s left",
    ]


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(STAGES, quiet=True) as tell:
        tell("embed", 1, 2)
    assert capsys.readouterr() == ("", "")
