"""Commands that take many options: a frozen dataclass lists them once, and a command is made of it.

Each field is an option, its annotation the Typer one, its default the option's; a class that inherits from it has more
of them. Read next: :mod:`launch.network_options`, the longest list.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

__all__ = ["command_of"]

T = TypeVar("T")


def command_of(options: type[T], run: Callable[[T], None], *, says: str) -> Callable[..., None]:
    """Return a command for Typer that takes the fields of a dataclass as options and hands one of it to ``run``.

    ``says`` is the command's help. Every field needs a default.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Greeting:
    ...     name: str = "you"
    >>> command = command_of(Greeting, print, says="Greet.")
    >>> command(name="me"), str(inspect.signature(command, eval_str=True))
    Greeting(name='me')
    (None, "(*, name: str = 'you') -> None")
    """

    def command(**given: Any) -> None:
        run(options(**given))

    annotations = get_type_hints(options, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotations[field.name]
        )
        for field in fields(options)  # type: ignore[arg-type]  # a dataclass; the type system cannot say so
    ]
    command.__doc__ = says
    command.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
    command.__annotations__ = annotations
    return command
