from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trendloom.catalogue.columns import MEANINGS, PRESETS, Columns, map_columns
from trendloom.catalogue.garment import GENDERS
from trendloom.catalogue.table import gender_code, read_items, slug
from trendloom.errors import CatalogueError

ROWS = [
    {"sku": "007", "type": "Dress", "price": None, "for": "ladies", "text": " long, red ", "shop": "north"},
    {"sku": "12", "type": "Hat", "price": "3", "for": None, "text": 'a "hat"\nof felt', "shop": ""},
]
COLUMNS = Columns(item_id="sku", category="type", gender=("for",), words=("text", "type"), store="shop")


def write(path: Path, rows: list[dict[str, str | None]]) -> Path:
    if path.name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if ".csv" in path.name:
        quoted = [['"' + (value or "").replace('"', '""') + '"' for value in row.values()] for row in rows]
        text = "\n".join(",".join(line) for line in [list(rows[0]), *quoted]) + "\n"
    else:
        text = "\n".join(json.dumps(row) for row in rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "T.v1.CSV", "t.parquet", "t.jsonl", "t.ndjson", "t.jsonl.gz"])
def test_every_kind_of_file_says_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(tmp_path / name.lower(), ROWS).rename(path)
    items = read_items(path, COLUMNS)
    assert items.item_ids == ["007", "12"]  # leading zeros stay
    assert items.photos == items.item_ids
    assert items.categories == items.product_types == items.transition_groups == ["Dress", "Hat"]
    assert [GENDERS[code] for code in items.gender] == ["women", "unknown"]
    assert items.texts == ["long, red Dress", 'a "hat"\nof felt Hat']
    assert items.stores == ["north", ""]
    assert items.titles == ["", ""]
    assert items.sections == items.patterns == []  # no column was named


def test_numbers_of_a_parquet_file_become_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [108775015, 2], "group": [7, None]}), tmp_path / "t.parquet")
    items = read_items(tmp_path / "t.parquet", Columns(item_id="id", category="group"))
    assert items.item_ids == ["108775015", "2"]
    assert items.categories == ["7", ""]


def test_rows_can_be_dropped_and_ids_made_of_category_and_photo(tmp_path: Path) -> None:
    path = write(
        tmp_path / "images.csv",
        [
            {"image": "0123abcd-11", "sender_id": "4", "label": "T-Shirt", "kids": "False"},
            {"image": "0123abcd-22", "sender_id": "4", "label": "Skip", "kids": "False"},
            {"image": "4567abcd-33", "sender_id": "4", "label": "Hat", "kids": "True"},
        ],
    )
    items = read_items(path, PRESETS["clothing_cc0"])
    assert items.item_ids == ["t-shirt-0123abcd", "hat-4567abcd"]
    assert items.photos == ["0123abcd-11", "4567abcd-33"]
    assert [GENDERS[code] for code in items.gender] == ["unknown", "kids"]


def test_the_preset_of_hm_reads_what_its_table_has(tmp_path: Path) -> None:
    preset = PRESETS["hm"]
    row: dict[str, str | None] = dict.fromkeys([*preset.attributes, *preset.words], "x")
    row |= {"article_id": "0108775015", "product_code": "0108775", "prod_name": "Strap top"}
    row |= {"product_type_name": "Vest top", "colour_group_name": "Black", "department_no": "1676"}
    row |= {"section_name": "Womens Everyday Basics", "index_name": "x", "index_group_name": "Ladieswear"}
    items = read_items(write(tmp_path / "articles.parquet", [row]), preset)
    assert (items.item_ids, items.products, items.colours) == (["0108775015"], ["0108775"], ["Black"])
    assert (items.categories, items.transition_groups) == (["Vest top"], ["1676"])
    assert [GENDERS[code] for code in items.gender] == ["women"]
    assert items.texts == ["Strap top x"]
    assert (items.sections, items.patterns) == (["Womens Everyday Basics"], ["x"])


@pytest.mark.parametrize(
    ("rows", "columns", "says"),
    [
        (ROWS, Columns(category="type"), "No column .* is named as the item id"),
        (ROWS, Columns(item_id="SKU", colour="hue"), "no column SKU, hue; it has sku, type"),
        (ROWS + ROWS[:1], COLUMNS, "'007' twice"),
        ([{**ROWS[0], "sku": ""}], COLUMNS, "with 0 characters"),
        ([{**ROWS[0], "sku": "x" * 129}], COLUMNS, "with 129 characters"),
        (ROWS, Columns(item_id="sku", drop={"type": ("Dress", "Hat")}), "no rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    tmp_path: Path, rows: list[dict[str, str | None]], columns: Columns, says: str
) -> None:
    with pytest.raises(CatalogueError, match=f"(?s){says}.*Action: "):
        read_items(write(tmp_path / "t.csv", rows), columns)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("nothing.csv", None, "There is no table"),
        ("t.xlsx", b"PK", "no table that is known"),
        ("t.parquet", b"PAR1 no", "cannot be read"),
        ("t.csv", b"a,b\n1,2\n3\n", "cannot be read"),
        ("t.csv", b"", "cannot be read"),
        ("t.csv.gz", b"no gzip", "cannot be read"),
        ("t.csv", b"sku,name\n1,\xff\xfe\n", "cannot be read"),
        ("t.jsonl", b"{'sku': 1}\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CatalogueError, match=f"(?s){says}.*Action: "):
        read_items(tmp_path / name, Columns(item_id="sku"))


def test_columns_that_hold_lists_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"sku": "1", "type": ["a", "b"]}\n')
    with pytest.raises(CatalogueError, match="type.*Action: "):
        read_items(tmp_path / "t.jsonl", Columns(item_id="sku", category="type"))


def test_every_meaning_can_be_mapped_and_keeps_the_rest() -> None:
    mapped = map_columns(PRESETS["hm"], dict.fromkeys(MEANINGS, "column"))
    for meaning in MEANINGS:
        assert "column" in getattr(mapped, meaning)
    assert mapped.credit == PRESETS["hm"].credit
    assert map_columns(PRESETS["hm"], {}) == PRESETS["hm"]


def test_naming_an_id_column_ends_made_up_ids() -> None:
    assert not map_columns(PRESETS["clothing_cc0"], {"item_id": "image"}).id_from_category


@pytest.mark.parametrize(
    ("mapping", "says"), [({"size": "s"}, "no meaning"), ({"attributes": "type:heavy"}, "no weight")]
)
def test_a_mapping_that_means_nothing_is_refused(mapping: dict[str, str], says: str) -> None:
    with pytest.raises(CatalogueError, match=f"{says}.*Action: "):
        map_columns(Columns(), mapping)


@pytest.mark.parametrize(
    ("text", "gender"),
    [
        ("Men Suits & Tailoring", "men"),
        ("Ladieswear", "women"),
        ("Lingeries/Tights", "women"),
        ("Mama", "women"),
        ("Kids Boy", "kids"),
        ("Baby Sizes 50-98", "kids"),
        ("Children Sizes 92-140", "kids"),
        ("UNISEX", "unisex"),
        ("Divided Collection", "unknown"),
        ("Sport", "unknown"),
        ("Women's & Men's", "women"),
        ("", "unknown"),
    ],
)
def test_genders_are_read_from_what_people_write(text: str, gender: str) -> None:
    assert GENDERS[gender_code(text)] == gender


def test_slugs() -> None:
    assert [slug(text) for text in ("T-Shirt", "  Lång  ÄRM ", "", "a/b_c")] == ["t-shirt", "l-ng-rm", "", "a-b-c"]


def test_take_keeps_rows_together(tmp_path: Path) -> None:
    taken = read_items(write(tmp_path / "t.csv", ROWS), COLUMNS).take([1, 0])
    assert (taken.item_ids, taken.categories) == (["12", "007"], ["Hat", "Dress"])
    assert taken.gender.tolist() == [0, 1]
