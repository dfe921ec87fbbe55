import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trendloom.errors import LogFormatError
from trendloom.logs.columns import ColumnMap
from trendloom.logs.raw_rows import file_hash, raw_chunks

COLUMNS = ColumnMap(customer_id="user", item_id="sku", occurred_at="at")
ROWS = [("u1", "0007", "2020-09-18"), ("u2", "0108", "2020-09-19")]
CSV = "user,sku,at,other\n" + "".join(f"{user},{sku},{at},x\n" for user, sku, at in ROWS)
JSON_LINES = "".join(f'{{"user": "{user}", "sku": "{sku}", "at": "{at}"}}\n' for user, sku, at in ROWS)


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def read(path: Path, columns: ColumnMap = COLUMNS) -> tuple[list[tuple[str, ...]], int]:
    rows: list[tuple[str, ...]] = []
    malformed = 0
    for chunk in raw_chunks(path, columns):
        rows += zip(
            *(chunk.columns[name].to_pylist() for name in ("customer_id", "item_id", "occurred_at")), strict=True
        )
        malformed += chunk.malformed
    return rows, malformed


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.jsonl", "log.jsonl.gz", "LOG.CSV"])
def test_text_formats_give_the_same_rows_and_keep_leading_zeros(tmp_path: Path, name: str) -> None:
    text = CSV if "csv" in name.lower() else JSON_LINES
    assert read(write(tmp_path / name, text)) == (ROWS, 0)


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    table = pa.table(
        {"sku": [row[1] for row in ROWS], "user": [row[0] for row in ROWS], "at": [row[2] for row in ROWS]}
    )
    pq.write_table(table, tmp_path / "log.parquet")
    assert read(tmp_path / "log.parquet") == (ROWS, 0)


def test_lines_that_cannot_be_parsed_are_counted(tmp_path: Path) -> None:
    assert read(write(tmp_path / "log.csv", CSV + "only,two\n")) == (ROWS, 1)
    assert read(write(tmp_path / "log.jsonl", "{broken\n[1]\n\n" + JSON_LINES)) == (ROWS, 2)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_and_a_byte_order_mark_are_understood(tmp_path: Path, delimiter: str) -> None:
    assert read(write(tmp_path / "log.csv", "\ufeff" + CSV.replace(",", delimiter))) == (ROWS, 0)


@pytest.mark.parametrize(("name", "text"), [("log.csv", CSV), ("log.jsonl", JSON_LINES)])
def test_a_missing_column_is_named_together_with_those_there_are(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(LogFormatError, match=r"no column price \(for price\).*user.*Action: "):
        read(write(tmp_path / name, text), ColumnMap("user", "sku", "at", price="price"))


def test_extras_may_be_missing_where_the_map_says_so(tmp_path: Path) -> None:
    columns = ColumnMap("user", "sku", "at", price="price", extras_optional=True)
    assert read(write(tmp_path / "log.csv", CSV), columns) == (ROWS, 0)


@pytest.mark.parametrize("name", ["log.xlsx", "log.csv.gz", "log.parquet"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\x01 nothing of the kind")
    with pytest.raises(LogFormatError, match=r"Action: "):
        read(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogFormatError, match="there is no file"):
        read(tmp_path / "log.csv")


def test_the_hash_is_the_files_sha256(tmp_path: Path) -> None:
    path = write(tmp_path / "empty.csv", "")
    assert file_hash(path) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
