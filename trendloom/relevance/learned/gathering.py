"""Candidates of one purchase and the evidence for them, compiled: co-purchase, products, two steps, groups, words.

Every item that something is said of is noted once; evidence lies in a row of its place. The sources and their amounts
are those of the preset ``learned``. Read next: :mod:`trendloom.relevance.learned.describing`.
"""

from __future__ import annotations

import math

from trendloom.relevance.compiled.steps import PLACE, SHIFT, jit, kth_greatest

__all__ = [
    "BEST",
    "COSINE",
    "EVIDENCE",
    "KNN",
    "LAST",
    "LAST_SHARE",
    "NEAR",
    "N_EVIDENCE",
    "SHARE",
    "SOURCES",
    "TIMES",
    "TWO_STEPS",
    "add_beside",
    "add_co_purchases",
    "add_groups",
    "add_listed",
    "add_near",
    "add_products",
    "add_two_steps",
    "add_variants",
    "add_words",
    "noted",
    "read_history",
]

DAY_MS = 86_400_000
# columns of the evidence for an item (R, N_EVIDENCE), and the first five for a product
EVIDENCE, COSINE, BEST, TIMES, LAST_SHARE, LAST, KNN, TWO_STEPS, NEAR, SHARE = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
N_EVIDENCE = 10
#: Sources of candidates; source s sets bit s.
SOURCES = (
    "co_purchase",
    "products",
    "variants",
    "groups",
    "trending",
    "neighbours",
    "two_steps",
    "words",
    "lifted",
    "section",
    "near",
    "beside",
)
#: Rows of this many neighbours are followed a second step.
_FOLLOWED = 20
#: Words that begin more titles than this say nothing.
_MOST_OF_WORD = 400
#: Products that propose their items, and groups that propose their most popular ones.
_PRODUCTS = 40
_GROUPS = 16
_IN_GROUP = 30
#: Neighbours of so many of the latest items are looked at, each weighing a little less than the one before it.
_LOOKED_AT = 8
_PER_PLACE = 0.97
#: Products so far to both sides in the catalogue's order stand beside a product.
_BESIDE = 4


@jit
def noted(item, n, stamp, slot, items, evidence, source):
    """Return the place of an item, noting it first with no evidence if it is new, and how many are noted."""
    found = slot[item]
    if found >> SHIFT == stamp:
        return found & PLACE, n
    slot[item] = (stamp << SHIFT) + n
    items[n] = item
    evidence[n, :] = 0.0
    source[n] = 0
    return n, n + 1


@jit
def read_history(history, history_ms, at_ms, size, position_decay, day_decay, item, weight, days):
    """Write the distinct items of a history (H,), newest first, their weights and days ago; return how many.

    Items that the catalogue does not know are left out, but take a position.
    """
    known = position = 0
    for j in range(history.shape[0]):
        bought = history[j]
        if bought < 0:
            continue
        seen = False
        for before in range(j):
            if history[before] == bought:
                seen = True
        if seen:
            continue
        ago = max(at_ms // DAY_MS - history_ms[j] // DAY_MS, 0)
        if bought < size:
            item[known] = bought
            weight[known] = position_decay**position * day_decay**ago
            days[known] = ago
            known += 1
        position += 1
    return known


@jit
def add_co_purchases(
    bought, weight, h, co_slot, co_columns, co_counts, co_length, purchases, damping, limit,
    stamp, slot, items, evidence, source, value, counts,
):  # fmt: skip
    """Note all that was bought together with the h items bought; mark the ``limit`` best; return how many are noted."""
    n, size = 0, slot.shape[0]
    for j in range(h):
        row = co_slot[bought[j]] if bought[j] < co_slot.shape[0] else -1
        if row < 0:
            continue
        theirs = purchases[bought[j]] + 1.0
        for c in range(co_length[row]):
            item = co_columns[row, c]
            if item >= size:
                continue
            place, n = noted(item, n, stamp, slot, items, evidence, source)
            count = 0.5 * co_counts[row, c]
            cosine = count / math.sqrt((purchases[item] + 5.0) * (theirs + 5.0))
            evidence[place, EVIDENCE] += weight[j] * count
            evidence[place, COSINE] += weight[j] * cosine
            evidence[place, BEST] = max(evidence[place, BEST], cosine)
            evidence[place, TIMES] += 1.0
            evidence[place, SHARE] += weight[j] * count / (theirs + 10.0)
            if j == 0:
                evidence[place, LAST] = count
                evidence[place, LAST_SHARE] = count / (theirs + 10.0)
    for place in range(n):
        value[place] = evidence[place, KNN] = evidence[place, EVIDENCE] / damping[items[place]]
    least = kth_greatest(value, n, limit, counts)
    for place in range(n):
        if evidence[place, KNN] >= least:
            source[place] |= 1
    return n


@jit
def add_two_steps(
    n, co_slot, co_columns, co_counts, co_length, purchases, limit,
    stamp, slot, items, evidence, source, value, counts,
):  # fmt: skip
    """Note what was bought together with the best co-purchases; mark the ``limit`` best; return how many are noted."""
    size, first = slot.shape[0], n
    for place in range(first):
        value[place] = evidence[place, KNN]
    least = kth_greatest(value, first, _FOLLOWED, counts)
    for step in range(first):
        if evidence[step, KNN] < least or evidence[step, KNN] <= 0.0:
            continue
        row = co_slot[items[step]] if items[step] < co_slot.shape[0] else -1
        if row < 0:
            continue
        weight = 0.5 * evidence[step, KNN] / (purchases[items[step]] + 10.0)
        for c in range(co_length[row]):
            item = co_columns[row, c]
            if item < size:
                place, n = noted(item, n, stamp, slot, items, evidence, source)
                evidence[place, TWO_STEPS] += weight * co_counts[row, c]
    met = 0
    for place in range(n):
        if evidence[place, TWO_STEPS] > 0.0:
            evidence[place, TWO_STEPS] /= math.sqrt(purchases[items[place]] + 30.0)
            value[met] = evidence[place, TWO_STEPS]
            met += 1
    least = kth_greatest(value, met, limit, counts)
    for place in range(n):
        if evidence[place, TWO_STEPS] > 0.0 and evidence[place, TWO_STEPS] >= least:
            source[place] |= 64
    return n


@jit
def add_products(
    n, bought, weight, h, product, pr_slot, pr_columns, pr_counts, pr_length, product_purchases, product_share,
    variant_starts, variant_items, purchases, colour_lift, colour, limit,
    stamp, slot, items, evidence, source, product_slot, products, product_evidence, value, chosen, counts,
):  # fmt: skip
    """Note products bought together with those of the history, and the likeliest items of the best of them."""
    met = 0
    for j in range(h):
        mine = product[bought[j]]
        row = pr_slot[mine] if 0 <= mine < pr_slot.shape[0] else -1
        if row < 0:
            continue
        for c in range(pr_length[row]):
            other = pr_columns[row, c]
            if other >= product_slot.shape[0]:
                continue
            found = product_slot[other]
            if found >> SHIFT == stamp:
                place = found & PLACE
            else:
                product_slot[other] = (stamp << SHIFT) + met
                products[met] = other
                product_evidence[met, :] = 0.0
                place = met
                met += 1
            count = 0.5 * pr_counts[row, c]
            cosine = count / math.sqrt((product_purchases[other] + 5.0) * (product_purchases[mine] + 5.0))
            product_evidence[place, EVIDENCE] += weight[j] * count
            product_evidence[place, COSINE] += weight[j] * cosine
            product_evidence[place, BEST] = max(product_evidence[place, BEST], cosine)
            product_evidence[place, TIMES] += 1.0
            if j == 0:
                product_evidence[place, LAST_SHARE] = count / (product_purchases[mine] + 10.0)
    for place in range(met):
        value[place] = product_evidence[place, COSINE]
    least = kth_greatest(value, met, _PRODUCTS, counts)
    found = 0
    for place in range(met):
        if product_evidence[place, COSINE] < least:
            continue
        other = products[place]
        for at in range(variant_starts[other], variant_starts[other + 1]):
            item = variant_items[at]
            if purchases[item] > 0 and found < chosen.shape[0]:
                lift = colour_lift[colour[item]] if colour[item] >= 0 else 0.0
                chosen[found] = item
                value[found] = product_evidence[place, COSINE] * math.sqrt(product_share[item]) * (0.3 + lift)
                found += 1
    return _mark(n, found, limit, 2, chosen, stamp, slot, items, evidence, source, value, counts)


@jit
def _mark(n, found, limit, bit, chosen, stamp, slot, items, evidence, source, value, counts):
    """Note and mark the ``limit`` best of the items chosen (found,) by their values, all positive."""
    if found == 0:
        return n
    worth = value[chosen.shape[0] : chosen.shape[0] + found]
    worth[:] = value[:found]
    least = kth_greatest(value, found, limit, counts)
    for place in range(found):
        if worth[place] >= least:
            at, n = noted(chosen[place], n, stamp, slot, items, evidence, source)
            source[at] |= bit
    return n


@jit
def add_variants(n, bought, h, product, variant_starts, variant_items, limit, stamp, slot, items, evidence, source):
    """Note the first ``limit`` items of each product of the history."""
    for j in range(h):
        mine = product[bought[j]]
        if mine < 0:
            continue
        for at in range(variant_starts[mine], min(variant_starts[mine + 1], variant_starts[mine] + limit)):
            place, n = noted(variant_items[at], n, stamp, slot, items, evidence, source)
            source[place] |= 4
    return n


@jit
def add_groups(
    n, chance, group_starts, group_items, group_share, dense, type_lift, colour_lift, limit,
    stamp, slot, items, evidence, source, value, chosen, counts,
):  # fmt: skip
    """Note the popular items of the likely groups (G,), those of a likely type and colour first."""
    n_groups = min(group_starts.shape[0] - 1, chance.shape[0])
    for g in range(n_groups):
        value[g] = chance[g] + 1e-12
    least = kth_greatest(value, n_groups, _GROUPS, counts)
    found = 0
    for g in range(n_groups):
        if chance[g] + 1e-12 < least or chance[g] <= 0.0:
            continue
        for at in range(group_starts[g], min(group_starts[g + 1], group_starts[g] + _IN_GROUP)):
            if found == chosen.shape[0]:
                break
            item = group_items[at]
            kind, colour = dense[item, 1], dense[item, 2]
            likely = (0.3 + (type_lift[kind] if kind >= 0 else 0.0)) * (
                0.3 + (colour_lift[colour] if colour >= 0 else 0.0)
            )
            chosen[found] = item
            value[found] = chance[g] * group_share[item] * likely + 1e-300
            found += 1
    return _mark(n, found, limit, 8, chosen, stamp, slot, items, evidence, source, value, counts)


@jit
def add_listed(n, listed, limit, bit, stamp, slot, items, evidence, source):
    """Note the first ``limit`` items of a list that is padded with -1."""
    for at in range(min(limit, listed.shape[0])):
        if listed[at] < 0:
            break
        place, n = noted(listed[at], n, stamp, slot, items, evidence, source)
        source[place] |= bit
    return n


@jit
def add_beside(
    n, bought, weight, h, product, variant_starts, variant_items, purchases, slow, slow_aged, limit, bit,
    stamp, slot, items, evidence, source, value, chosen, counts,
):  # fmt: skip
    """Note what was sold of products beside the latest ones in the catalogue's order, where a collection lies together.

    The ``limit`` best by the root of popularity over the distance.
    """
    found, last = 0, variant_starts.shape[0] - 2
    for j in range(min(h, _LOOKED_AT)):
        mine = product[bought[j]]
        if mine < 0 or limit <= 0:
            continue
        for other in range(max(mine - _BESIDE, 0), min(mine + _BESIDE, last) + 1):
            if other == mine:
                continue
            for at in range(variant_starts[other], variant_starts[other + 1]):
                item = variant_items[at]
                if purchases[item] > 0 and found < chosen.shape[0]:
                    chosen[found] = item
                    value[found] = weight[j] * math.exp(0.5 * max(slow[item] - slow_aged, -20.0)) / abs(other - mine)
                    found += 1
    return _mark(n, found, limit, bit, chosen, stamp, slot, items, evidence, source, value, counts)


@jit
def add_near(
    n, bought, weight, h, neighbours, slow, slow_aged, limit, bit,
    stamp, slot, items, evidence, source, value, counts,
):  # fmt: skip
    """Note what looks like the latest items, times the root of its popularity; mark the ``limit`` best."""
    if limit <= 0:
        return n
    for j in range(min(h, _LOOKED_AT)):
        worth = weight[j]
        for m in range(neighbours.shape[1]):
            item = neighbours[bought[j], m]
            if item < 0:
                break
            place, n = noted(item, n, stamp, slot, items, evidence, source)
            evidence[place, NEAR] += worth
            worth *= _PER_PLACE
    met = 0
    for place in range(n):
        if evidence[place, NEAR] > 0.0:
            value[met] = evidence[place, NEAR] * math.exp(0.5 * max(slow[items[place]] - slow_aged, -20.0))
            met += 1
    worths = value[value.shape[0] - met :]
    worths[:] = value[:met]
    least = kth_greatest(value, met, limit, counts)
    met = 0
    for place in range(n):
        if evidence[place, NEAR] > 0.0:
            if worths[met] >= least:
                source[place] |= bit
            met += 1
    return n


@jit
def add_words(
    n, bought, h, word, word_starts, word_items, purchases, product_share, group_chance, group, colour_lift, colour,
    limit, stamp, slot, items, evidence, source, value, chosen, counts,
):  # fmt: skip
    """Note sold items whose titles begin like those of the latest five items bought."""
    for j in range(min(h, 5)):
        mine = word[bought[j]]
        if mine < 0 or word_starts[mine + 1] - word_starts[mine] > _MOST_OF_WORD:
            continue
        found = 0
        for at in range(word_starts[mine], word_starts[mine + 1]):
            item = word_items[at]
            if purchases[item] > 0 and found < chosen.shape[0]:
                chance = group_chance[group[item]] if group[item] >= 0 else 0.0
                lift = colour_lift[colour[item]] if colour[item] >= 0 else 0.0
                chosen[found] = item
                value[found] = chance * product_share[item] * (0.3 + lift) + 1e-9 * purchases[item]
                found += 1
        n = _mark(n, found, limit, 128, chosen, stamp, slot, items, evidence, source, value, counts)
    return n
