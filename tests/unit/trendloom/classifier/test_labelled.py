from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.trendloom.classifier.drawn import draw_photo, fill_folders
from trendloom.catalogue.photos import UnusablePhoto, decode_photo
from trendloom.classifier.labelled import labelled_folder, labelled_table, photos_by_path
from trendloom.errors import CatalogueError, ClassifierError


def test_folders_are_classes_and_equal_file_names_are_different_photos(tmp_path: Path) -> None:
    place = fill_folders(tmp_path / "photos", each=4)
    Image.new("RGB", (40, 40)).save(place / "beside.png")
    (place / "hat" / "notes.txt").write_text("no photo")
    (place / "hat" / "._item.png").write_bytes(b"what some systems leave behind")
    labelled = labelled_folder(place, group_pattern=r"item_(\d+)")
    assert len(labelled) == 12
    assert labelled.labels == ("dress",) * 4 + ("hat",) * 4 + ("shoe",) * 4
    assert labelled.groups == ("00", "00", "01", "01") * 3
    pictures = {decode_photo(labelled.source, name).tobytes() for name in labelled.names}
    assert len(pictures) == 12


def test_a_zip_file_of_folders(tmp_path: Path) -> None:
    sink = io.BytesIO()
    draw_photo(0, np.random.default_rng(0)).save(sink, "PNG")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("dress/deep/1.png", sink.getvalue())
        archive.writestr("hat/1.PNG", sink.getvalue())
        archive.writestr("__MACOSX/hat/1.png", b"")
    labelled = labelled_folder(tmp_path / "photos.zip")
    assert labelled.names == ("dress/deep/1.png", "hat/1.PNG")
    assert labelled.groups == ("", "")
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:  # as it is when the folder itself is zipped
        for name in ("photos/dress/deep/1.png", "photos/hat/1.png", "photos/.git/1.png"):
            archive.writestr(name, sink.getvalue())
    assert labelled_folder(tmp_path / "whole.zip").labels == ("dress", "hat")


def test_no_more_is_read_than_any_photo_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trendloom.catalogue.photos.MOST_BYTES", 1_000)
    (tmp_path / "long.png").write_bytes(bytes(2_000))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("long.png", bytes(2_000))
    for place in (tmp_path, tmp_path / "photos.zip"):
        with pytest.raises(UnusablePhoto, match="too large: more than"):
            decode_photo(photos_by_path(place), "long.png")


def test_a_table_names_labels_and_groups(tmp_path: Path) -> None:
    place = fill_folders(tmp_path / "photos", each=2)
    names = [f"item_{number:02d}_0" for number in range(3)]
    for number, name in enumerate(names):
        draw_photo(number, np.random.default_rng(number)).save(place / f"{name}.png")
    table = tmp_path / "table.csv"
    table.write_text(f"file,kind,by\n{names[0]}.png,dress,anna\n{names[1]},,bo\n{names[2]},shoe,bo\ngone,hat,bo\n")
    labelled = labelled_table(table, place, photo="file", label="kind", group="by")
    assert (labelled.names, labelled.labels, labelled.groups) == (
        (names[0], names[2]),
        ("dress", "shoe"),
        ("anna", "bo"),
    )
    with pytest.raises(CatalogueError, match="has no column nothing"):
        labelled_table(table, place, photo="file", label="nothing")
    with pytest.raises(ClassifierError, match="No row of .* Action: "):
        labelled_table(table, fill_folders(tmp_path / "other", each=0), photo="file", label="kind")


def test_labels_are_merged_dropped_and_chosen(tmp_path: Path) -> None:
    labelled = labelled_folder(fill_folders(tmp_path / "photos", each=2))
    assert set(labelled.relabelled({"hat": "shoe"}).labels) == {"dress", "shoe"}
    assert set(labelled.relabelled(drop=["hat"]).labels) == {"dress", "shoe"}
    assert set(labelled.relabelled({"hat": "cap"}, only=["cap"]).labels) == {"cap"}
    for wrong in ({"merge": {"hut": "hat"}}, {"drop": ["hut"]}, {"only": ["hut"]}):
        with pytest.raises(ClassifierError, match="No photo has the label hut; there are dress, hat, shoe"):
            labelled.relabelled(**wrong)


def test_rare_labels_are_told(tmp_path: Path) -> None:
    place = fill_folders(tmp_path / "photos", each=4)
    (place / "cape").mkdir()
    draw_photo(1, np.random.default_rng(0)).save(place / "cape" / "1.png")
    frequent, rare = labelled_folder(place).frequent(2)
    assert set(frequent.labels) == {"dress", "hat", "shoe"}
    assert rare == {"cape": 1}


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(ClassifierError, match="no folders of photos"):
        labelled_folder(tmp_path / "empty")
    with pytest.raises(ClassifierError, match="no regular expression"):
        labelled_folder(tmp_path / "empty", group_pattern="(")
    with pytest.raises(ClassifierError, match="no zip file"):
        photos_by_path(tmp_path / "text.zip")
    with pytest.raises(ClassifierError, match="no photos at"):
        photos_by_path(tmp_path / "nowhere")
