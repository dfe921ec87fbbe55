from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from tests.unit.trendloom.catalogue.wardrobe import COLUMNS, Wardrobe
from trendloom.catalogue.photos import open_photos
from trendloom.catalogue.selection import choose_items, equal_shares, presentability
from trendloom.catalogue.table import read_items
from trendloom.errors import CatalogueError


def choose(wardrobe: Wardrobe, count: int, seed: int = 1) -> list[int]:
    items = read_items(wardrobe.table, COLUMNS)
    rows = choose_items(items, open_photos(wardrobe.photos), count, seed, lambda *now: None)
    return [int(row) for row in rows]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8), st.integers(0, 100))
def test_shares_are_as_equal_as_the_sizes_allow(sizes: list[int], count: int) -> None:
    shares = equal_shares(sizes, count)
    assert sum(shares) == min(count, sum(sizes))
    assert all(share <= size for share, size in zip(shares, sizes, strict=True))
    open_shares = [share for share, size in zip(shares, sizes, strict=True) if share < size]
    if open_shares:
        # nobody has more than one above a group that could have had more
        assert max(shares) <= min(open_shares) + 1


def test_the_seed_chooses_and_every_type_has_its_share(wardrobe: Wardrobe) -> None:
    chosen = choose(wardrobe, 16)
    assert chosen == choose(wardrobe, 16) == sorted(chosen)
    assert chosen != choose(wardrobe, 16, seed=2)
    assert np.bincount([row % 4 for row in chosen]).tolist() == [4, 4, 4, 4]


def test_the_same_picture_counts_once_and_bad_ones_not_at_all(wardrobe: Wardrobe) -> None:
    with zipfile.ZipFile(wardrobe.photos) as archive:
        photos = {name: archive.read(name) for name in archive.namelist()}
    photos["photos/0/0005.png"] = photos["photos/0/0001.png"]  # the same hat
    photos["photos/0/0009.png"] = b"no picture"
    with zipfile.ZipFile(wardrobe.photos, "w") as archive:
        for name, content in photos.items():
            archive.writestr(name, content)
    everything = choose(wardrobe, 46)
    assert sorted(set(range(48)) - set(everything)) == [5, 9]
    with pytest.raises(CatalogueError, match="46 have a usable photo"):
        choose(wardrobe, 47)


def test_small_photos_are_passed_over(wardrobe: Wardrobe) -> None:
    with zipfile.ZipFile(wardrobe.photos, "w") as archive, wardrobe.table.open() as table:
        for row in csv.DictReader(table):
            with archive.open(f"{row['sku']}.png", "w") as file:
                side = 100 if int(row["sku"]) % 2 else 99
                Image.effect_noise((200, side), 60).save(file, "PNG")
    assert {row % 2 for row in choose(wardrobe, 20)} == {1}


def test_sharp_photos_on_calm_ground_are_the_most_presentable() -> None:
    noise = Image.effect_noise((120, 120), 80).convert("RGB")
    calm = Image.new("RGB", (200, 200), "white")
    calm.paste(noise, (40, 40))
    blurred = calm.filter(ImageFilter.GaussianBlur(6))
    restless = calm.copy()
    restless.paste("black", (0, 0, 100, 30))
    assert presentability(calm) > presentability(blurred)
    assert presentability(calm) > presentability(restless)
