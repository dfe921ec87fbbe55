"""A recorded log's rows as they stand in the file, chunk by chunk: CSV, JSON Lines (both also gzipped) and Parquet.

Nothing is judged here beyond what cannot be parsed at all; identifiers stay text, so leading zeros survive.
Read next: :mod:`trendloom.logs.read`, which judges rows and gives them their times.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from trendloom.errors import LogFormatError
from trendloom.logs.columns import NEEDED, ColumnMap

__all__ = ["Column", "RawChunk", "file_hash", "raw_chunks"]

#: A pyarrow array: the published type stubs differ from version to version, so it is not named more closely.
Column = Any
#: Rows read at a time: a chunk of short texts is a few MB.
CHUNK_ROWS = 131_072
_CSV = (".csv", ".csv.gz")
_JSON_LINES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_PARQUET = (".parquet", ".pq")
#: Texts that mean "nothing" in a CSV cell.
_NOTHING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


@dataclass(frozen=True, slots=True)
class RawChunk:
    """Some rows: one Arrow array a field (all of ``rows`` values), and how many lines could not be parsed."""

    columns: dict[str, Column]
    rows: int
    malformed: int = 0


def file_hash(path: Path) -> str:
    """Return the file's SHA-256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def raw_chunks(path: Path, columns: ColumnMap) -> Iterator[RawChunk]:
    """Yield a log's rows in file order; the format is told by the file's name.

    Raises :class:`LogFormatError` if the file is missing, is of no known format, or lacks a mapped column.
    """
    if not path.is_file():
        raise LogFormatError(f"there is no file {path}. Action: correct the path.")
    name = path.name.lower()
    try:
        if name.endswith(_CSV):
            yield from _csv_chunks(path, columns)
        elif name.endswith(_JSON_LINES):
            yield from _json_chunks(path, columns)
        elif name.endswith(_PARQUET):
            yield from _parquet_chunks(path, columns)
        else:
            known = ", ".join((*_CSV, *_JSON_LINES, *_PARQUET))
            raise LogFormatError(f"{path.name} is of no known format. Action: name it by its format, one of {known}.")
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, EOFError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LogFormatError(f"{path.name} cannot be read: {reason}. Action: check the file and its format.") from error


def _csv_chunks(path: Path, columns: ColumnMap) -> Iterator[RawChunk]:
    malformed = 0
    encoding = columns.encoding

    def skip(_row: pyarrow.csv.InvalidRow) -> Literal["skip", "error"]:
        nonlocal malformed
        malformed += 1
        return "skip"

    with _opened(path) as file:
        header = file.readline().decode(encoding).lstrip("\ufeff").rstrip("\r\n")
    delimiter = max(",;\t|", key=header.count)
    with _opened(path) as file:
        wanted = _present(path, columns, next(csv.reader([header], delimiter=delimiter)))
        reader = pyarrow.csv.open_csv(
            file,
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=8 << 20, encoding=encoding),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=sorted(set(wanted.values())),
                column_types=dict.fromkeys(wanted.values(), pa.string()),
                null_values=_NOTHING,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
        counted = 0
        for batch in reader:
            cells = {field: batch.column(column) for field, column in wanted.items()}
            yield RawChunk(cells, batch.num_rows, malformed - counted)
            counted = malformed
        if malformed > counted:
            yield RawChunk({field: pa.array([], pa.string()) for field in wanted}, 0, malformed - counted)


def _parquet_chunks(path: Path, columns: ColumnMap) -> Iterator[RawChunk]:
    with pyarrow.parquet.ParquetFile(path) as file:
        wanted = _present(path, columns, file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=sorted(set(wanted.values()))):
            yield RawChunk({field: batch.column(column) for field, column in wanted.items()}, batch.num_rows)


def _json_chunks(path: Path, columns: ColumnMap) -> Iterator[RawChunk]:
    wanted = columns.by_field()
    cells: dict[str, list[str | None]] = {field: [] for field in wanted}
    seen: set[str] = set()
    rows = malformed = total = 0
    with _opened(path) as file:
        for line in file:
            if not line.strip():
                continue
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                record = None
            if not isinstance(record, dict):
                malformed += 1
                continue
            rows += 1
            seen.update(record)
            for field, column in wanted.items():
                cells[field].append(_cell_text(record.get(column)))
            if rows == CHUNK_ROWS:
                yield RawChunk(_texts(cells), rows, malformed)
                total += rows
                rows = malformed = 0
                cells = {field: [] for field in wanted}
    if total + rows:
        _present(path, columns, sorted(seen))
    yield RawChunk(_texts(cells), rows, malformed)


def _texts(cells: Mapping[str, list[str | None]]) -> dict[str, Column]:
    return {field: pa.array(values, pa.string()) for field, values in cells.items()}


def _cell_text(value: object) -> str | None:
    if value is None or value in _NOTHING:
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _opened(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.name.lower().endswith(".gz") else path.open("rb")


def _present(path: Path, columns: ColumnMap, found: list[str]) -> dict[str, str]:
    wanted = columns.by_field()
    missing = {field: column for field, column in wanted.items() if column not in found}
    if columns.extras_optional:
        missing = {field: column for field, column in missing.items() if field in NEEDED}
    if missing:
        lacking = ", ".join(f"{column} (for {field})" for field, column in missing.items())
        raise LogFormatError(
            f"{path.name} has no column {lacking}; it has {', '.join(found)}. Action: map the columns, as in "
            "--map item_id=sku, or choose a preset."
        )
    return {field: column for field, column in wanted.items() if column in found}
