import importlib.util
import re
from pathlib import Path

import pytest

from benchmarks.contenders.registry import CONTENDERS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", [name for name in CONTENDERS if name != "ours"])
def test_every_contender_has_its_file_and_says_there_what_was_swept(name: str) -> None:
    contender = CONTENDERS[name]
    module = next(word for word in contender.module if word.startswith("benchmarks.")).partition(":")[0]
    text = (ROOT / Path(*module.split("."))).with_suffix(".py").read_text()
    described = text.split('"""')[1]
    assert "Swept:" in described
    defaults = re.search(r"^KNOBS = \{(.*?)\}", text, re.MULTILINE)
    assert defaults is not None
    for knobs in contender.sweep:
        for knob in knobs:
            assert f'"{knob}"' in defaults.group(1)
            assert knob in described


def test_ours_is_the_command_that_people_run() -> None:
    assert CONTENDERS["ours"].module[:2] == ("launch.cli", "worker")
    assert importlib.util.find_spec("launch.cli") is not None


def test_peers_have_exact_versions() -> None:
    lines = (ROOT / "benchmarks" / "requirements-peers.txt").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line) for line in packages)
    assert {"quixstreams", "bytewax"} <= {line.partition("==")[0] for line in packages}
