"""``read_log``: a recorded log in, purchases in event-time order out; what cannot be used is counted by reason.

Rows are read and judged chunk by chunk, so memory holds numbers, not texts. Read next:
:mod:`trendloom.logs.purchase_log` for what comes out and :mod:`trendloom.logs.event_time` for times of day.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from trendloom.errors import LogFormatError
from trendloom.events import EARLIEST_MS
from trendloom.logs.columns import PRESETS, ColumnMap
from trendloom.logs.event_time import DAY_MS, parse_stamps, seeded_times
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.raw_rows import Column, RawChunk, file_hash, raw_chunks

__all__ = ["REASONS", "read_log"]

#: Why a row is no purchase; a row with several faults counts under the first of them.
REASONS = (
    "malformed",
    "cancelled",
    "no_customer",
    "no_item",
    "not_a_product",
    "bad_time",
    "too_old",
    "id_too_long",
    "bad_quantity",
    "bad_price",
    "bad_event_id",
)
_MAX_ID_LENGTH = 128
_MAX_QUANTITY = 1_000_000

Flags = npt.NDArray[np.bool_]


def read_log(
    path: Path,
    columns: ColumnMap | str = "purchases",
    *,
    seed: int = 1,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> PurchaseLog:
    """Read a recorded log: CSV, JSON Lines (either may end in .gz) or Parquet.

    ``columns`` is a preset's name or a map. ``seed`` sets the times of day where the log has dates only. Only purchases
    with ``from_ms`` <= event time < ``to_ms`` are kept. Rows of one basket with one stamp are put 1 ms apart, in the
    order of the file. Raises :class:`LogFormatError` if the file cannot be read so, or holds no usable row at all.
    """
    if isinstance(columns, str):
        if columns not in PRESETS:
            known = ", ".join(sorted(PRESETS))
            raise LogFormatError(f"there is no log preset {columns!r}. Action: use one of {known}, or map the columns.")
        columns = PRESETS[columns]
    rows = _Rows(columns)
    for chunk in raw_chunks(path, columns):
        rows.add(chunk)
    if rows.read and not any(part.size for part in rows.row):
        why = ", ".join(f"{reason} {count}" for reason, count in rows.rejected().items())
        raise LogFormatError(
            f"none of the {rows.read} rows of {path.name} can be used: {why}. Action: map the columns."
        )
    return rows.finish(path, seed=seed, from_ms=from_ms, to_ms=to_ms)


class _Vocabulary:
    """Texts by number, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def encode(self, texts: Column, keep: Flags) -> npt.NDArray[np.int32]:
        """Return the numbers (kept rows,) of the texts where ``keep`` (R,) holds; -1 for none."""
        found = texts.filter(pa.array(keep)).dictionary_encode()
        known = [self.numbers.setdefault(text, len(self.numbers)) for text in found.dictionary.to_pylist()]
        numbers = np.array([*known, -1], np.int32)
        return numbers[np.asarray(found.indices.fill_null(len(known)).to_numpy(zero_copy_only=False), np.int64)]


@dataclass
class _Rows:
    """The usable rows read so far, in file order: one list of arrays a column."""

    columns: ColumnMap
    read: int = 0
    numbered: int = 0
    rejections: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(REASONS), np.int64))
    row: list[npt.NDArray[np.int64]] = field(default_factory=list)
    ms: list[npt.NDArray[np.int64]] = field(default_factory=list)
    date_only: list[Flags] = field(default_factory=list)
    quantity: list[npt.NDArray[np.int32]] = field(default_factory=list)
    price: list[npt.NDArray[np.float64]] = field(default_factory=list)
    ids: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    coded: dict[str, list[npt.NDArray[np.int32]]] = field(default_factory=dict)
    words: dict[str, _Vocabulary] = field(default_factory=dict)

    def add(self, chunk: RawChunk) -> None:
        """Judge a chunk's rows and keep the usable ones."""
        size = chunk.rows
        texts = {name: _texts(chunk, name) for name in ("customer_id", "item_id", "store_id", "variant_id", "basket")}
        if self.columns.no_store is not None:
            in_none = pc.equal(texts["store_id"], self.columns.no_store)
            texts["store_id"] = pc.if_else(in_none, None, texts["store_id"])
        stamps = parse_stamps(chunk.columns["occurred_at"], time_format=self.columns.time_format)
        quantity, quantity_ok = _numbers(chunk, "quantity")
        price, price_ok = _numbers(chunk, "price")
        ids, ids_ok = _event_ids(chunk)
        cancelled = _is_true(pc.starts_with(texts["basket"], self.columns.cancelled_prefix or "\0"))
        item_ok = _is_true(pc.match_substring_regex(texts["item_id"], self.columns.item_pattern or ""))
        longest = [
            pc.utf8_length(texts[name]).fill_null(0) for name in ("customer_id", "item_id", "store_id", "variant_id")
        ]
        too_long = np.any([np.asarray(length.to_numpy(zero_copy_only=False)) > _MAX_ID_LENGTH for length in longest], 0)
        quantity = np.where(np.isnan(quantity), 1.0, quantity)
        faults = (
            cancelled,
            ~_is_known(texts["customer_id"]),
            ~_is_known(texts["item_id"]),
            ~item_ok,
            ~stamps.readable,
            stamps.ms < EARLIEST_MS,
            too_long,
            ~quantity_ok | (quantity < 1) | (quantity > _MAX_QUANTITY) | (quantity % 1 != 0),
            ~price_ok | (price < 0) | np.isinf(price),
            ~ids_ok,
        )
        first_fault = np.zeros(size, np.int64)
        for number in range(len(faults), 0, -1):
            first_fault[faults[number - 1]] = number
        keep = first_fault == 0
        self.rejections += np.bincount(first_fault[~keep], minlength=len(REASONS))
        self.rejections[0] += chunk.malformed
        self.row.append(np.flatnonzero(keep) + self.numbered)
        self.read += size + chunk.malformed
        self.numbered += size
        self.ms.append(stamps.ms[keep])
        self.date_only.append(stamps.date_only[keep])
        self.quantity.append(quantity[keep].astype(np.int32))
        self.price.append(price[keep])
        if ids is not None:
            self.ids.append(ids[keep])
        for name, values in texts.items():
            numbers = self.words.setdefault(name, _Vocabulary()).encode(values, keep)
            self.coded.setdefault(name, []).append(numbers)

    def rejected(self) -> dict[str, int]:
        """Return how many rows each reason has cost so far."""
        return {reason: int(count) for reason, count in zip(REASONS, self.rejections, strict=True) if count}

    def finish(self, path: Path, *, seed: int, from_ms: int | None, to_ms: int | None) -> PurchaseLog:
        """Give every row its time, cut the window, and sort."""
        row, ms, date_only = np.concatenate(self.row), np.concatenate(self.ms), np.concatenate(self.date_only)
        coded = {name: np.concatenate(parts) for name, parts in self.coded.items()}
        words = {name: tuple(vocabulary.numbers) for name, vocabulary in self.words.items()}
        if self.columns.times == "dates" or (self.columns.times == "auto" and ms.size and not (ms % DAY_MS).any()):
            date_only = np.ones_like(date_only)
        elif self.columns.times == "stamps":
            date_only = np.zeros_like(date_only)
        dated = np.flatnonzero(date_only)
        ms[dated] = seeded_times(
            ms[dated] // DAY_MS,
            [words["customer_id"][number] for number in coded["customer_id"][dated].tolist()],
            [words["item_id"][number] for number in coded["item_id"][dated].tolist()],
            seed=seed,
        )
        stamped = np.flatnonzero(~date_only & (coded["basket"] >= 0))
        ms[stamped] += _places_in_basket(ms[stamped], coded["basket"][stamped])
        inside = np.ones(ms.size, np.bool_)
        if from_ms is not None:
            inside &= ms >= from_ms
        if to_ms is not None:
            inside &= ms < to_ms
        chosen = np.flatnonzero(inside)
        order = chosen[np.lexsort((row[chosen], ms[chosen]))]
        sha256 = file_hash(path)
        told = orjson.dumps([sha256, self.columns.describe(), seed, from_ms, to_ms], option=orjson.OPT_SORT_KEYS)
        return PurchaseLog(
            name=path.name,
            sha256=sha256,
            order_key=hashlib.sha256(told).hexdigest(),
            seed=seed,
            customers=words["customer_id"],
            items=words["item_id"],
            stores=words["store_id"],
            variants=words["variant_id"],
            occurred_at_ms=ms[order],
            row=row[order],
            customer=coded["customer_id"][order],
            item=coded["item_id"][order],
            quantity=np.concatenate(self.quantity)[order],
            price=np.concatenate(self.price)[order],
            store=coded["store_id"][order],
            variant=coded["variant_id"][order],
            given_ids=np.concatenate(self.ids)[order] if self.ids else None,
            rows_read=self.read,
            rows_outside=int(ms.size - order.size),
            dates_only=int(date_only[order].sum()),
            rejected=self.rejected(),
        )


def _places_in_basket(ms: npt.NDArray[np.int64], basket: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    order = np.lexsort((np.arange(ms.size), basket, ms))
    new = np.ones(ms.size, np.bool_)
    new[1:] = (ms[order][1:] != ms[order][:-1]) | (basket[order][1:] != basket[order][:-1])
    starts = np.flatnonzero(new)
    places = np.empty(ms.size, np.int64)
    places[order] = np.arange(ms.size) - np.repeat(starts, np.diff(np.r_[starts, ms.size]))
    return places


def _texts(chunk: RawChunk, name: str) -> Column:
    column = chunk.columns.get(name)
    if column is None:
        return pa.nulls(chunk.rows, pa.string())
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    if name == "customer_id":  # a column of whole numbers with gaps is often stored as 13085.0
        text = pc.replace_substring_regex(text, r"^(\d+)\.0$", r"\1")
    return pc.if_else(pc.equal(text, pa.scalar("", pa.string())), pa.scalar(None, pa.string()), text)


def _numbers(chunk: RawChunk, name: str) -> tuple[npt.NDArray[np.float64], Flags]:
    column = chunk.columns.get(name)
    if column is None:
        return np.full(chunk.rows, np.nan), np.ones(chunk.rows, np.bool_)
    try:
        values = np.asarray(
            column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False), np.float64
        )
        return values.copy(), np.ones(chunk.rows, np.bool_)
    except pa.ArrowInvalid:  # some texts are no numbers: one by one
        values, good = np.full(chunk.rows, np.nan), np.ones(chunk.rows, np.bool_)
        for place, text in enumerate(column.to_pylist()):
            try:
                values[place] = np.nan if text is None else float(text)
            except ValueError:
                good[place] = False
        return values, good


def _event_ids(chunk: RawChunk) -> tuple[npt.NDArray[np.uint8] | None, Flags]:
    column = chunk.columns.get("event_id")
    if column is None:
        return None, np.ones(chunk.rows, np.bool_)
    ids, good = np.zeros((chunk.rows, 16), np.uint8), np.zeros(chunk.rows, np.bool_)
    for place, text in enumerate(column.cast(pa.string()).to_pylist()):
        try:
            ids[place] = np.frombuffer(uuid.UUID(text or "").bytes, np.uint8)
            good[place] = True
        except ValueError:
            continue  # stays bad, and is counted under bad_event_id
    return ids, good


def _is_known(column: Column) -> Flags:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)


def _is_true(column: Column) -> Flags:
    return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)
