from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.trendloom.catalogue.wardrobe import SeededEmbedder
from tests.unit.trendloom.classifier.drawn import fill_folders
from trendloom.classifier.labelled import photos_by_path
from trendloom.classifier.seeing import keep_seen, look_at, look_once, seen_before
from trendloom.errors import ClassifierError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return fill_folders(tmp_path / "photos", each=6)


def test_unusable_photos_are_listed_and_the_others_seen(place: Path) -> None:
    (place / "hat" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (place / "hat" / "empty.png").write_bytes(b"")
    Image.new("RGB", (5, 5)).save(place / "hat" / "tiny.png")
    source = photos_by_path(place)
    calls: list[tuple[int, int]] = []
    seen = look_at(
        source, [*sorted(source.names), "gone.png"], SeededEmbedder(), progress=lambda *told: calls.append(told)
    )
    assert len(seen.names) == 18
    assert seen.views["plain"].shape == (18, 24)
    assert sorted(name for name, _ in seen.left_out) == ["gone.png", "hat/broken.jpg", "hat/empty.png", "hat/tiny.png"]
    assert all(reason for _, reason in seen.left_out)
    assert calls[-1] == (22, 22)


def test_views_differ_and_are_the_same_again(place: Path) -> None:
    source = photos_by_path(place)
    names = sorted(source.names)
    views = ("plain", "mirror", "crop")
    first, again = (look_at(source, names, SeededEmbedder(), views=views, seed=2) for _ in range(2))
    for view in views:
        assert (first.views[view] == again.views[view]).all()
    assert np.abs(first.views["plain"] - first.views["mirror"]).max() > 1e-3
    # a crop depends on its photo's name, not on which others are looked at
    alone = look_at(source, names[5:6], SeededEmbedder(), views=views, seed=2)
    assert np.allclose(alone.views["crop"][0], first.views["crop"][5], atol=1e-5)
    other = look_at(source, names, SeededEmbedder(), views=views, seed=3)
    assert np.abs(other.views["crop"] - first.views["crop"]).max() > 1e-3


def test_equal_pictures_have_equal_digests(place: Path) -> None:
    copy = place / "shoe" / "copy.png"
    copy.write_bytes((place / "dress" / "item_00_0.png").read_bytes())
    source = photos_by_path(place)
    seen = look_at(source, sorted(source.names), SeededEmbedder())
    digest_of = dict(zip(seen.names, seen.digests, strict=True))
    assert digest_of["shoe/copy.png"] == digest_of["dress/item_00_0.png"]
    assert len(set(seen.digests)) == 18


def test_features_are_kept_under_their_key(place: Path, tmp_path: Path) -> None:
    source = photos_by_path(place)
    (place / "hat" / "empty.png").write_bytes(b"")
    seen = look_at(photos_by_path(place), [*sorted(source.names), "hat/empty.png"], SeededEmbedder())
    kept = tmp_path / "features.safetensors"
    assert seen_before(kept, "a") is None
    keep_seen(seen, kept, "a")
    assert seen_before(kept, "b") is None
    back = seen_before(kept, "a")
    assert back is not None
    assert (back.names, back.digests, back.left_out) == (seen.names, seen.digests, seen.left_out)
    assert (back.views["plain"] == seen.views["plain"]).all()
    kept.write_bytes(b"something else")
    with pytest.raises(ClassifierError, match="holds no features"):
        seen_before(kept, "a")


def test_no_photos_are_no_fault() -> None:
    from trendloom.catalogue.photos import PhotoSource

    seen = look_at(PhotoSource(frozenset(), lambda name: b""), [], SeededEmbedder())
    assert seen.views["plain"].shape == (0, 24)


def test_looking_once_is_looking_again(place: Path, tmp_path: Path) -> None:
    source, embedder = photos_by_path(place), SeededEmbedder()
    names, kept, views = sorted(source.names), tmp_path / "kept.safetensors", ("plain", "mirror")
    first, again = (look_once(source, names, embedder, views=views, seed=1, kept=kept) for _ in range(2))
    assert len(embedder.batches) == 6  # three batches in two views, once
    assert list(first.views) == list(again.views) == ["plain", "mirror"]
    assert all((first.views[view] == again.views[view]).all() for view in views)
    look_once(source, names[:8], embedder, views=views, seed=1, kept=kept)
    assert len(embedder.batches) == 8  # other photos are looked at
    with pytest.raises(ClassifierError, match="no view upside-down"):
        look_once(source, names, embedder, views=("plain", "upside-down"), seed=1, kept=kept)
