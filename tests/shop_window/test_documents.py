"""Are the documents true? Files that they name, commands, versions, compose file, script headers."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from launch.cli import COMMANDS, EXIT_CODES, load_command

ROOT = Path(__file__).parents[2]
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
SCRIPTS = sorted((ROOT / "trendloom" / "state" / "lua").glob("*.lua"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
OUR_SERVICES = [name for name, service in COMPOSE["services"].items() if "build" in service]
MARKDOWN = sorted(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def leaves(command: Any, path: str) -> list[tuple[str, Any]]:
    if hasattr(command, "commands"):
        return [leaf for name, inner in command.commands.items() for leaf in leaves(inner, f"{path} {name}")]
    return [(path, command)]


def test_every_file_of_the_reading_order_exists() -> None:
    text = (ROOT / "docs" / "reading-order.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/.-]+\.(?:py|lua|md|toml))`", text)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("document", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_tree_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    inside = [target for target in targets if "://" not in target]
    assert [target for target in inside if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    found = leaves(load_command(name), name)
    assert found
    for path, command in found:
        assert (command.help or "").strip(), path
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{path}: {parameter.name}"


def test_the_command_page_is_the_table() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name, line in COMMANDS.items():
        assert f"| `trendloom {name}` | {line} |" in text
    assert len(re.findall(r"^\| `trendloom", text, flags=re.MULTILINE)) == len(COMMANDS)
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in text


def test_the_changelog_has_this_version() -> None:
    assert f"\n## {VERSION}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_make_target_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)
    assert phony is not None
    assert set(re.findall(r"^([a-z]+):.*## \S", text, flags=re.MULTILINE)) == set(phony.group(1).split())
    assert {"setup", "demo", "test", "check", "bench", "clean", "kafka", "help"} <= set(phony.group(1).split())


def test_the_locks_hold_exact_versions_and_no_address() -> None:
    for name in ("requirements.lock", "requirements-vision.lock", "requirements-saliency.lock"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) > 50
        assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .+)?", line)] == []


def test_the_lock_holds_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for file, wanted in (
        ("requirements.lock", project["dependencies"] + extras["dashboard"] + extras["fast"] + extras["dev"]),
        ("requirements-vision.lock", extras["vision"] + extras["ann"]),
        ("requirements-saliency.lock", extras["vision"] + extras["ann"] + extras["saliency"]),
    ):
        locked = {line.split("==")[0] for line in (ROOT / file).read_text(encoding="utf-8").splitlines()}
        names = {re.split(r"[\[<>=; ]", line)[0].lower().replace("_", "-") for line in wanted}
        assert names - locked == set()


# ---------------------------------------------------------------------------------------------------------------------
# the compose file
# ---------------------------------------------------------------------------------------------------------------------


def test_images_are_pinned() -> None:
    for name, service in COMPOSE["services"].items():
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*", service["image"]), name
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("FROM "):
            assert re.fullmatch(r"FROM [\w./-]+:\d+\.\d+\.\d+[\w.-]*", line)
    assert COMPOSE["services"]["worker"]["image"] == f"trendloom:{VERSION}"


def test_whatever_listens_has_a_health_check_and_is_waited_for() -> None:
    services = COMPOSE["services"]
    for name in ("kafka", "redis", "worker"):
        assert services[name]["healthcheck"]["test"], name
    assert services["worker"]["depends_on"]["redis"]["condition"] == "service_healthy"
    assert services["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    for name in ("worker", "producer"):
        assert services[name]["depends_on"]["topics"]["condition"] == "service_completed_successfully"


def test_ports_are_open_to_this_machine_only() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", OUR_SERVICES)
def test_a_service_runs_a_command_with_options_that_exist(name: str) -> None:
    words: list[str] = COMPOSE["services"][name]["command"]
    command = load_command(words[0])
    rest = words[1:]
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert [word for word in rest if word.startswith("-") and word not in known] == []


def test_a_services_environment_is_settings() -> None:
    from config.loading import PREFIX, setting_names

    known = {f"{PREFIX}{name.replace('.', '__')}".upper() for name in setting_names()}
    for name in OUR_SERVICES:
        assert set(COMPOSE["services"][name]["environment"]) <= known


def test_the_image_holds_every_package() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == {name for name in packages if "." not in name}
    assert copied <= allowed


# ---------------------------------------------------------------------------------------------------------------------
# the Lua scripts
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_header_lists_what_its_body_uses(script: Path) -> None:
    lines = script.read_text(encoding="utf-8").splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    header, body = lines[:end], "\n".join(line.split("--", 1)[0] for line in lines[end:])
    for table in ("KEYS", "ARGV"):
        listed = [line.split("[", 1)[1].split("]", 1)[0] for line in header if line.startswith(f"-- {table}[")]
        fixed = [int(index) for index in listed if index.isdigit()]
        used = {int(index) for index in re.findall(rf"{table}\[(\d+)\]", body)}
        computed = len(listed) > len(fixed)
        assert fixed == list(range(1, len(fixed) + 1)), f"{table} are listed 1, 2, 3 ..."
        assert used <= set(fixed), f"the body uses {table} that the header does not list"
        reached = bool(re.search(rf"{table}\[[^\]]*[a-z]", body)) or f"#{table}" in body
        assert used == set(fixed), f"the header lists {table} that the body does not use"
        assert computed == reached, f"the header says {'so' if computed else 'nothing'} of computed {table}"
        if table == "KEYS":
            assert len(fixed) == int(script.stem.rsplit("-", 1)[1]), "the file name ends with the number of keys"
    assert any(line.startswith("-- Returns") for line in header)
