"""Counts the passes that a JPEG makes over its picture, before a decoder makes them.

Each pass (scan) of a few bytes has a decoder walk over every pixel: some kB of empty ones keep it busy for hours, while
the picture's size looks harmless. Decodes nothing. Read next: :mod:`trendloom.catalogue.photos`.
"""

from __future__ import annotations

import re

__all__ = ["MOST_SCANS", "has_too_many_scans"]

#: Cameras make 1 scan, programs up to some 12.
MOST_SCANS = 32
_SCAN, _END = 0xDA, 0xD9
#: Markers without a length behind them: 01, the restarts D0 to D7, the start D8.
_BARE = {0x01, *range(0xD0, 0xD9)}
#: The next marker behind compressed data, in which FF is followed by 00 or by a restart.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)


def has_too_many_scans(content: bytes, most: int = MOST_SCANS) -> bool:
    """Return whether the (first) JPEG in a file's bytes has more than ``most`` scans; what is no JPEG has none.

    >>> scan = bytes.fromhex("ffda 0002 1234 ff00")
    >>> [has_too_many_scans(bytes.fromhex("ffd8") + count * scan, most=3) for count in (3, 4)]
    [False, True]
    """
    scans, place = 0, 0
    while (found := _MARKER.search(content, place)) is not None:
        marker, place = content[found.end() - 1], found.end()
        if marker == _END:
            return False
        if marker in _BARE:
            continue
        scans += marker == _SCAN
        if scans > most:
            return True
        # what a segment holds may look like markers (a preview does): it is passed over
        place += max(2, int.from_bytes(content[place : place + 2], "big"))
    return False
