from dataclasses import fields, replace

import pytest

from trendloom.errors import RulesChanged
from trendloom.state.rules import StateRules


@pytest.mark.parametrize("name", [field.name for field in fields(StateRules)])
def test_every_rule_is_compared_and_named(name: str) -> None:
    stored = StateRules()
    changed = replace(stored, **{name: getattr(stored, name) + 1})
    with pytest.raises(RulesChanged, match=rf"{name}: stored .*, now .*Action: .*rebuild"):
        changed.check_stored(stored.to_json())


def test_another_format_is_refused() -> None:
    other = StateRules().to_json().replace('"format": 3', '"format": 2')
    with pytest.raises(RulesChanged, match="format: stored 2, now 3"):
        StateRules().check_stored(other)


def test_the_same_rules_in_another_text_are_the_same_rules() -> None:
    stored = StateRules().to_json()
    StateRules().check_stored(stored.replace("86400.0", "86400").replace(", ", ","))
