"""The small steps of the compiled kernel; each takes numbers and single arrays.

A tuple of arrays handed to a function is copied whole at every call, which costs more than the work: only
:func:`~trendloom.relevance.compiled.kernel.rank` sees the tuples, which is to be read next.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from trendloom.relevance.compiled.prefetching import prefetch

__all__ = [
    "BUCKETS",
    "DROPPED_BITS",
    "FIRST",
    "PLACE",
    "SHIFT",
    "add_noted",
    "ask_for_cards",
    "ask_for_list",
    "ask_for_row",
    "best_insert",
    "dot",
    "gather",
    "haversine_km",
    "in_history",
    "jit",
    "keep_greatest",
    "kth_greatest",
    "note",
    "note_product",
    "power",
    "scaled",
    "similarity",
    "visual",
    "worth_a_look",
]

EARTH_RADIUS_KM = 6371.0
#: Compiled once and kept on disk; other threads may run meanwhile.
jit = numba.njit(cache=True, nogil=True, error_model="numpy")

#: A slot holds the stamp of a purchase above this many bits, and below them where that purchase noted the item.
SHIFT = 24
#: Positive numbers are told apart by 16 steps to a doubling, down to 2^-32 of the greatest.
BUCKETS = 512
DROPPED_BITS = 48
PLACE = (1 << SHIFT) - 1
#: A product that is not noted has place 0, of which nothing is ever said; what nobody asks for goes to one of so many
#: places after it, and noted products have those from FIRST on.
_UNREAD = 16
FIRST = 1 + _UNREAD
#: Numbers of four bytes in a cache line.
_LINE = 16


@jit
def note(item, n, stamp, second, cards, noted):
    """Return the place of an item, noting it first if it is new, and how many are noted; each room has its slots."""
    found = cards[item].second_slot if second else cards[item].slot
    if found >> SHIFT == stamp:
        return found & PLACE, n
    if second:
        cards[item].second_slot = (stamp << SHIFT) + n
    else:
        cards[item].slot = (stamp << SHIFT) + n
    noted[n] = item
    return n, n + 1


@jit
def ask_for_row(row, slots, columns, counts, length):
    """Ask for one row of counts, a cache line after the other, without waiting for it."""
    slot = slots[row] if 0 <= row < slots.shape[0] else -1
    if slot >= 0:
        for place in range(0, length[slot], _LINE):
            prefetch(columns, (slot, place))
            prefetch(counts, (slot, place))


@jit
def ask_for_list(item, items, similarity):
    """Ask for an item's list of others and their similarities, without waiting for them."""
    for place in range(0, items.shape[1], _LINE):
        prefetch(items, (item, place))
        prefetch(similarity, (item, place))


@jit
def ask_for_cards(items, cards):
    """Ask for the cards of items, as far as there are any, without waiting for them."""
    for place in range(items.shape[0]):
        if 0 <= items[place] < cards.shape[0]:
            prefetch(cards, (items[place],))


@jit
def gather(evidence, columns, counts, length, weight, size, items, n):
    """Add a row's weighted counts to the evidence (N,) of its columns; return how many items have some now.

    What had none is appended behind the first n items; there is no branch that is hard to foresee.
    """
    for c in range(length):
        column = np.uintp(columns[np.uintp(c)])
        if column < size:
            found = evidence[column]
            items[np.uintp(n)] = column
            n += found == 0.0
            evidence[column] = found + weight * counts[np.uintp(c)]
    return n


@jit
def add_noted(co, place_of, columns, counts, length, weight):
    """Add a row's weighted counts to the products that are noted; those of the others go where nobody reads."""
    size = place_of.shape[0]
    for c in range(length):
        column = np.uintp(columns[np.uintp(c)])
        if column < size:
            place = np.uintp(place_of[column])
            unread = np.uintp(1) + np.uintp(c) % np.uintp(_UNREAD)  # were it one place, sums would wait for each other
            co[place if place > 0 else unread] += weight * counts[np.uintp(c)]


@jit
def note_product(product, n, place_of, products, co, recency):
    """Return the place of a product, noting it first if it is new, and how many are noted; the first is FIRST."""
    found = place_of[product]
    if found > 0:
        return found, n
    place = n + FIRST
    place_of[product] = place
    products[n] = product
    co[place] = 0.0
    recency[place] = 0.0
    return place, n + 1


@numba.njit(cache=True, nogil=True, fastmath=True)
def dot(a, b):
    """Return the dot product of two rows in single precision."""
    total = np.float32(0.0)
    for d in range(a.shape[0]):
        total += a[d] * b[d]
    return float(total)


@jit
def similarity(a, b, cards, photos, tables):
    """Return the similarity of two items, as :func:`trendloom.relevance.visual.similarity` does."""
    if a < 0 or b < 0:
        return 0.0
    row, column = cards[a].photo_row, cards[b].photo_row
    if row >= 0 and column >= 0:
        return dot(photos[row], photos[column])
    if tables.shape[0] > 0:
        return dot(tables[a], tables[b])
    return 0.0


@jit
def keep_greatest(value, greatest, n):
    """Put a value in its place among the n greatest so far, in descending order; return how many there are now."""
    size = greatest.shape[0]
    if n == size and value <= greatest[size - 1]:
        return n
    at = n if n < size else size - 1
    while at > 0 and greatest[at - 1] < value:
        greatest[at] = greatest[at - 1]
        at -= 1
    greatest[at] = value
    return min(n + 1, size)


@jit
def kth_greatest(values, n, k, counts):
    """Return the k-th greatest of values[:n], all positive, -inf if there are no more than k; values change places.

    They are counted by exponent and first digits, ``counts`` (:data:`BUCKETS`,) being room for that, and only those
    that share the k-th greatest's are looked at more closely.
    """
    if n <= k:
        return -np.inf
    bits = values.view(np.int64)  # of positive numbers these have the numbers' order
    top = bits[0]
    for place in range(n):
        top = max(top, bits[place])
    top >>= DROPPED_BITS
    counts[:] = 0
    for place in range(n):
        counts[min(top - (bits[place] >> DROPPED_BITS), BUCKETS - 1)] += 1
    before = bucket = 0
    while before + counts[bucket] < k:
        before += counts[bucket]
        bucket += 1
    m = 0
    for place in range(n):
        if min(top - (bits[place] >> DROPPED_BITS), BUCKETS - 1) == bucket:
            values[m] = values[place]
            m += 1
    return _selected(values, m, k - before)


@jit
def _selected(values, n, k):
    """Return the k-th greatest of values[:n], k not being more than n."""
    low, high, wanted = 0, n - 1, k - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return values[wanted]


@jit
def power(base, exponent):
    """Return base^exponent, quickly for the exponents that the presets have."""
    if exponent == 2.0:
        return base * base
    if exponent == 4.0:
        return base * base * base * base
    return base**exponent


@jit
def scaled(value, low, high):
    """Return the min-max scaled value, as :func:`trendloom.relevance.popularity_fit.minmax` does."""
    if high > low:
        return (min(max(value, low), high) - low) / (high - low)
    return 1.0


@jit
def visual(cosine, low, high, extremes):
    """Return what a cosine is worth before its weight."""
    if extremes:
        return scaled(cosine, low, high)
    return max(cosine, 0.0)


@jit
def in_history(item, known, h):
    """Return whether an item is among the first h of a history."""
    for j in range(h):
        if known[j] == item:
            return True
    return False


@jit
def best_insert(score, item, place, best_score, best_item, best_place, n, k):
    """Keep the k best, the smaller item number first of equal scores; return how many there are."""
    if n == k and (score < best_score[k - 1] or (score == best_score[k - 1] and item > best_item[k - 1])):
        return n
    at = n if n < k else k - 1
    while at > 0 and (best_score[at - 1] < score or (best_score[at - 1] == score and best_item[at - 1] > item)):
        best_score[at] = best_score[at - 1]
        best_item[at] = best_item[at - 1]
        best_place[at] = best_place[at - 1]
        at -= 1
    best_score[at] = score
    best_item[at] = item
    best_place[at] = place
    return min(n + 1, k)


@jit
def worth_a_look(totals, low, high, trend, wanted, weight, exponent):
    """Return the range of ascending totals whose fit, times its weight, reaches what is wanted."""
    need = wanted / weight
    if need > 1.0:
        return 0, 0
    if need <= 0.0 or high <= low:
        return 0, totals.shape[0]
    gap = (1.0 - need) ** (1.0 / exponent) + 1e-9
    start = np.searchsorted(totals, low + (trend - gap) * (high - low)) if trend > gap else 0
    end = totals.shape[0]
    if trend + gap < 1.0:
        end = np.searchsorted(totals, low + (trend + gap) * (high - low), side="right")
    return start, end


@jit
def haversine_km(lat_a, lon_a, lat_b, lon_b):
    """Return a distance, as :func:`trendloom.relevance.store_distance.haversine_km` does."""
    a, b = math.radians(lat_a), math.radians(lat_b)
    d_lon = math.radians(lon_a) - math.radians(lon_b)
    chord = math.sin((a - b) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(d_lon / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(max(chord, 0.0), 1.0)))
