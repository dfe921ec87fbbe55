from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trendloom.catalogue.photos import PhotoSource
from trendloom.detector.boxes import Box, read_boxes
from trendloom.detector.evaluation import evaluate_detector


class FindsDark:
    """Finds the dark rectangle of a photo."""

    labels = ("coat",)

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def detect(self, photo: Image.Image, *, least_score: float, most: int) -> Sequence[Box]:
        self.sizes.append(photo.size)
        rows, columns = np.nonzero(np.asarray(photo.convert("L")) < 128)
        return [Box("coat", 0.9, columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


def street(width: int, height: int, box: tuple[int, int, int, int], *, turned: bool = False) -> bytes:
    """A white photo with a dark box, lying on its side in the file if ``turned``."""
    photo = Image.new("RGB", (width, height), "white")
    photo.paste((20, 20, 20), box)
    exif = Image.Exif()
    if turned:
        photo = photo.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    sink = io.BytesIO()
    photo.save(sink, "JPEG", exif=exif, quality=95)
    return sink.getvalue()


@pytest.mark.parametrize("turned", [False, True])
def test_boxes_are_counted_in_the_pixels_of_the_file_however_small_it_is_looked_at(
    tmp_path: Path, *, turned: bool
) -> None:
    boxes = {"large": (400, 800, 1200, 2400), "small": (40, 80, 120, 240)}
    contents = {
        "large": street(1600, 3200, boxes["large"], turned=turned),
        "small": street(160, 320, boxes["small"], turned=turned),
    }
    rows = [f"{name},coat,{','.join(map(str, box))}" for name, box in boxes.items()]
    (tmp_path / "boxes.csv").write_text("\n".join(["photo,label,x0,y0,x1,y1", *rows]) + "\n")
    photos = PhotoSource(frozenset(contents), contents.__getitem__)
    table = read_boxes(tmp_path / "boxes.csv", photos)
    detector = FindsDark()
    figures = evaluate_detector(detector, table, photos, train=["small"], held_out=["large"])  # type: ignore[arg-type]
    assert detector.sizes == [(800, 1600)]
    assert figures.detector.mean_average_precision == 1.0
    assert figures.mean_boxes.mean_average_precision == 1.0  # the same box in shares of the sides
