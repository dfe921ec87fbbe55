from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from launch import cli
from trendloom.errors import InputError, LogTruncated, StoreUnavailable, TrendloomError

ROOT = Path(__file__).parents[3]


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """Run the command line in this process and return its exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["trendloom", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    said = capsys.readouterr()
    code = caught.value.code
    assert isinstance(code, int)
    return code, said.out, said.err


def test_help_lists_every_command_and_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run(capsys, monkeypatch, "--help")
    assert code == 0
    for name in cli.COMMANDS:
        assert f" {name} " in out
    for exit_code in cli.EXIT_CODES:
        assert f"{exit_code} " in out


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['trendloom', '--help']; from launch import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'faust', 'aiokafka', 'kafka', 'torch', 'pyarrow', 'redis', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = run(capsys, monkeypatch, "--version")
    assert (code, out.split()[0]) == (0, "trendloom")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("Wrong. Action: mend it."), 2),
        (StoreUnavailable("Away. Action: start it."), 3),
        (LogTruncated("Short. Action: rebuild."), 4),
        (TrendloomError("Odd. Action: look."), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_is_one_sentence_and_its_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def broken(name: str) -> None:
        raise error

    monkeypatch.setattr(cli, "load_command", broken)
    found, out, err = run(capsys, monkeypatch, "doctor")
    assert found == code
    assert not out
    assert err.strip() == (f"trendloom: {error}" if str(error) else "")


def test_a_bug_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "load_command", broken)
    monkeypatch.setattr(sys, "argv", ["trendloom", "doctor"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_a_wrong_command_or_setting_exits_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, monkeypatch, "docter")[0] == 2
    monkeypatch.setenv("TRENDLOOM_LISTS__TOP_K", "0")
    code, _, err = run(capsys, monkeypatch, "settings")
    assert code == 2
    assert "lists.top_k" in err


def test_settings_shows_origins_and_hides_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRENDLOOM_KAFKA__SASL_PASSWORD", "s3cret")
    monkeypatch.setenv("TRENDLOOM_REDIS__URL", "redis://u:s3cret@h:1/0")
    code, out, err = run(capsys, monkeypatch, "settings", "--json", "--kafka", "k:1")
    told = json.loads(out)
    assert code == 0
    assert "s3cret" not in out + err
    assert told["kafka.bootstrap"] == {"value": "k:1", "from": "flag"}
    assert told["kafka.sasl_password"] == {"value": "(set, not shown)", "from": "environment"}
    assert told["redis.url"]["value"] == "redis://h:1/0"
    code, out, err = run(capsys, monkeypatch, "settings")
    assert code == 0
    assert "s3cret" not in out + err
