"""Where settings come from: flags, then environment, then a TOML file, then defaults; read once, at a composition root.

Every wrong key or value ends in one :class:`SettingsProblem` that names it and says what would be right; it never holds
a secret's value. Read next: :mod:`config.settings` for the tree itself.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings import SettingsError as EnvironmentUnreadable

from config.settings import Settings

__all__ = ["CONFIG_VARIABLE", "PREFIX", "LoadedSettings", "SettingsProblem", "load_settings", "setting_names"]

PREFIX = "TRENDLOOM_"
CONFIG_VARIABLE = "TRENDLOOM_CONFIG"
_DEFAULT_FILE = Path("trendloom.toml")


class SettingsProblem(ValueError):
    """Settings cannot be used as they are; the text names each wrong one and ends with what to do."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings with the origin of each: ``origins["lists.top_k"]`` is flag, environment, the file's path or default."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(config_file: Path | None = None, overrides: Mapping[str, Any] | None = None) -> LoadedSettings:
    """Return the settings from all sources, each with its origin.

    ``overrides`` are flags by dotted name (``{"lists.top_k": 5}``). The file is ``config_file``, else the one that
    ``TRENDLOOM_CONFIG`` names, else ``trendloom.toml`` here if there is one. Raises :class:`SettingsProblem`.
    """
    flags = _nested(overrides or {})
    environment = _environment()
    path = _chosen_file(config_file)
    file = _toml(path) if path else {}
    values = _merged(file, environment, flags)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise _explained(error) from None
    origins = {}
    for name in setting_names():
        if _holds(flags, name):
            origins[name] = "flag"
        elif _holds(environment, name):
            origins[name] = "environment"
        elif _holds(file, name):
            origins[name] = str(path)
        else:
            origins[name] = "default"
    return LoadedSettings(settings, origins)


def setting_names() -> Iterator[str]:
    """Yield every setting's dotted name, in the order of the declarations.

    >>> next(iter(setting_names()))
    'kafka.bootstrap'
    """
    for group, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (f"{group}.{name}" for name in model.model_fields)


def _chosen_file(config_file: Path | None) -> Path | None:
    if config_file is not None:
        return config_file
    named = os.environ.get(CONFIG_VARIABLE, "")
    if named:
        return Path(named)
    return _DEFAULT_FILE if _DEFAULT_FILE.is_file() else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsProblem(f"The settings file {path} cannot be read: {error}. Action: correct the path.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsProblem(
            f"The settings file {path} is not TOML: {error}. Action: compare it with config/default.toml."
        ) from None


def _environment() -> dict[str, Any]:
    """Return what the environment sets; a variable with our prefix that sets nothing is a mistake worth saying."""
    known = {f"{PREFIX}{name.replace('.', '__')}".upper(): name for name in setting_names()}
    groups = {f"{PREFIX}{group}".upper() for group in Settings.model_fields}
    for variable in os.environ:
        upper = variable.upper()
        if not upper.startswith(PREFIX) or upper == CONFIG_VARIABLE or upper in known or upper in groups:
            continue
        raise SettingsProblem(
            f"The environment variable {variable} sets nothing.{_suggestion(upper, list(known))} "
            "Action: correct or unset it; docs/settings.md lists them all."
        )
    source = EnvSettingsSource(Settings, case_sensitive=False, env_prefix=PREFIX, env_nested_delimiter="__")
    try:
        return source()
    except EnvironmentUnreadable as error:
        raise SettingsProblem(
            f"The environment cannot be read: {error}. Action: set single values, such as {PREFIX}LISTS__TOP_K=5."
        ) from None


def _explained(error: ValidationError) -> SettingsProblem:
    names = list(setting_names())
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        name = ".".join(str(step) for step in problem["loc"][:2])
        if problem["type"] == "extra_forbidden":
            lines.append(f"{name}: there is no such setting.{_suggestion(name, [*names, *Settings.model_fields])}")
            continue
        message = problem["msg"].removeprefix("Value error, ")
        shown = "" if _is_secret(name) or isinstance(problem["input"], dict) else f" (given: {problem['input']!r:.80})"
        lines.append(f"{name}: {message}{shown}.")
    return SettingsProblem(" ".join(lines) + " Action: correct it; docs/settings.md lists every setting and its range.")


def _is_secret(name: str) -> bool:
    """Say whether a value must not be shown: secrets themselves, and addresses, which may hold one."""
    group, _, key = name.partition(".")
    if key == "url":
        return True
    default = getattr(getattr(Settings(), group, None), key, None)
    return isinstance(default, SecretStr)


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""


def _nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in dotted.items():
        group, _, key = name.partition(".")
        tree.setdefault(group, {})[key] = value
    return tree


def _merged(*sources: Mapping[str, Any]) -> dict[str, Any]:
    """Merge trees of two levels; what comes later wins, setting by setting."""
    tree: dict[str, Any] = {}
    for source in sources:
        for group, values in source.items():
            if isinstance(values, Mapping) and isinstance(tree.get(group), Mapping):
                tree[group] = {**tree[group], **values}
            else:
                tree[group] = values
    return tree


def _holds(tree: Mapping[str, Any], name: str) -> bool:
    group, _, key = name.partition(".")
    values = tree.get(group)
    return isinstance(values, Mapping) and key in values
