from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.unit.trendloom.similar.shop import (
    ColourLook,
    FixedLabels,
    square,
    squares_catalogue,
    squares_search,
)
from trendloom.catalogue.garment import Catalogue
from trendloom.catalogue.photos import UnusablePhoto
from trendloom.errors import CatalogueError, PhotoRefused
from trendloom.similar import Similar
from trendloom.similar.search import percent


@pytest.fixture
def similar() -> Similar:
    return squares_search()


def thumbnail(similar: Similar, row: int) -> bytes:
    found = similar.catalogue.thumbnails.get(row)
    assert found is not None
    return found


def test_a_garments_own_photo_finds_it_first(similar: Similar, tmp_path: Path) -> None:
    path = tmp_path / "mine.webp"
    path.write_bytes(thumbnail(similar, 11))
    for photo in (path, str(path), path.read_bytes(), Image.open(path)):
        answer = similar.search(photo, k=4)
        assert len(answer.matches) == 4
        assert answer.matches[0].item_id == similar.catalogue.item_ids[11]
        assert answer.matches[0].similarity == pytest.approx(1.0, abs=2e-3)
        values = [match.similarity for match in answer.matches]
        assert values == sorted(values, reverse=True)
        assert (answer.label, answer.label_probability) == (None, None)


def test_every_match_tells_what_it_is(similar: Similar) -> None:
    match = similar.search(square((10, 20, 30)), k=1).matches[0]
    catalogue = similar.catalogue
    assert match.item_id == catalogue.item_ids[match.row]
    assert match.title == catalogue.titles[match.row]
    assert match.category == catalogue.category_names[catalogue.category[match.row]]


def test_many_photos_are_looked_at_together_and_answered_as_one_by_one() -> None:
    look = ColourLook()
    similar = Similar(squares_catalogue(), open_look=lambda: look, open_labels=lambda: FixedLabels(["dark"], [1.0]))
    photos = [square((200, 10, 10)), square((10, 200, 10)), square((10, 10, 200))]
    together = similar.search_many(photos, 6)
    assert look.asked == 1
    assert [answer.matches for answer in together] == [similar.search(photo, 6).matches for photo in photos]
    assert similar.search_many([]) == []


def test_a_garment_never_finds_itself(similar: Similar) -> None:
    for row in range(0, 40, 7):
        item_id = similar.catalogue.item_ids[row]
        found = similar.search_item(item_id, k=39).matches
        assert len({match.item_id for match in found}) == 39
        assert item_id not in {match.item_id for match in found}
        assert found[0].similarity == pytest.approx(float(similar.catalogue.similarity(row, found[0].row)), abs=1e-5)
    assert len(similar.search_item(similar.catalogue.item_ids[0], k=999).matches) == 39


def test_a_likely_label_moves_its_garments_up_and_hides_none() -> None:
    photo = square((128, 128, 140))
    plain = squares_search().search(photo, 40)
    flat = squares_search(FixedLabels(["light", "dark"], [0.5, 0.5])).search(photo, 40, label_aware=True)
    sure = squares_search(FixedLabels(["light", "dark"], [0.9, 0.1])).search(photo, 40, label_aware=True)
    assert [match.row for match in flat.matches] == [match.row for match in plain.matches]
    assert sure.label == "light"
    assert sure.label_probability == pytest.approx(0.9)
    assert {match.row for match in sure.matches} == {match.row for match in plain.matches}

    def place(matches: tuple[object, ...], kind: str) -> float:
        return float(np.mean([at for at, match in enumerate(matches) if getattr(match, "category", "") == kind]))

    assert place(sure.matches, "Light") < place(plain.matches, "Light")
    for match in sure.matches:
        lost = 0.0 if match.category == "Light" else 0.8 * 0.2
        assert match.score == pytest.approx(match.similarity - lost, abs=1e-5)


def test_a_garments_own_category_is_certain(similar: Similar) -> None:
    item_id = similar.catalogue.item_ids[int(np.flatnonzero(similar.catalogue.category == 0)[0])]
    answer = similar.search_item(item_id, 5, label_aware=True)
    assert (answer.label, answer.label_probability) == ("Dark", None)
    for match in answer.matches:
        lost = 0.0 if match.category == "Dark" else 0.2
        assert match.score == pytest.approx(match.similarity - lost, abs=1e-5)


def test_a_classifier_of_other_labels_is_said(similar: Similar) -> None:
    other = squares_search(FixedLabels(["hat", "shoe"], [0.5, 0.5]))
    with pytest.raises(CatalogueError, match="is a label of the classifier"):
        other.search(square((1, 2, 3)), label_aware=True)


def test_random_garments_and_samples_are_those_of_the_seed(similar: Similar) -> None:
    drawn = [similar.random_item(np.random.default_rng(seed)) for seed in range(30)]
    assert len(set(drawn)) > 10
    assert drawn[3] == similar.random_item(np.random.default_rng(3))
    samples = similar.samples(6, np.random.default_rng(1))
    assert samples == similar.samples(6, np.random.default_rng(1))
    rows = [similar.catalogue.row(item_id) for item_id in samples]
    assert len(set(rows)) == 6
    assert set(similar.catalogue.category[rows[:2]].tolist()) == {0, 1}
    assert len(similar.samples(100, np.random.default_rng(1))) == 39  # one has no picture


def test_items_without_a_photo_are_neither_found_nor_asked_for(similar: Similar) -> None:
    whole = squares_catalogue()
    keep = whole.photo_row < 30
    photo_row = np.where(keep, whole.photo_row, -1).astype(np.int32)
    some: Catalogue = dataclasses.replace(whole, photo_row=photo_row, photo_embeddings=whole.photo_embeddings[:30])
    search = Similar(some, open_look=ColourLook, open_labels=lambda: FixedLabels(["dark"], [1.0]))
    assert len(search) == 30
    found = search.search(square((3, 200, 90)), 99).matches
    assert {match.row for match in found} == set(np.flatnonzero(keep).tolist())
    with pytest.raises(CatalogueError, match="has no photo. Action"):
        search.search_item(some.item_ids[int(np.flatnonzero(~keep)[0])])


def test_a_catalogue_without_photos_or_with_others_is_said() -> None:
    none = dataclasses.replace(
        squares_catalogue(), photo_row=np.full(40, -1, np.int32), photo_embeddings=np.zeros((0, 3), np.float16)
    )
    with pytest.raises(CatalogueError, match="no photos to compare with"):
        Similar(none, open_look=ColourLook, open_labels=lambda: FixedLabels(["dark"], [1.0]))
    wide = dataclasses.replace(squares_catalogue(), photo_embeddings=np.zeros((40, 5), np.float16))
    with pytest.raises(CatalogueError, match="become 3 numbers"):
        Similar(wide, open_look=ColourLook, open_labels=lambda: FixedLabels(["dark"], [1.0])).search(square((1, 2, 3)))


def test_what_is_no_photo_is_refused_before_anything_is_opened() -> None:
    def never() -> ColourLook:
        raise AssertionError("opened for nothing")

    similar = Similar(squares_catalogue(), open_look=never, open_labels=lambda: FixedLabels(["dark"], [1.0]))
    with pytest.raises(PhotoRefused):
        similar.search(b"no photo")
    with pytest.raises(CatalogueError, match="no item 'nothing'"):
        similar.search_item("nothing")
    with pytest.raises(ValueError, match="at least 1"):
        similar.search_item(similar.catalogue.item_ids[0], 0)


def test_a_photo_in_which_no_garment_is_found_is_refused() -> None:
    class Blind(ColourLook):
        def embed(self, photos: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
            raise UnusablePhoto("the mask is empty")

    similar = Similar(squares_catalogue(), open_look=Blind, open_labels=lambda: FixedLabels(["dark"], [1.0]))
    with pytest.raises(PhotoRefused, match="no garment .the mask is empty.. Action: ") as refused:
        similar.search(square((1, 2, 3)))
    assert refused.value.reason == "no_garment"


def test_percent_is_between_0_and_100() -> None:
    assert [percent(value) for value in (-1.0, 0.004, 0.5, 0.999, 1.0002)] == [0, 0, 50, 100, 100]
