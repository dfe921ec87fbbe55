from __future__ import annotations

import pytest

from trendloom.catalogue.photo_layout import Layout, items_of_photos
from trendloom.catalogue.photos import PhotoSource
from trendloom.errors import CatalogueError

FLAT = (
    "WOMEN-Dresses-id_00000002-02_1_front.jpg",
    "WOMEN-Dresses-id_00000002-02_3_back.jpg",
    "WOMEN-Dresses-id_00000002-04_2_side.jpg",
    "MEN-Tees_Tanks-id_00000390-01_7_additional.jpg",
    "MEN-Tees_Tanks-id_00000390-01_4_full.jpg",
    "MEN-Tees_Tanks-id_00000390-01_4_full_segm.png",
    "readme.jpg",
)


def holding(*paths: str, passed_over: tuple[tuple[str, str], ...] = ()) -> PhotoSource:
    return PhotoSource(frozenset(paths), lambda name: b"", {path: path for path in paths}, passed_over)


def test_deepfashion_names_tell_gender_category_product_and_colour_and_views_are_one_item() -> None:
    found = items_of_photos(holding(*FLAT))
    items = found.items
    assert found.layout == "deepfashion"
    assert items.item_ids == ["id_00000002-02", "id_00000002-04", "id_00000390-01"]
    assert items.categories == ["Dresses", "Dresses", "Tees_Tanks"]
    assert items.product_types == ["Dresses", "Dresses", "Tees Tanks"]
    assert items.gender.tolist() == [1, 1, 2]
    # two colours of one product; the front stands for a garment, or what comes next to it
    assert items.products[0] == items.products[1] != items.products[2]
    assert items.photos_of(0) == (FLAT[0], FLAT[1])
    assert items.photos_of(2) == (FLAT[4], FLAT[3])
    # what the pattern does not match is said; masks are no photos and are not even that
    assert [path for path, _ in found.passed_over] == ["readme.jpg"]


def test_the_folders_of_the_same_data_set_tell_the_same() -> None:
    nested = [
        "img/WOMEN/Dresses/id_00000002/02_1_front.jpg",
        "img/WOMEN/Dresses/id_00000002/02_3_back.jpg",
        "img/WOMEN/Dresses/id_00000002/04_2_side.jpg",
        "img/MEN/Tees_Tanks/id_00000390/01_4_full.jpg",
        "img/MEN/Tees_Tanks/id_00000390/01_7_additional.jpg",
    ]
    items = items_of_photos(holding(*nested)).items
    flat = items_of_photos(holding(*FLAT)).items
    assert items.item_ids == flat.item_ids
    assert items.categories == flat.categories
    assert items.products == flat.products
    assert items.gender.tolist() == flat.gender.tolist()


def test_one_id_under_two_categories_is_two_items() -> None:
    items = items_of_photos(
        holding("WOMEN-Denim-id_00000007-01_1_front.jpg", "MEN-Denim-id_00000007-01_1_front.jpg")
    ).items
    assert items.item_ids == ["MEN-Denim-id_00000007-01", "WOMEN-Denim-id_00000007-01"]
    assert len(set(items.products)) == 2


def test_folders_are_categories() -> None:
    found = items_of_photos(holding("Women/dresses/1.jpg", "Women/dresses/2.jpg", "Men/T-shirts/1.jpg", "x.jpg"))
    items = found.items
    assert found.layout == "folders"
    # a name that two folders have is told apart by its path
    assert items.item_ids == ["Men/T-shirts/1.jpg", "Women/dresses/1.jpg", "2", "x"]
    assert items.categories == ["T-shirts", "dresses", "dresses", ""]
    assert items.gender.tolist() == [2, 1, 1, 0]


def test_a_plain_folder_is_an_item_a_photo() -> None:
    note = ("notes.txt", "its name ends in .txt")
    found = items_of_photos(holding("b.jpg", "a.png", "a_segm.png", passed_over=(note,)))
    assert found.layout == "plain"
    assert found.items.item_ids == ["a", "b"]
    assert found.items.categories == ["", ""]
    assert found.passed_over == (note,)


def test_long_and_strange_names_become_ids_that_can_be_sent() -> None:
    long = [f"{'x' * 200}{end}.jpg" for end in "ab"]
    broken = "caf\udce9.jpg"  # a name on disk that is no UTF-8
    ids = items_of_photos(holding(*long, broken)).items.item_ids
    assert len(set(ids)) == 3
    assert all(1 <= len(name.encode()) <= 140 for name in ids)
    assert all(len(name) <= 128 for name in ids)


@pytest.mark.parametrize(
    ("paths", "layout", "says"),
    [
        ((), "auto", "There is no photo there"),
        (("a_segm.png",), "auto", "There is no photo there"),
        (("a.jpg",), "deepfashion", "No photo is named GENDER-Category"),
    ],
)
def test_what_holds_no_item_is_refused(paths: tuple[str, ...], layout: Layout, says: str) -> None:
    with pytest.raises(CatalogueError, match=f"{says}.*Action: "):
        items_of_photos(holding(*paths), layout)
