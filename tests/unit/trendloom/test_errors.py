from __future__ import annotations

import inspect

import pytest

from trendloom import errors

CLASSES = [getattr(errors, name) for name in errors.__all__]


def test_all_is_every_class_of_the_module() -> None:
    defined = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__}
    assert defined == set(errors.__all__)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_is_of_the_tree_and_drawn_in_it(kind: type[errors.TrendloomError]) -> None:
    assert issubclass(kind, errors.TrendloomError)
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__


def test_the_drawing_has_no_class_that_does_not_exist() -> None:
    assert errors.__doc__ is not None
    drawn = [line for line in errors.__doc__.splitlines() if "──" in line]
    assert {line.split("──")[1].split()[0] for line in drawn} == set(errors.__all__) - {"TrendloomError"}


def test_exit_codes_are_those_of_the_families() -> None:
    assert errors.TrendloomError.exit_code == 1
    assert errors.SettingsError.exit_code == errors.MissingExtra.exit_code == 2
    assert errors.BrokerUnavailable.exit_code == errors.StoreUnavailable.exit_code == 3
    assert errors.RulesChanged.exit_code == errors.TopicRecreated.exit_code == 4


def test_a_bad_message_keeps_its_reason_apart() -> None:
    error = errors.BadMessage("not_json", "It is not. Action: mend it.")
    assert (error.reason, error.detail, str(error)) == ("not_json", "It is not. Action: mend it.", error.detail)
