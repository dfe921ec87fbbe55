"""Writes the signals of the candidates of one purchase, compiled; their names are in ``signals.SIGNALS``.

Everything was counted before: evidence by :mod:`trendloom.relevance.learned.gathering`, popularity by a snapshot of all
items. Read next: :mod:`trendloom.relevance.learned.kernel`.
"""

from __future__ import annotations

import math

from trendloom.relevance.compiled.steps import PLACE, SHIFT, dot, jit
from trendloom.relevance.learned.gathering import (
    BEST,
    COSINE,
    EVIDENCE,
    KNN,
    LAST,
    LAST_SHARE,
    TIMES,
    TWO_STEPS,
)
from trendloom.relevance.learned.signals import STARTS

__all__ = ["describe", "fusion_of", "rank_column"]

_CO = STARTS["co_purchase"]
_PRODUCT = STARTS["product_co_purchase"]
_TWO = STARTS["two_steps"]
_POPULARITY = STARTS["popularity"]
_VARIANTS = STARTS["variants"]
_WORDS = STARTS["words"]
_VISUAL = STARTS["visual"]
_REPURCHASE = STARTS["repurchase"]
_PERSON = STARTS["person"]
_GROUP = STARTS["transition"]
_CUSTOMER = STARTS["customer"]
_FUSION = STARTS["fusion"]
_PER_ATTRIBUTE = STARTS["type"] - STARTS["transition"]
KNN_RANK, TWO_RANK = _CO + 7, _TWO + 1
#: Without evidence a rank is this.
NOWHERE = 999.0
NEUTRAL = 0.5
UNISEX = 3
#: Logarithms of decayed counts are not followed further down.
_LEAST_LOG = -20.0
#: Photos of this many of the latest items are compared.
_COMPARED = 3


@jit
def fusion_of(
    item, place, bought, weight, h, evidence, product, product_slot, product_evidence, product_damping, product_share,
    group, group_chance, group_share, slow, aged, weights, variant_share, stamp,
):  # fmt: skip
    """Return the linear form of a candidate: ``weights`` are of co-purchase, products, groups, variants, popularity."""
    worth = weights[0] * evidence[place, KNN]
    mine = product[item]
    if mine >= 0:
        found = product_slot[mine]
        if found >> SHIFT == stamp:
            worth += (
                weights[1] * product_evidence[found & PLACE, EVIDENCE] / product_damping[mine] * product_share[item]
            )
        variant = 0.0
        for j in range(h):
            if product[bought[j]] == mine:
                variant += weight[j]
        worth += weights[3] * variant * (1.0 - variant_share + variant_share * product_share[item])
    if group[item] >= 0:
        worth += weights[2] * group_chance[group[item]] * group_share[item]
    return worth + weights[4] * math.exp(max(slow[item] - aged, _LEAST_LOG))


@jit
def describe(
    out, item, place, fusion, bought, weight, days, h, last, evidence, product_evidence, product_slot, stamp,
    product, variant_starts, purchases, slow, slow_aged, fast, fast_aged, percentile, group_share, product_share,
    word, word_starts, title, photo_row, photos, tables, gender, customer_gender, trendiness, store, near,
    dense, chance_now, lift_now, chance_last, share_now, today_now,
    today, h_all, last_purchases, most, total,
):  # fmt: skip
    """Write the signals of one candidate into out (F,); see ``signals.SIGNALS`` for what each is."""
    out[_CO] = evidence[place, KNN]
    out[_CO + 1] = evidence[place, EVIDENCE]
    out[_CO + 2] = evidence[place, COSINE]
    out[_CO + 3] = evidence[place, BEST]
    out[_CO + 4] = evidence[place, LAST]
    out[_CO + 5] = evidence[place, LAST_SHARE]
    out[_CO + 6] = evidence[place, TIMES]
    out[KNN_RANK] = NOWHERE
    mine = product[item]
    for column in range(5):
        out[_PRODUCT + column] = 0.0
    if mine >= 0 and product_slot[mine] >> SHIFT == stamp:
        theirs = product_slot[mine] & PLACE
        out[_PRODUCT] = product_evidence[theirs, COSINE]
        out[_PRODUCT + 1] = product_evidence[theirs, EVIDENCE]
        out[_PRODUCT + 2] = product_evidence[theirs, BEST]
        out[_PRODUCT + 3] = product_evidence[theirs, LAST_SHARE]
        out[_PRODUCT + 4] = product_evidence[theirs, TIMES]
    out[_TWO] = evidence[place, TWO_STEPS]
    out[TWO_RANK] = NOWHERE

    out[_POPULARITY] = math.log(1.0 + purchases[item])
    out[_POPULARITY + 1] = max(slow[item] - slow_aged, _LEAST_LOG)
    out[_POPULARITY + 2] = max(fast[item] - fast_aged, _LEAST_LOG)
    out[_POPULARITY + 3] = percentile[item]
    out[_POPULARITY + 4] = group_share[item]
    out[_POPULARITY + 5] = product_share[item]

    variant = variants = same_word = same_title = repurchase = 0.0
    apart, ago = 1e6, -1.0
    for j in range(h):
        other = bought[j]
        if mine >= 0 and product[other] == mine:
            variant += weight[j]
            variants += 1.0
        if word[item] >= 0 and word[other] == word[item]:
            same_word += weight[j]
        if title[item] >= 0 and title[other] == title[item]:
            same_title += weight[j]
        if other == item:
            repurchase += weight[j]
            ago = float(days[j])
        if mine >= 0 and product[other] >= 0:
            apart = min(apart, float(abs(product[other] - mine)))
    out[_VARIANTS] = variant
    out[_VARIANTS + 1] = 1.0 if mine >= 0 and last >= 0 and product[last] == mine else 0.0
    out[_VARIANTS + 2] = variants
    out[_VARIANTS + 3] = float(variant_starts[mine + 1] - variant_starts[mine]) if mine >= 0 else 1.0
    out[_WORDS] = same_word
    out[_WORDS + 1] = 1.0 if word[item] >= 0 and last >= 0 and word[last] == word[item] else 0.0
    out[_WORDS + 2] = 0.0
    if word[item] >= 0:
        out[_WORDS + 2] = math.log(1.0 + (word_starts[word[item] + 1] - word_starts[word[item]]))
    out[_WORDS + 3] = same_title
    out[_WORDS + 4] = 1e6
    if mine >= 0 and last >= 0 and product[last] >= 0:
        out[_WORDS + 4] = float(abs(product[last] - mine))
    out[_WORDS + 5] = apart

    out[_VISUAL] = out[_VISUAL + 1] = 0.0
    for j in range(min(h, _COMPARED)):
        other = bought[j]
        alike = 0.0
        if photo_row[item] >= 0 and photo_row[other] >= 0:
            alike = dot(photos[photo_row[item]], photos[photo_row[other]])
        elif tables.shape[0] > 0:
            alike = dot(tables[item], tables[other])
        if other == last:
            out[_VISUAL] = alike
        out[_VISUAL + 1] = max(out[_VISUAL + 1], alike)
    out[_REPURCHASE] = repurchase
    out[_REPURCHASE + 1] = ago

    theirs = gender[item]
    agrees = 1.0 if theirs in (customer_gender, UNISEX) else 0.0
    out[_PERSON] = NEUTRAL if customer_gender == 0 or theirs == 0 else agrees
    gap = percentile[item] - trendiness
    out[_PERSON + 1] = 1.0 - gap * gap
    out[_PERSON + 2] = near[store[item]] if store[item] >= 0 else NEUTRAL

    for a in range(dense.shape[1]):
        at, value = _GROUP + a * _PER_ATTRIBUTE, dense[item, a]
        for column in range(5):
            out[at + column] = 0.0
        if value >= 0:
            out[at] = chance_now[a, value]
            out[at + 1] = lift_now[a, value]
            out[at + 2] = chance_last[a, value]
            out[at + 3] = share_now[a, value]
            out[at + 4] = today_now[a, value]

    out[_CUSTOMER] = today
    out[_CUSTOMER + 1] = h_all
    out[_CUSTOMER + 2] = trendiness
    out[_CUSTOMER + 3] = last_purchases
    out[_CUSTOMER + 4] = most
    out[_CUSTOMER + 5] = total
    out[_FUSION] = fusion


@jit
def rank_column(rows, n, column, into, order, value):
    """Write the rank, from 0, of each positive value of a column among the first n rows (E, F) into another column."""
    for row in range(n):
        value[row] = -rows[row, column]
    order[:n] = value[:n].argsort()
    for rank in range(n):
        row = order[rank]
        rows[row, into] = rank if rows[row, column] > 0.0 else NOWHERE
