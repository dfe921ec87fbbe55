"""Is the code in the documents true? Commands and options that exist, names that can be imported."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from launch.cli import COMMANDS, load_command

ROOT = Path(__file__).parents[2]
MARKDOWN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "examples" / "README.md"]
OURS = (
    "launch",
    "agents",
    "producers",
    "dashboard",
    "evaluation",
    "finder",
    "webpage",
    "trendloom",
    "models",
    "config",
)


def blocks(path: Path, *kinds: str) -> list[str]:
    found = re.findall(
        rf"^```({'|'.join(kinds)})\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [block for _, block in found]


def commands(path: Path) -> list[list[str]]:
    """The words of each call of trendloom in the shell blocks of a page."""
    text = "\n".join(blocks(path, "bash", "console", "sh")).replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        words = shlex.split(line, comments=True) if "trendloom" in line else []
        names = [place for place, word in enumerate(words) if word.rpartition("/")[2] == "trendloom"]
        if names:
            found.append(words[names[0] + 1 :])
    return found


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help"
    }


@pytest.mark.parametrize("document", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_exist(document: Path) -> None:
    for words in commands(document):
        rest = words
        if not rest or rest[0] not in COMMANDS:
            assert rest[:1] in ([], ["--help"], ["--version"], ["COMMAND"]), words
            continue
        command = load_command(rest[0])
        rest = rest[1:]
        while hasattr(command, "commands") and rest and rest[0] in command.commands:
            command, rest = command.commands[rest[0]], rest[1:]
        asked = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert asked <= options(command), " ".join(words)


@pytest.mark.parametrize("document", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_imports_what_there_is(document: Path) -> None:
    for block in blocks(document, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
                module = importlib.import_module(node.module)
                assert [one.name for one in node.names if not hasattr(module, one.name)] == [], node.module
