"""The wire form of refreshed lists, written by a compiled kernel for those who have numba (the extra ``fast``).

The bytes are those of :func:`trendloom.refresh.lists.encode_lists`, which stays the reference and takes over for
numbers that the kernel does not write (not finite, or a million and more). A head's columns come as JSON arrays, made
by orjson; the kernel zips them with the fixed text between them and writes the entries from the arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numba
import numpy as np
import numpy.typing as npt
import orjson

from trendloom.batch_bytes import copy_bytes
from trendloom.candidates import TopK
from trendloom.events import SCHEMA_VERSION
from trendloom.refresh.lists import DECIMALS, Heads, Joined, encode_heads, heads_of
from trendloom.state.columns import Listings

__all__ = ["ListEncoder"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

#: Compiled once and kept on disk; other threads may run meanwhile. Bytes are addressed by ``np.uintp``: with an index
#: that may be negative each one costs a test, and no two are moved at once (twice the time, measured).
jit = numba.njit(cache=True, nogil=True, error_model="numpy")

_UNIT = 10**DECIMALS
_THOUSAND = 1000
#: Parts of this many units and more are left to the reference, so that sums of units are exact as floats, too.
_MOST_UNITS = 10**12
#: A number is no longer than this: sign, digits of the greatest sum, point, decimals.
_NUMBER_BYTES = 32
#: The three digits of 0 ... 999, and how many of them are left without the zeros at the end (of 000, one is).
_DIGITS = np.frombuffer(b"".join(b"%03d" % number for number in range(_THOUSAND)), np.uint8).reshape(_THOUSAND, 3)
_SHORT = np.array([max(len((b"%03d" % number).rstrip(b"0")), 1) for number in range(_THOUSAND)], np.int64)

_QUOTE, _BACKSLASH, _COMMA, _CLOSE, _MINUS, _POINT, _ZERO, _E, _BRACE = b'"\\,]-.0e}'
_ENTRY = b'{"item_id":'
_SCORE = b',"score":'
_PARTS = b',"parts":{'


@jit
def _token_end(text: Bytes, start: int) -> int:
    """Return where the element of a flat JSON array ends that begins at ``start``."""
    at = start
    if text[np.uintp(at)] == _QUOTE:
        at += 1
        while text[np.uintp(at)] != _QUOTE:
            at += 2 if text[np.uintp(at)] == _BACKSLASH else 1
        return at + 1
    while text[np.uintp(at)] != _COMMA and text[np.uintp(at)] != _CLOSE:
        at += 1
    return at


@jit
def _put(out: Bytes, at: int, sign: int) -> int:
    out[np.uintp(at)] = sign
    return at + 1


@jit
def _three(out: Bytes, at: int, number: int) -> None:
    for place in range(3):
        out[np.uintp(at + place)] = _DIGITS[np.uintp(number), np.uintp(place)]


@jit
def _write_number(out: Bytes, at: int, units: int) -> int:
    """Write ``units`` millionths as orjson writes the nearest float: in as few digits as name it."""
    if units < 0:
        at = _put(out, at, _MINUS)
        units = -units
    whole, rest = units // _UNIT, units % _UNIT
    if whole < 10:
        if whole == 0 and 0 < rest < 10:  # 7e-6
            at = _put(out, at, _ZERO + rest)
            at = _put(out, at, _E)
            at = _put(out, at, _MINUS)
            return _put(out, at, _ZERO + 6)
        at = _put(out, at, _ZERO + whole)
    else:
        length, power = 1, 10
        while whole >= power:
            length, power = length + 1, power * 10
        for place in range(at + length - 1, at - 1, -1):
            _put(out, place, _ZERO + whole % 10)
            whole //= 10
        at += length
    at = _put(out, at, _POINT)
    high, low = rest // _THOUSAND, rest % _THOUSAND
    _three(out, at, high)
    if low:
        _three(out, at + 3, low)
        at, high = at + 3, low
    shown: int = _SHORT[np.uintp(high)]
    return at + shown


@jit
def _write(
    out: Bytes,
    ends: Ints,
    fixed: Bytes,
    fixed_ends: Ints,
    columns: Bytes,
    cursors: Ints,
    items: npt.NDArray[np.int32],
    parts: npt.NDArray[np.float64],
    ids: Bytes,
    id_ends: Ints,
    names: Bytes,
    name_ends: Ints,
) -> bool:
    """Write all lists one after the other, note where each ends, and return whether every number could be written.

    ``fixed`` holds the text before each column's element, before the entries, and the three texts of an entry;
    ``cursors`` is where each column's first element lies in ``columns``.
    """
    last = cursors.size
    units = np.empty(parts.shape[2], np.int64)
    at = 0
    for row in range(items.shape[0]):
        start = 0
        for column in range(last):
            at = copy_bytes(out, at, fixed, start, fixed_ends[column])
            start = fixed_ends[column]
            end = _token_end(columns, cursors[column])
            at = copy_bytes(out, at, columns, cursors[column], end)
            cursors[column] = end + 1
        at = copy_bytes(out, at, fixed, start, fixed_ends[last])
        for place in range(items.shape[1]):
            item = np.int64(items[row, place])
            if item < 0:
                break
            if place:
                at = _put(out, at, _COMMA)
            total = 0
            for part in range(units.size):
                rounded = np.rint(parts[row, place, part] * _UNIT)
                if not abs(rounded) < _MOST_UNITS:
                    return False
                units[part] = np.int64(rounded)
                total += units[part]
            at = copy_bytes(out, at, fixed, fixed_ends[last], fixed_ends[last + 1])
            at = copy_bytes(out, at, ids, id_ends[item], id_ends[item + 1] - 1)
            at = copy_bytes(out, at, fixed, fixed_ends[last + 1], fixed_ends[last + 2])
            at = _write_number(out, at, total)
            at = copy_bytes(out, at, fixed, fixed_ends[last + 2], fixed_ends[last + 3])
            first = True
            for part in range(units.size):
                if units[part] != 0:
                    if not first:
                        at = _put(out, at, _COMMA)
                    first = False
                    at = copy_bytes(out, at, names, name_ends[part], name_ends[part + 1])
                    at = _write_number(out, at, units[part])
            at = _put(out, _put(out, at, _BRACE), _BRACE)
        at = _put(out, _put(out, at, _CLOSE), _BRACE)
        ends[row + 1] = at
    return True


@jit
def _ends_of(text: Bytes, used: int, ends: Ints) -> int:
    """Note where each element of a JSON array ends, its comma included, and return the length of the longest."""
    at, longest = 1, 0
    for place in range(ends.size):
        end = _token_end(text, at)
        longest = max(longest, end - at)
        at = end + 1
        ends[place] = used + at - 1
    return longest


class _Texts:
    """Texts as JSON in one buffer that grows, each with a comma behind it: text i is buffer[ends[i]:ends[i + 1] - 1].

    They are encoded as one array: a million small objects of orjson's would cost 4 GB for as long as the process lives.
    """

    def __init__(self) -> None:
        self.buffer: Bytes = np.empty(1 << 16, np.uint8)
        self.ends: Ints = np.zeros(1 << 12, np.int64)
        self.size = 0
        self.longest = 0

    def add(self, texts: list[str]) -> None:
        """Append texts."""
        encoded = np.frombuffer(orjson.dumps(texts), np.uint8)
        size = self.size + len(texts)
        if size >= self.ends.size:
            self.ends = np.concatenate([self.ends, np.zeros(max(self.ends.size, size), np.int64)])
        used = int(self.ends[self.size])
        needed = used + encoded.size - 1  # without the opening bracket; the closing one stands for the last comma
        if needed > self.buffer.size:
            self.buffer = np.concatenate([self.buffer, np.empty(max(self.buffer.size, needed), np.uint8)])
        self.buffer[used:needed] = encoded[1:]
        self.longest = max(self.longest, _ends_of(encoded, used, self.ends[self.size + 1 : size + 1]))
        self.size = size


class ListEncoder:
    """Writes the lists of one worker; ids that the state has numbered since are learnt as they come.

    Making one compiles the kernel, or reads what was compiled before: seconds, or a fraction of one. One thread at a
    time may use it.

    >>> encoder = ListEncoder(("visual", "popularity"), preset="paper", catalogue="f1")
    >>> top = TopK(
    ...     np.array([[1, -1]], np.int32), np.zeros((1, 2)), np.array([[[0.5, -0.25], [0, 0]]]), encoder.part_names
    ... )
    >>> heads = Heads(["ann"], [1], ["7f8d"], ["i0"], [1600000000000], [0], [9], [None], [0.5], [0.25])
    >>> [raw] = encoder.encode(heads, top, epoch=5, made_at_ms=1600000000001, ids=["i0", "i1"])
    >>> raw.partition(b'"percentile":0.25,')[2]
    b'"entries":[{"item_id":"i1","score":0.25,"parts":{"visual":0.5,"popularity":-0.25}}]}'
    """

    def __init__(self, part_names: Sequence[str], *, preset: str, catalogue: str) -> None:
        self.part_names = tuple(part_names)
        self._preset = preset
        self._catalogue = catalogue
        self._ids = _Texts()
        self._ids.add([])
        names = [orjson.dumps(name) + b":" for name in self.part_names]
        self._names: Bytes = np.frombuffer(b"".join(names), np.uint8)
        self._name_ends: Ints = np.cumsum([0, *map(len, names)], dtype=np.int64)
        self._entry_bytes = len(_ENTRY + _SCORE + _PARTS) + 3 + _NUMBER_BYTES
        self._entry_bytes += sum(len(name) + 1 + _NUMBER_BYTES for name in names)
        self._out: Bytes = np.empty(0, np.uint8)
        nobody = TopK(np.empty((0, 1), np.int32), np.empty((0, 1)), np.empty((0, 1, len(names))), self.part_names)
        self.encode(Heads(*[[]] * len(Heads._fields)), nobody, epoch=0, made_at_ms=0, ids=[])

    def of(self, catalogue: str) -> ListEncoder:
        """Return an encoder for lists of another catalogue, which has learnt the same ids: those of item numbers."""
        other = copy(self)
        other._catalogue = catalogue  # noqa: SLF001 - its own kind
        return other

    def lists(
        self,
        listed: Listings,
        top: TopK,
        sent_at_ms: Sequence[int | None],
        *,
        epoch: int,
        made_at_ms: int,
        ids: list[str],
    ) -> Sequence[bytes]:
        """Return one JSON object for each listed purchase, as :func:`~trendloom.refresh.lists.encode_lists` does."""
        heads = heads_of(listed, sent_at_ms)
        return self.encode(heads, top, epoch=epoch, made_at_ms=made_at_ms, ids=ids)

    def encode(self, heads: Heads, top: TopK, *, epoch: int, made_at_ms: int, ids: list[str]) -> Sequence[bytes]:
        """Return one JSON object for each head and its row of ``top``, end to end unless the reference wrote them.

        ``ids`` holds the id of every item number; it may have grown since the last call, what was in it stays.
        Raises ``ValueError`` if the columns and rows are not of one length or the parts not those of this encoder,
        ``IndexError`` if an item has no id.
        """
        rows = top.items.shape[0]
        if top.part_names != self.part_names or {rows} != {len(column) for column in heads}:
            msg = f"{rows} lists of the parts {top.part_names}, {[len(column) for column in heads]} heads"
            raise ValueError(msg)
        if len(ids) > self._ids.size:
            self._ids.add(ids[self._ids.size :])
        if top.items.max(initial=-1) >= self._ids.size:
            msg = f"item {top.items.max()} of {self._ids.size}"
            raise IndexError(msg)
        fixed = _fixed(epoch, made_at_ms, self._preset, self._catalogue)
        columns = [orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY) for column in heads]
        joined = b"".join(columns)
        cursors = np.cumsum([1, *map(len, columns[:-1])], dtype=np.int64)
        room = len(joined) + rows * (sum(map(len, fixed)) + 2)
        room += top.items.size * (self._ids.longest + self._entry_bytes)
        if room > self._out.size:
            self._out = np.empty(room + room // 4, np.uint8)
        ends = np.zeros(rows + 1, np.int64)
        written = _write(
            self._out,
            ends,
            np.frombuffer(b"".join(fixed), np.uint8),
            np.cumsum([*map(len, fixed)], dtype=np.int64),
            np.frombuffer(joined, np.uint8),
            cursors,
            np.ascontiguousarray(top.items, np.int32),
            np.ascontiguousarray(top.parts, np.float64),
            self._ids.buffer,
            self._ids.ends,
            self._names,
            self._name_ends,
        )
        if not written:
            return encode_heads(
                heads,
                top,
                epoch=epoch,
                made_at_ms=made_at_ms,
                preset=self._preset,
                catalogue=self._catalogue,
                ids=ids,
            )
        return Joined(self._out[: ends[-1]].tobytes(), ends)


def _fixed(epoch: int, made_at_ms: int, preset: str, catalogue: str) -> list[bytes]:
    """Return the text before each column of the heads, before the entries, and the three texts of an entry."""
    return [
        b'{"schema_version":%d,"customer_id":' % SCHEMA_VERSION,
        b',"version":{"epoch":%d,"number":' % epoch,
        b'},"cause":{"event_id":',
        b',"item_id":',
        b',"occurred_at":',
        b',"partition":',
        b',"offset":',
        b'},"sent_at":',
        b',"made_at":%d,"preset":%b,"catalogue":%b,"trendiness":'
        % (made_at_ms, orjson.dumps(preset), orjson.dumps(catalogue)),
        b',"percentile":',
        b',"entries":[',
        _ENTRY,
        _SCORE,
        _PARTS,
    ]
