"""Event times of recorded logs: reading stamps of many kinds, and giving dates a seeded time of day.

All times are milliseconds since the epoch, UTC. The times of day follow one stated protocol (:func:`seeded_times`), so
that figures measured on a log with dates only can be compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trendloom.errors import LogFormatError
from trendloom.logs.raw_rows import Column

__all__ = ["DAY_MS", "Stamps", "parse_moment", "parse_stamps", "seeded_times", "unit_draw"]

DAY_MS = 86_400_000
#: A day's baskets start within its first 23 hours, so that even a basket of 60 articles ends on its day.
_BASKET_SPAN_MS = 82_800_000
_ARTICLE_GAP_MS = 60_000
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_EPOCH = r"^\d{9,19}(\.\d+)?$"
_DATE_CHARACTERS = 10

Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stamps:
    """Parsed times of R rows: ``ms`` (R,), whether each was a date only (R,), and whether it could be read (R,)."""

    ms: Longs
    date_only: Flags
    readable: Flags


def parse_moment(text: str) -> int:
    """Return a date or an ISO 8601 stamp as ms since the epoch; without a zone it is UTC.

    >>> parse_moment("2020-09-18")
    1600387200000
    >>> parse_moment("2020-09-18T01:00:00+01:00")
    1600387200000
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise LogFormatError(
            f"{text!r} is neither a date nor an ISO 8601 time. Action: write 2020-09-18 or 2020-09-18T12:00:00Z."
        ) from error
    return _milliseconds(moment)


def parse_stamps(column: Column, *, time_format: str | None = None) -> Stamps:
    """Read R times: timestamps, dates, epoch numbers (s, ms, µs or ns, told by their size) or text of any of these."""
    kind = column.type
    if pa.types.is_date(kind):
        days = _longs(column.cast(pa.date32()).cast(pa.int32()))
        known = _known(column)
        return Stamps(days * DAY_MS, known.copy(), known)
    if pa.types.is_timestamp(kind):
        naive = column.cast(pa.timestamp(kind.unit)) if kind.tz else column
        known = _known(column)
        return Stamps(_longs(naive.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())), np.zeros_like(known), known)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = np.asarray(
            column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False), np.float64
        )
        ms, readable = _from_epoch(numbers)
        return Stamps(ms, np.zeros_like(readable), readable)
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    if time_format is not None:
        parsed = pc.strptime(text, format=time_format, unit="ms", error_is_null=True)
        known = _known(parsed)
        dates = np.full(known.shape, not any(code in time_format for code in ("%H", "%I", "%T", "%R", "%s"))) & known
        return Stamps(_longs(parsed.cast(pa.int64())), dates, known)
    return _parse_texts(text)


def seeded_times(days: Longs, customers: list[str], items: list[str], *, seed: int) -> Longs:
    """Return event times (R,) for rows with a date only: ``days`` (R,) since the epoch, in the order of the log.

    With u(x) = the first 8 bytes of SHA-256 of x as a big-endian integer, over 2^64: a customer's basket of a day
    starts ``u("seed|date|customer") * 82,800 s`` into it; its articles follow, 60 s apart, in ascending
    ``u("seed|date|customer|article")``. A repeated row (a further piece) comes 1 ms after the one before it.

    >>> seeded_times(np.array([18522, 18522]), ["c", "c"], ["a", "b"], seed=1).tolist()
    [1600351247764, 1600351187764]
    """
    if not days.size:
        return np.zeros(0, np.int64)
    # one number for each distinct customer and item: rows are grouped by (day, customer, item) with integer keys
    customer_codes, item_codes = _codes(customers), _codes(items)
    order = np.lexsort((np.arange(days.size), item_codes, customer_codes, days))
    day, customer, item = days[order], customer_codes[order], item_codes[order]
    new_basket = np.r_[True, (day[1:] != day[:-1]) | (customer[1:] != customer[:-1])]
    new_article = new_basket | np.r_[True, item[1:] != item[:-1]]
    article_of_row = np.cumsum(new_article) - 1  # (R,)
    first_rows = order[new_article]  # (A,) the row that shows each distinct (day, customer, article)
    basket_of_article = (np.cumsum(new_basket) - 1)[new_article]  # (A,)
    starts = []
    draws = np.empty(first_rows.size, np.uint64)
    basket = -1
    prefix = ""
    for place, (row, its_basket) in enumerate(zip(first_rows.tolist(), basket_of_article.tolist(), strict=True)):
        if its_basket != basket:
            basket = its_basket
            date = np.datetime64(int(days[row]), "D")
            prefix = f"{seed}|{date}|{customers[row]}"
            starts.append(int(days[row]) * DAY_MS + (unit_draw(prefix) * _BASKET_SPAN_MS >> 64))
        draws[place] = unit_draw(f"{prefix}|{items[row]}")
    by_draw = np.lexsort((draws, basket_of_article))
    sizes = np.bincount(basket_of_article)
    rank = np.empty(draws.size, np.int64)
    rank[by_draw] = np.arange(draws.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    article_ms = np.asarray(starts, np.int64)[basket_of_article] + rank * _ARTICLE_GAP_MS  # (A,)
    article_starts = np.flatnonzero(new_article)
    repeat = np.arange(days.size) - article_starts[article_of_row]
    times = np.empty(days.size, np.int64)
    times[order] = article_ms[article_of_row] + repeat
    return times


def unit_draw(text: str) -> int:
    """Return the first 8 bytes of the text's SHA-256 as a big-endian integer: 2^64 times a draw from [0, 1)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _codes(texts: list[str]) -> Longs:
    number: dict[str, int] = {}
    return np.fromiter((number.setdefault(text, len(number)) for text in texts), np.int64, len(texts))


def _parse_texts(text: Column) -> Stamps:
    size = len(text)
    ms, readable = np.zeros(size, np.int64), np.zeros(size, np.bool_)
    date_only = _true(pc.match_substring_regex(text, _DATE))
    epoch = _true(pc.match_substring_regex(text, _EPOCH))
    if epoch.any():
        numbers = pc.cast(text.filter(pa.array(epoch)), pa.float64()).to_numpy(zero_copy_only=False)
        ms[epoch], readable[epoch] = _from_epoch(numbers)
    for rows in (date_only.copy(), ~date_only & ~epoch & _known(text)):
        if rows.any():
            ms[rows], readable[rows] = _parse_iso(text.filter(pa.array(rows)))
    return Stamps(ms, date_only, readable)


def _parse_iso(text: Column) -> tuple[Longs, Flags]:
    try:
        parsed = text.cast(pa.timestamp("us")).cast(pa.timestamp("ms"), safe=False)
        return _longs(parsed.cast(pa.int64())), np.ones(len(text), np.bool_)
    except pa.ArrowInvalid:  # some have a zone, or are no times: one by one
        ms, readable = np.zeros(len(text), np.int64), np.zeros(len(text), np.bool_)
        for place, value in enumerate(text.to_pylist()):
            try:
                ms[place] = _milliseconds(datetime.fromisoformat(value))
                readable[place] = True
            except ValueError:
                continue  # stays unreadable, and is counted as such by the reader
        return ms, readable


def _from_epoch(numbers: npt.NDArray[np.float64]) -> tuple[Longs, Flags]:
    # the years 2000 to 2286 lie apart in s, ms, µs and ns, so the unit shows
    ms, readable = np.zeros(numbers.size, np.int64), np.zeros(numbers.size, np.bool_)
    # (a thousandth of a ms is added because nanoseconds do not fit a float exactly)
    for per_ms in (1e-3, 1.0, 1e3, 1e6):
        fits = (numbers >= 946_684_800_000 * per_ms) & (numbers < 10_000_000_000_000 * per_ms)
        ms[fits] = np.floor(numbers[fits] / per_ms + 1e-3).astype(np.int64)
        readable |= fits
    return ms, readable


def _milliseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _known(column: Column) -> Flags:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)


def _true(column: Column) -> Flags:
    return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)


def _longs(column: Column) -> Longs:
    return np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False), np.int64)
