from pathlib import Path

import pytest

from config.loading import SettingsProblem
from config.stores import load_stores, store_positions

GOOD = '[[store]]\nid = "s"\nlatitude_deg = 1.0\nlongitude_deg = 2.0\n'


def test_the_shipped_stores_stand_in_the_box_of_the_simulation() -> None:
    stores = load_stores()
    assert len(stores) == 5
    assert all(abs(store.latitude_deg) <= 0.9 and abs(store.longitude_deg) <= 1.8 for store in stores)


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "stores.toml").write_text(GOOD)
    assert store_positions(tmp_path / "stores.toml") == {"s": (1.0, 2.0)}


@pytest.mark.parametrize(
    "text", ["[[store]]\nid = 1\n", GOOD + GOOD, GOOD.replace("1.0", "91.0"), GOOD.replace("2.0", '"east"'), "no toml"]
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "stores.toml").write_text(text)
    with pytest.raises(SettingsProblem, match=r"Action: "):
        load_stores(tmp_path / "stores.toml")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match=r"Action: "):
        load_stores(tmp_path / "nothing.toml")
