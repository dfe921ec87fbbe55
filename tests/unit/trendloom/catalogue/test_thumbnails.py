from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.catalogue import thumbnails
from trendloom.catalogue.thumbnails import Thumbnails, pack_thumbnails


@given(st.lists(st.none() | st.binary(min_size=1, max_size=30), max_size=40), st.integers(1, 60))
def test_every_picture_comes_back_from_its_row(pictures: list[bytes | None], pack_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thumbnails, "PACK_BYTES", pack_bytes)
        packs = pack_thumbnails(pictures)
    with tempfile.TemporaryDirectory() as name:
        paths = {first: Path(name) / f"{first}" for first in packs}
        for first, path in paths.items():
            path.write_bytes(packs[first])
        kept = Thumbnails(paths)
        assert [kept.get(row) for row in range(len(pictures))] == pictures
        assert kept.get(len(pictures)) is None
        assert kept.get(10**6) is None


def test_packs_end_where_they_are_full() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thumbnails, "PACK_BYTES", 10)
        assert sorted(pack_thumbnails([b"123456"] * 5)) == [0, 2, 4]
        assert pack_thumbnails([None, None]) == {}
