"""A folder of photos that nobody would wish for: forty files, what becomes of each, and a few good ones among them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

#: A dress on a wall, sort of.
PLAIN = Image.fromarray(
    np.kron(np.random.default_rng(3).integers(0, 256, (6, 5, 3)), np.ones((20, 20, 1))).astype("u1")
)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture as a file's bytes."""
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


def png(width: int, height: int, rows: int, *, colour_type: int = 0, extra: bytes = b"") -> bytes:
    """Return a grey PNG that claims a size and holds so many rows: a decompression bomb costs a few kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 + width)) for _ in range(rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def turned(by: int) -> bytes:
    """Return a JPEG that says how it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = by
    return encoded(PLAIN, "JPEG", exif=exif)


def moving(kind: str) -> bytes:
    """Return an animation of three pictures."""
    frames = [PLAIN.rotate(angle) for angle in (90, 180)]
    return encoded(PLAIN, kind, save_all=True, append_images=frames, duration=40)


def hostile_files() -> Iterator[tuple[str, bytes, str]]:
    """Yield (name, content, words of the reason; "" = it can be used) of forty files."""
    jpeg, small, webp = encoded(PLAIN, "JPEG"), encoded(PLAIN, "PNG"), encoded(PLAIN, "WEBP")
    gif, bmp = encoded(PLAIN, "GIF"), encoded(PLAIN, "BMP")
    rng = np.random.default_rng(9)
    # nothing, or nothing of the kind
    yield "empty.jpg", b"", "empty"
    yield "empty.png", b"", "empty"
    yield "words.jpg", b"Not a picture, honestly.", "not a picture"
    yield "page.png", b"<!doctype html><img src=x onerror=alert(1)>", "not a picture"
    yield "vector.png", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "not a picture"
    yield "archive.jpg", b"PK\x03\x04" + bytes(400), "not a picture"
    yield "program.gif", b"\x7fELF" + bytes(400), "not a picture"
    yield "print.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n", "not a picture"
    yield "scan.jpg", encoded(PLAIN, "TIFF"), "not a picture"
    yield "noise.jpg", rng.bytes(5_000), "not a picture"
    yield "zeros.bmp", bytes(5_000), "not a picture"
    # cut off
    yield "cut.jpg", jpeg[: len(jpeg) // 2], "broken"
    yield "cut.png", small[: len(small) // 2], "broken"
    yield "cut.webp", webp[: len(webp) // 2], "not a picture|broken"
    yield "cut.gif", gif[: len(gif) // 2], "broken"
    yield "cut.bmp", bmp[: len(bmp) // 2], "broken"
    yield "head only.jpg", jpeg[:30], "not a picture|broken"
    yield "head only.gif", gif[:13], "not a picture|broken"
    # damaged
    yield "crc.png", small[:60] + b"\xff\xff" + small[62:], "broken|not a picture"
    yield "palette.gif", b"GIF89a" + b"\xff\xff\xff\xff\xf7\x00\x00" + rng.bytes(60), "too large|broken|not a picture"
    yield "negative.bmp", bmp[:18] + struct.pack("<ii", -90, -90) + bmp[26:], "not a picture|broken|too"
    # enormous, or almost nothing
    yield "bomb.png", png(30_000, 30_000, 50), "too large: 30000x30000|too large"
    yield "wide bomb.png", png(2**31 - 1, 1, 0), "too large|too small|broken"
    yield "bomb.jpg", jpeg_of_size(jpeg, 65_500, 65_500), "too large"
    yield "bomb.gif", gif[:6] + struct.pack("<HH", 60_000, 60_000) + gif[10:], "too large"
    yield "bomb.webp", webp_of_size(webp, 16_383, 16_383), "too large|broken|not a picture"
    yield "just too large.png", png(7_800, 7_800, 20), "too large: 7800x7800"
    yield "dot.png", encoded(Image.new("RGB", (1, 1)), "PNG"), "too small: 1x1"
    yield "thread.png", encoded(Image.new("RGB", (5_000, 4)), "PNG"), "too small: 5000x4"
    # unusual, and fine
    yield "mostly missing.png", png(7_000, 7_000, 20), ""  # the rest counts as black, and it is reduced at once
    yield "grey.jpg", encoded(PLAIN.convert("L"), "JPEG"), ""
    yield "print colours.jpg", encoded(PLAIN.convert("CMYK").rotate(7), "JPEG"), ""
    yield "palette.png", encoded(PLAIN.rotate(20).convert("P"), "PNG"), ""
    yield "clear.png", encoded(Image.merge("RGBA", (*PLAIN.split(), PLAIN.convert("L"))), "PNG"), ""
    yield "sixteen bits.png", encoded(Image.fromarray(np.arange(9_600, dtype="u2").reshape(80, 120) * 6), "PNG"), ""
    yield "black and white.png", encoded(PLAIN.convert("1"), "PNG"), ""
    yield "turned.jpg", turned(6), ""
    yield "moving.gif", moving("GIF"), ""
    yield "moving.webp", moving("WEBP"), ""
    yield "a png.jpg", encoded(PLAIN.rotate(45), "PNG"), ""


def jpeg_of_size(jpeg: bytes, width: int, height: int) -> bytes:
    """Return a JPEG whose header claims another size."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def webp_of_size(webp: bytes, width: int, height: int) -> bytes:
    """Return a lossy WebP whose frame header claims another size."""
    at = webp.index(b"\x9d\x01\x2a") + 3
    return webp[:at] + struct.pack("<HH", width, height) + webp[at + 4 :]


def many_scans(jpeg: bytes, count: int) -> bytes:
    """Return a progressive JPEG whose last scan comes so many times more: a few kB that keep a decoder busy."""
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + count * last + jpeg[-2:]


def write_hostile(folder: Path) -> dict[str, str]:
    """Write the forty files into a folder; return the words of the reason of each."""
    folder.mkdir(parents=True, exist_ok=True)
    reasons = {}
    for name, content, reason in hostile_files():
        (folder / name).write_bytes(content)
        reasons[name] = reason
    return reasons
