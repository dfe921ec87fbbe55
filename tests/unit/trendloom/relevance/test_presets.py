from __future__ import annotations

import pytest

from trendloom.errors import SettingsError
from trendloom.relevance.presets import PART_NAMES, PRESETS, Preset


def test_a_weight_of_an_unknown_part_is_refused_with_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"visuals.*Action: use some of co_purchase"):
        PRESETS["paper"].weighing({"visuals": 1.0})


def test_weights_are_replaced_one_by_one_and_the_preset_itself_stays() -> None:
    heavier = PRESETS["balanced"].weighing({"visual": 2.0})
    assert heavier.weights["visual"] == 2.0
    assert heavier.weights["co_purchase"] == PRESETS["balanced"].weights["co_purchase"]
    assert PRESETS["balanced"].weights["visual"] != 2.0


def test_paper_is_the_source_formula() -> None:
    paper = PRESETS["paper"]
    assert {name: paper.weights[name] for name in paper.parts} == {"visual": 0.4, "popularity_fit": 0.2}
    assert (paper.fit_exponent, paper.scaling) == (4.0, "extremes")


def test_parts_come_in_one_order() -> None:
    weights = dict.fromkeys(reversed(PART_NAMES), 1.0)
    assert Preset(name="all", weights=weights).parts == PART_NAMES
