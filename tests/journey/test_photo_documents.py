"""The Python in the pages about photos runs as it stands, in a folder that holds what it names."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue

DOCUMENTS = Path(__file__).parents[2] / "docs"
PAGES = ["bring-your-own-catalogue", "catalogue", "classifier", "detector", "isolation", "similar"]

pytestmark = [pytest.mark.slow, pytest.mark.vision, pytest.mark.timeout(300)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the photos, masks, boxes and catalogues that the pages speak of."""
    demo = load_catalogue(demo_catalogue_path())
    pictures = {}
    for kind in ("Dress", "Hat", "Shoes"):
        rows = [row for row, code in enumerate(demo.category) if demo.category_names[code] == kind][:12]
        pictures[kind] = [Image.open(io.BytesIO(demo.thumbnails.get(row) or b"")).convert("RGB") for row in rows]
    for kind, shown in pictures.items():
        for place in ("wardrobe", "photos"):
            (tmp_path / place / kind).mkdir(parents=True)
            for number, picture in enumerate(shown):
                picture.save(tmp_path / place / kind / f"{kind}-{number}.png")
    dress = pictures["Dress"][0]
    for name in ("photo.jpg", "one.jpg", "two.jpg", "street.jpg"):
        dress.save(tmp_path / name)
    for place, ending in (("images", ".jpg"), ("masks", "_segm.png")):
        (tmp_path / place).mkdir()
        shown_as = dress if place == "images" else Image.new("RGB", dress.size, (255, 250, 250))
        shown_as.save(tmp_path / place / f"WOMEN-Dresses-id_00000002-02_1_front{ending}")
    (tmp_path / "street").mkdir()
    lines = ["photo,label,x0,y0,x1,y1"]
    for number, picture in enumerate(pictures["Dress"]):
        picture.save(tmp_path / "street" / f"{number}.jpg")
        lines.append(f"{number},dress,5,5,{picture.width - 5},{picture.height - 5}")
    (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n")
    for name in ("my-catalogue", "hm-photos"):
        shutil.copytree(demo_catalogue_path(), tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="the extra `vision` is not installed")
    text = (DOCUMENTS / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    monkeypatch.chdir(folder)
    known: dict[str, object] = {}  # a page is read from top to bottom
    with contextlib.redirect_stdout(io.StringIO()):
        for number, block in enumerate(blocks):
            exec(compile(block, f"{page}.md, block {number + 1}", "exec"), known)  # noqa: S102 - our own pages
