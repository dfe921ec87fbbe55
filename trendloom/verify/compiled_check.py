"""The checks of :class:`trendloom.verify.load_check.LoadCheck`, compiled: a fifth of its time. Needs numba (``fast``).

A kernel reads lists whose words stand where the worker writes them, of customers named by number, as a load test names
them; whatever it does not read goes the way of :class:`LoadCheck`, which stays the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from trendloom.events import SCHEMA_VERSION
from trendloom.verify.load_check import LoadCheck

__all__ = ["CompiledLoadCheck"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

#: Compiled once and kept on disk; other threads may run meanwhile.
jit = numba.njit(cache=True, nogil=True, error_model="numpy")

#: What stands in a list before the customer, its epoch, its version's number, the event id and after it, ``sent_at``.
_WORDS = (
    b'{"schema_version":%d,"customer_id":"' % SCHEMA_VERSION,
    b'","version":{"epoch":',
    b',"number":',
    b'},"cause":{"event_id":"',
    b'","item_id":',
    b',"sent_at":',
)
_NUMBER_DIGITS, _MOST_DIGITS = 12, 18
_COMMA, _ZERO, _NINE, _A, _F = b",09af"
#: What becomes of a list.
_UNREAD, _FOREIGN, _DUPLICATE, _REGRESSED, _LISTED = range(5)


class CompiledLoadCheck(LoadCheck):
    """As :class:`LoadCheck` without ``previous``, where customer n of so many is ``prefix`` and n in ``digits`` digits.

    Memory: a byte a purchase and 16 a customer. Making one compiles the kernel, or reads what was compiled before.

    >>> run = b"7f8de1cf-93fc-4b4f-9d3d-"
    >>> value = (b'{"schema_version":1,"customer_id":"c007","version":{"epoch":1,"number":1},"cause":{"event_id":"'
    ...          + run + b'00000000000a","item_id":"i"},"sent_at":1000,"made_at":1004,"entries":[]}')
    >>> check = CompiledLoadCheck(run, [8, 16], prefix=b"c", digits=3, customers=10)
    >>> check.take([value, value], 1005.0)
    >>> check.listed, check.duplicate_lists, check.parts[1].freshness.longest_ms
    (1, 1, 5.0)
    """

    def __init__(self, run: bytes, ends: Sequence[int], *, prefix: bytes, digits: int, customers: int) -> None:
        super().__init__(run, ends)
        before, *between, sent_at = _WORDS
        words = [before + prefix, *between[:2], between[2] + run, between[3], sent_at]
        self._words = np.frombuffer(b"".join(words), np.uint8), np.cumsum([0, *map(len, words)], dtype=np.int64)
        self._digits = digits
        self._versions = np.full((customers, 2), -1, np.int64)
        self.take([], 0.0)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what only further lists would need: checks are read where they were not made."""
        return {name: told for name, told in self.__dict__.items() if name not in {"_versions", "_latest"}}

    def take(self, values: Sequence[bytes], received_ms: float) -> None:
        """Check records of the lists' topic, in the order of their partition, received at ``received_ms``."""
        ends = np.zeros(len(values) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=ends[1:])
        columns = np.zeros((3, len(values)), np.int64)
        seen = np.frombuffer(self._seen, np.uint8)
        text = np.frombuffer(b"".join(values), np.uint8)
        _check(text, ends, *self._words, self._digits, seen, self._versions, columns)
        became, numbers, sent_at = columns
        counts = np.bincount(became, minlength=5).tolist()
        self.foreign_lists += counts[_FOREIGN]
        self.duplicate_lists += counts[_DUPLICATE]
        self.version_regressions += counts[_REGRESSED]
        if listed := counts[_REGRESSED] + counts[_LISTED]:
            new = became >= _REGRESSED if listed < len(values) else slice(None)
            self._count(numbers[new], sent_at[new], received_ms)
        if counts[_UNREAD]:
            super().take([values[place] for place in np.flatnonzero(became == _UNREAD).tolist()], received_ms)


@jit
def _after(text: Bytes, at: int, end: int, words: Bytes, start: int, stop: int) -> int:
    """Return where ``text[at:end]`` goes on after the word ``words[start:stop]``; -1 if it does not begin with it."""
    if at < 0 or at + stop - start > end:
        return -1
    for place in range(stop - start):
        if text[np.uintp(at + place)] != words[np.uintp(start + place)]:
            return -1
    return at + stop - start


@jit
def _digits_end(text: Bytes, at: int, end: int) -> int:
    """Return where the digits end that begin at ``at``; -1 if there are none, or more than a number has."""
    if at < 0:
        return -1
    stop = at
    while stop < end and _ZERO <= text[np.uintp(stop)] <= _NINE:
        stop += 1
    return stop if 0 < stop - at <= _MOST_DIGITS else -1


@jit
def _decimal(text: Bytes, at: int, end: int) -> int:
    number = 0
    for place in range(at, end):
        number = number * 10 + int(text[np.uintp(place)]) - _ZERO
    return number


@jit
def _hexadecimal(text: Bytes, at: int, end: int) -> int:
    """Return the number whose lower-case digits stand at ``at``; -1 if they do not."""
    if at < 0 or at + _NUMBER_DIGITS > end:
        return -1
    number = 0
    for place in range(at, at + _NUMBER_DIGITS):
        digit = int(text[np.uintp(place)])
        if _ZERO <= digit <= _NINE:
            number = number * 16 + digit - _ZERO
        elif _A <= digit <= _F:
            number = number * 16 + digit - _A + 10
        else:
            return -1
    return number


@jit
def _behind(text: Bytes, at: int, end: int, words: Bytes, start: int, stop: int) -> int:
    """Return where the first word ``words[start:stop]`` in ``text[at:end]`` ends; -1 if there is none."""
    first = words[np.uintp(start)]
    for place in range(at, end):
        if text[np.uintp(place)] == first:
            found = _after(text, place, end, words, start, stop)
            if found >= 0:
                return found
    return -1


@jit
def _check(
    text: Bytes,
    ends: Ints,
    words: Bytes,
    word_ends: Ints,
    digits: int,
    seen: Bytes,
    versions: Ints,
    columns: Ints,
) -> None:
    """Note of each list what becomes of it, its purchase's number and ``sent_at`` (3, L); in ``seen`` that it came."""
    for row in range(ends.size - 1):
        end = ends[row + 1]
        who = _after(text, ends[row], end, words, word_ends[0], word_ends[1])
        who_end = _digits_end(text, who, end)
        epoch = _after(text, who_end, end, words, word_ends[1], word_ends[2])
        epoch_end = _digits_end(text, epoch, end)
        version = _after(text, epoch_end, end, words, word_ends[2], word_ends[3])
        version_end = _digits_end(text, version, end)
        event = _after(text, version_end, end, words, word_ends[3], word_ends[4])
        number = _hexadecimal(text, event, end)
        if number < 0 or who_end - who != digits:
            continue
        rest = _after(text, event + _NUMBER_DIGITS, end, words, word_ends[4], word_ends[5])
        if rest < 0:
            continue
        # no quote within a string can look like this: JSON escapes it
        sent = _behind(text, rest, end, words, word_ends[5], word_ends[6])
        sent_end = _digits_end(text, sent, end)
        customer = _decimal(text, who, who_end)
        if sent_end < 0 or sent_end >= end or text[np.uintp(sent_end)] != _COMMA or customer >= versions.shape[0]:
            continue
        columns[1, row], columns[2, row] = number, _decimal(text, sent, sent_end)
        if number >= seen.size:
            columns[0, row] = _FOREIGN
        elif seen[number]:
            columns[0, row] = _DUPLICATE
        else:
            seen[number] = 1
            told, now = _decimal(text, epoch, epoch_end), _decimal(text, version, version_end)
            if versions[customer, 0] == told and now <= versions[customer, 1]:
                columns[0, row] = _REGRESSED
            else:
                columns[0, row] = _LISTED
                versions[customer, 0], versions[customer, 1] = told, now
