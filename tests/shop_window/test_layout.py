"""Is the tree what it says it is? Packages, folders, import layers, and nothing of the machine it was made on."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PYPROJECT["tool"]["setuptools"]["packages"]
TOP_LEVEL = sorted(name for name in PACKAGES if "." not in name)
SKIPPED = {"tests", "benchmarks", "examples", "docs", "var", "build", "dist"}


def tracked_files() -> list[Path]:
    """Files that git knows or would take; a checkout without git has nothing to check."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    return [path for path in (ROOT / line for line in listed.stdout.splitlines()) if path.is_file()]


def modules() -> list[str]:
    found = []
    for package in TOP_LEVEL:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(found)


def declared_all(module: str) -> tuple[list[str] | None, set[str], ast.Module]:
    """Return ``__all__`` and the public names that the module itself defines, read without importing it."""
    path = ROOT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    listed: list[str] | None = None
    defined: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in (inner for outer in targets for inner in ast.walk(outer)):
                if isinstance(target, ast.Name):
                    defined.add(target.id)
                    if target.id == "__all__" and node.value is not None:
                        listed = ast.literal_eval(node.value)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            defined |= {(name.asname or name.name).split(".")[0] for name in node.names}
    return listed, defined, tree


def test_packages_are_the_folders() -> None:
    folders = set()
    for init in ROOT.rglob("__init__.py"):
        parts = init.parent.relative_to(ROOT).parts
        if parts and parts[0] not in SKIPPED and not parts[0].startswith("."):
            folders.add(".".join(parts))
    assert sorted(PACKAGES) == sorted(folders)


def test_the_import_layers_are_the_packages() -> None:
    linter = PYPROJECT["tool"]["importlinter"]
    assert sorted(linter["root_packages"]) == TOP_LEVEL
    one_direction, inside = linter["contracts"][:2]

    def names(layers: list[str]) -> set[str]:
        return {name.strip("() ") for layer in layers for name in layer.split("|")}

    assert sorted(names(one_direction["layers"])) == TOP_LEVEL
    rooms = {path.stem for path in (ROOT / "trendloom").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__"} == names(inside["layers"])


def test_pytest_runs_doctests_and_refuses_unknown_marks() -> None:
    """Without these options the suite still passes, with fewer tests and misspelt marks: nobody would notice."""
    options = PYPROJECT["tool"]["pytest"]["ini_options"]
    assert {"--import-mode=importlib", "--strict-markers", "--strict-config", "--doctest-modules"} <= set(
        options.get("addopts", [])
    )
    assert options["filterwarnings"][0] == "error"
    assert {"tests", *TOP_LEVEL} == set(options["testpaths"])


@pytest.mark.parametrize("package", TOP_LEVEL)
def test_a_generic_name_is_our_package(package: str) -> None:
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found).is_relative_to(ROOT)


@pytest.mark.parametrize("module", modules())
def test_a_module_says_what_it_is_and_what_it_gives(module: str) -> None:
    listed, defined, tree = declared_all(module)
    assert ast.get_docstring(tree), "a module opens with what it holds"
    if listed is None:
        assert module in PACKAGES or module == "agents.worker", "a module lists its public names in __all__"
        return
    assert listed == sorted(listed, key=_all_order), "__all__ is sorted"
    assert len(set(listed)) == len(listed)
    assert set(listed) <= defined, "__all__ names only what is there"


def _all_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: the order that ruff keeps."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


@pytest.mark.parametrize("module", modules())
def test_a_module_has_a_place_for_its_size(module: str) -> None:
    path = ROOT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 500, "split it"
    assert not {"utils", "helpers", "common", "manager", "base", "core", "misc"} & set(module.split("."))


def test_nothing_of_a_machine_or_an_index_is_in_the_tree() -> None:
    words = (
        "pypi" + r"\.org",
        "files\\.python" + "hosted",
        "repo1?\\.maven",
        "registry\\.npm",
        "--index" + "-url [^-]",
    )
    forbidden = re.compile("|".join(words) + "|(?<![\\w.])/(?:ro" + "ot|wo" + "rk|home/[a-z]+)/(?!trendloom)[a-z]")
    said = []
    for path in tracked_files():
        if path.suffix in {".png", ".jpg", ".webp", ".parquet", ".safetensors", ".bin", ".pack"}:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        said += [f"{path.relative_to(ROOT)}: {found.group()}" for found in forbidden.finditer(text)]
    assert not said


def test_tracked_files_are_small_enough_for_a_clone() -> None:
    big = [str(path.relative_to(ROOT)) for path in tracked_files() if path.stat().st_size > 6_000_000]
    assert not big
