from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.unit.trendloom.catalogue.hostile import PLAIN, encoded, many_scans
from trendloom.catalogue.jpeg_scans import MOST_SCANS, has_too_many_scans
from trendloom.catalogue.photos import UnusablePhoto, decode_bytes


def scans(content: bytes) -> int:
    """The smallest limit that a file keeps."""
    return next(most for most in range(100) if not has_too_many_scans(content, most))


def test_scans_of_pictures_as_programs_write_them_are_counted() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8))
    assert scans(encoded(noise, "JPEG")) == 1
    assert scans(encoded(noise, "JPEG", restart_marker_blocks=2)) == 1
    assert scans(encoded(noise, "JPEG", progressive=True)) == 10
    assert scans(encoded(noise.convert("L"), "JPEG", progressive=True)) == 6


def test_a_preview_and_what_lies_behind_the_picture_do_not_count() -> None:
    preview = encoded(PLAIN, "JPEG", progressive=True)
    exif = Image.Exif()
    exif[0x010E] = "a photo"
    photo = encoded(PLAIN, "JPEG", exif=exif.tobytes() + 5 * preview[:9_000])
    assert photo.count(b"\xff\xda") > 5
    assert scans(photo) == 1
    assert scans(photo + 50 * preview) == 1  # a film or a second picture, as phones append them


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xda", b"\xff\xd8\xff\xda\x00", b"GIF89a"]
)
def test_stumps_have_no_scans_to_speak_of(content: bytes) -> None:
    assert not has_too_many_scans(content, 1)


def test_a_picture_of_too_many_scans_is_not_decoded() -> None:
    progressive = encoded(PLAIN, "JPEG", progressive=True)
    assert decode_bytes(many_scans(progressive, MOST_SCANS - 10)).size == PLAIN.size
    with pytest.raises(UnusablePhoto, match="too much work: more than 32 scans"):
        decode_bytes(many_scans(progressive, MOST_SCANS - 9))
    sink = io.BytesIO()
    PLAIN.save(sink, "MPO", save_all=True, append_images=[PLAIN.rotate(90)])
    assert decode_bytes(sink.getvalue()).size == PLAIN.size
