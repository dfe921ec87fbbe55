"""Files that say who took what: Amazon's 5-core reviews, sequences of item numbers, and any recorded purchase log.

Every rating counts as taken, however low; nothing else of a review is looked at. Lines are read as JSON, or as the
Python literals that the older Amazon files hold, and never evaluated as code.
Read next: :mod:`trendloom.logs.interactions`, what comes out.
"""

from __future__ import annotations

import ast
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
import orjson

from trendloom.errors import LogFormatError
from trendloom.logs.columns import PRESETS
from trendloom.logs.interactions import Interactions
from trendloom.logs.purchase_log import PurchaseLog
from trendloom.logs.read import read_log

__all__ = ["KINDS", "interactions_of_log", "read_amazon_reviews", "read_interactions", "read_sequences"]

#: What ``read_interactions`` can be told that a file is.
KINDS = ("auto", "amazon", "sequences", *sorted(PRESETS))
Kind = Literal["auto", "amazon", "sequences", "hm", "purchases", "uci"]

#: A file of which more lines than this share are unusable is not what it was said to be.
_MOST_UNUSABLE = 0.01


def read_interactions(path: Path, kind: str = "auto") -> Interactions:
    """Read who took what from a file; ``auto`` takes ``.txt`` files for sequences and JSON files for Amazon reviews.

    Any other kind is a column preset of :func:`trendloom.logs.read.read_log`. Raises :class:`LogFormatError`.
    """
    if kind not in KINDS:
        raise LogFormatError(f"There is no kind of log {kind!r}. Action: use one of {', '.join(KINDS)}.")
    if not path.is_file():
        raise LogFormatError(f"there is no file {path}. Action: correct the path.")
    name = path.name.lower().removesuffix(".gz")
    if kind == "sequences" or (kind == "auto" and name.endswith(".txt")):
        return read_sequences(path)
    if kind == "amazon" or (kind == "auto" and name.endswith(".json")):
        return read_amazon_reviews(path)
    return interactions_of_log(read_log(path, "purchases" if kind == "auto" else kind))


def read_sequences(path: Path) -> Interactions:
    """Read lines of ``user item item ...``, the items of a user in the order in which they were taken.

    Raises :class:`LogFormatError` for a line with fewer than two fields, or a user with two lines.
    """
    users: list[str] = []
    numbers: dict[str, int] = {}
    lengths: list[int] = []
    items: list[int] = []
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) < 2:
            raise LogFormatError(
                f"{path.name} line {number} names no item. Action: write lines of a user and its items, by spaces."
            )
        try:
            words = [field.decode() for field in fields]
        except UnicodeDecodeError as error:
            raise LogFormatError(f"{path.name} line {number} is no text. Action: give a UTF-8 file.") from error
        users.append(words[0])
        lengths.append(len(words) - 1)
        items += [numbers.setdefault(word, len(numbers)) for word in words[1:]]
    if len(set(users)) < len(users):
        raise LogFormatError(f"{path.name} has two lines of one user. Action: join them into one line.")
    user = np.repeat(np.arange(len(users)), np.array(lengths, np.int64))
    return _checked(path, user, np.array(items, np.int64), np.arange(len(items)), tuple(users), tuple(numbers))


def read_amazon_reviews(path: Path) -> Interactions:
    """Read Amazon's review lines: ``reviewerID`` took ``asin`` at ``unixReviewTime`` (seconds, in whole days).

    Reviews of one day keep the order of the file. Raises :class:`LogFormatError` if more than one line in a hundred
    cannot be used, with the number of the first.
    """
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    user: list[int] = []
    item: list[int] = []
    time: list[int] = []
    total = unusable = first = 0
    for number, line in _lines(path):
        total += 1
        review = _parsed(line)
        reviewer, asin, at = (review.get(name) for name in ("reviewerID", "asin", "unixReviewTime"))
        if not (isinstance(reviewer, str) and reviewer and isinstance(asin, str) and asin and isinstance(at, int)):
            unusable, first = unusable + 1, first or number
            continue
        user.append(users.setdefault(reviewer, len(users)))
        item.append(items.setdefault(asin, len(items)))
        time.append(at)
    if unusable > _MOST_UNUSABLE * total:
        raise LogFormatError(
            f"{path.name}: {unusable} of {total} lines are no reviews, the first is line {first}. "
            "Action: give lines with reviewerID, asin and unixReviewTime."
        )
    return _checked(
        path, np.array(user, np.int64), np.array(item, np.int64), np.array(time), tuple(users), tuple(items)
    )


def interactions_of_log(log: PurchaseLog) -> Interactions:
    """Return who bought what in a purchase log, by its event times."""
    known = log.customer >= 0
    return Interactions.of_rows(
        log.customer[known], log.item[known], log.occurred_at_ms[known], log.customers, log.items
    )


def _parsed(line: bytes) -> dict[str, object]:
    try:
        review = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            review = ast.literal_eval(line.decode())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return {}
    return review if isinstance(review, dict) else {}


def _checked(
    path: Path,
    user: np.ndarray[tuple[int], np.dtype[np.int64]],
    item: np.ndarray[tuple[int], np.dtype[np.int64]],
    time: np.ndarray[tuple[int], np.dtype[np.int64]],
    users: tuple[str, ...],
    items: tuple[str, ...],
) -> Interactions:
    if not users:
        raise LogFormatError(f"{path.name} holds no interaction. Action: check the file and its kind.")
    return Interactions.of_rows(user, item, time, users, items)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with cast("BinaryIO", gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise LogFormatError(f"{path.name} cannot be read: {error}. Action: fetch the file again.") from error
