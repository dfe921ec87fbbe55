import pytest

from trendloom.errors import LogFormatError
from trendloom.logs.columns import FIELDS, PRESETS, ColumnMap, parse_mapping


def test_a_preset_is_kept_where_nothing_is_mapped_over_it() -> None:
    assert parse_mapping(["price=cost"], preset="uci") == ColumnMap(
        **{name: getattr(PRESETS["uci"], name) for name in ColumnMap.__dataclass_fields__} | {"price": "cost"}
    )


def test_without_a_preset_columns_are_named_as_the_fields_of_a_purchase() -> None:
    assert parse_mapping([]) == PRESETS["purchases"]


@pytest.mark.parametrize("pair", ["item_id", "item_id=", "=sku", "article=sku"])
def test_a_pair_that_says_nothing_is_refused_with_what_to_do(pair: str) -> None:
    with pytest.raises(LogFormatError, match=r"Action: "):
        parse_mapping([pair])


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LogFormatError, match="hm, purchases, uci"):
        parse_mapping([], preset="h&m")


def test_every_field_can_be_mapped() -> None:
    mapped = parse_mapping([f"{name}=col_{name}" for name in FIELDS])
    assert mapped.by_field() == {name: f"col_{name}" for name in FIELDS}


def test_maps_that_read_differently_describe_themselves_differently() -> None:
    assert ColumnMap().describe() != ColumnMap(times="dates").describe()
