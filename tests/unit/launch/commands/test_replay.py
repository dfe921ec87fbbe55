from pathlib import Path

import pytest
from typer.testing import CliRunner

from launch.cli import app
from trendloom.errors import LogFormatError, SettingsError, TrendloomError

LOG = "customer_id,item_id,occurred_at\nc,i,2020-09-18T10:00:00Z\n"


def call(*arguments: str) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(app, ["replay", *arguments])
    return result.exit_code, result.output, result.exception


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(LOG)
    return str(tmp_path / "log.csv")


def test_its_help_names_units_and_defaults() -> None:
    status, said, _ = call("--help")
    assert status == 0
    for flag in ("--preset", "--map", "--speed", "--from", "--to", "--resume", "--seed", "--headless", "--report"):
        assert flag in said
    assert "[default: max]" in said


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["--speed", "fast"], SettingsError, "--speed"),
        (["--preset", "h&m"], LogFormatError, "log preset"),
        (["--map", "item=sku"], LogFormatError, "no field"),
        (["--map", "item_id=sku"], LogFormatError, "no column sku"),
        (["--from", "soon"], LogFormatError, "soon"),
        (["--resume"], SettingsError, "needs --kafka"),
        (["--kafka", "127.0.0.1:1", "--report", "r.json"], SettingsError, "--with-worker"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    log: str, arguments: list[str], error: type[TrendloomError], says: str
) -> None:
    status, _, raised = call(log, *arguments)
    assert status == 1
    assert isinstance(raised, error)
    assert says in str(raised)
    assert "Action: " in str(raised)
