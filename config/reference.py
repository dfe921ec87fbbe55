"""The settings written out for people, from the declarations: ``config/default.toml`` and ``docs/settings.md``.

Tests compare the committed files with what is rendered here, so that neither can drift from the code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from config.loading import PREFIX
from config.settings import Settings

__all__ = ["SettingRow", "render_default_toml", "render_reference", "setting_rows"]

_LINE = 118


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as a person reads it; ``default`` is written as in TOML."""

    group: str
    name: str
    type_name: str
    allowed: str
    default: str
    what: str
    reason: str


def setting_rows() -> Iterator[SettingRow]:
    """Yield every setting in the order of its declaration.

    >>> row = next(row for row in setting_rows() if row.name == "top_k")
    >>> row.type_name, row.allowed, row.default
    ('whole number', '1 to 200', '10')
    """
    for group, model in _groups():
        for name, field in model.model_fields.items():
            what, _, reason = (field.description or "").partition(" Default: ")
            default = _toml_value(field.get_default(call_default_factory=True))
            yield SettingRow(group, name, _type_name(field), _allowed(field), default, what, reason)


def render_default_toml() -> str:
    """Return the text of ``config/default.toml``: every key below what it is and why."""
    lines = [
        "# Every setting with its default. Made by `trendloom settings --default-toml` from config/settings.py.",
        "# To change one, copy it into trendloom.toml, or set it in the environment: TRENDLOOM_LISTS__TOP_K=5.",
    ]
    for group, model in _groups():
        lines += ["", f"[{group}]", *_comment(_first_line(model))]
        for row in setting_rows():
            if row.group == group:
                kind = f"{row.type_name}, {row.allowed}" if row.allowed else row.type_name
                lines += [
                    "",
                    *_comment(f"{row.what} ({kind.replace('one of, ', 'one of ')})"),
                    *_comment(f"Default: {row.reason}"),
                ]
                lines.append(f"{row.name} = {row.default}")
    return "\n".join(lines) + "\n"


def render_reference() -> str:
    """Return the text of ``docs/settings.md``: one table a group."""
    lines = [
        "# Settings",
        "",
        "Made by `trendloom settings --reference` from `config/settings.py`; a test compares.",
        "",
        "A value is taken from the first of these that has it: a flag of the command line, the environment",
        f"(`{PREFIX}LISTS__TOP_K=5`: group, two underscores, name), a TOML file (`--config FILE`, else the one that",
        f"`{PREFIX}CONFIG` names, else `trendloom.toml` in the current directory), the default below.",
        "A name that does not exist is an error, in the file and in the environment. Secrets are never printed.",
        "`trendloom settings` shows the values in force and where each comes from.",
    ]
    for group, model in _groups():
        lines += ["", f"## {group}", "", _first_line(model), ""]
        lines += ["| setting | type | allowed | default | what it is | why this default |", "|---|---|---|---|---|---|"]
        for row in setting_rows():
            if row.group == group:
                cells = (f"`{row.name}`", row.type_name, row.allowed, f"`{row.default}`", row.what, row.reason)
                lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _groups() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield name, model


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _type_name(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return "one of"
    if get_origin(kind) is dict:
        return "table of numbers"
    names: dict[Any, str] = {bool: "true or false", int: "whole number", float: "number", SecretStr: "secret"}
    return names.get(kind, "text")


def _allowed(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(json.dumps(choice) for choice in get_args(kind))
    if kind not in {int, float}:
        return ""
    bounds: dict[str, float] = {}
    for limit in field.metadata:
        for bound in ("gt", "ge", "le"):
            value = getattr(limit, bound, None)
            if value is not None:
                bounds[bound] = value
    low = f"{_number(bounds['ge'])}" if "ge" in bounds else f"above {_number(bounds['gt'])}"
    return f"{low} to {_number(bounds['le'])}"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _toml_value(value: object) -> str:
    return json.dumps(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _comment(text: str) -> list[str]:
    lines, line = [], "#"
    for word in text.split():
        if len(line) + 1 + len(word) > _LINE:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return [*lines, line]
