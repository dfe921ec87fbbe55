"""Writes the signals of the candidates of one purchase, compiled; their names are in ``signals.SIGNALS``.

Everything was counted before: evidence by :mod:`trendloom.relevance.learned.gathering`, chances and lifts by
:mod:`trendloom.relevance.learned.lifting`, popularity by a snapshot of all items. Read next:
:mod:`trendloom.relevance.learned.kernel`.
"""

from __future__ import annotations

import math

import numpy as np

from trendloom.relevance.compiled.steps import PLACE, SHIFT, dot, jit
from trendloom.relevance.learned.gathering import (
    BEST,
    COSINE,
    EVIDENCE,
    KNN,
    LAST,
    LAST_SHARE,
    NEAR,
    SHARE,
    TIMES,
    TWO_STEPS,
)
from trendloom.relevance.learned.signals import LIFT_POWERS, POPULARITY_POWER, STARTS

__all__ = ["describe", "fusion_of", "rank_column"]

_CO = STARTS["co_purchase"]
_PRODUCT = STARTS["product_co_purchase"]
_TWO = STARTS["two_steps"]
_POPULARITY = STARTS["popularity"]
_VARIANTS = STARTS["variants"]
_WORDS = STARTS["words"]
_VISUAL = STARTS["visual"]
_TABLE = STARTS["table"]
_REPURCHASE = STARTS["repurchase"]
_PERSON = STARTS["person"]
_PLACE = STARTS["place"]
_PRICE = STARTS["price"]
_SEASON = STARTS["season"]
_GROUP = STARTS["transition"]
_LIFTED = STARTS["lifted"]
_CUSTOMER = STARTS["customer"]
_FUSION = STARTS["fusion"]
_PER_ATTRIBUTE = STARTS["type"] - STARTS["transition"]
_GROUP_CODE, _COLOUR_CODE = 0, 2
_POWERS = LIFT_POWERS
_POPULARITY_POWER = POPULARITY_POWER
#: Without evidence a rank is this.
NOWHERE = 999.0
NEUTRAL = 0.5
UNISEX = 3
#: Logarithms of decayed counts are not followed further down.
_LEAST_LOG = -20.0
#: An item is taken to have been bought so many times more, as often in a store as all are.
_PLACED = 3.0
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
def log_price(item, priced, spent, scale):
    """Return the log of what an item costs on the mean over what a purchase does; 0 where no price is known."""
    if priced[item] == 0 or spent[item] <= 0.0 or scale <= 0.0:
        return 0.0
    return math.log(spent[item] / priced[item] * scale)


@jit
def describe(m, h, last, customer_gender, in_store, trendiness, slow_aged, fast_aged, shop, live, room):
    """Write the signals of the first m candidates into ``room.rows`` (C, F); see ``signals.SIGNALS`` for each.

    Ranks are left for :func:`rank_column`.
    """
    bought, weight, days, stamp = room.item, room.weight, room.days, room.stamp[0]
    evidence, product_evidence, product_slot = room.evidence, room.product_evidence, room.product_slot
    product, word, title, dense, photo_row = shop.product, shop.word, shop.title, shop.dense, shop.photo_row
    photos, tables, gender, store = shop.photos, shop.tables, shop.gender, shop.store
    purchases, slow, fast, percentile = live.purchases, live.slow, live.fast, live.percentile
    priced, spent, price_scale, season = live.priced, live.spent, live.price_scale, live.season
    with_season = season.shape[0] > 0
    chance, lift, log_lift, chance_last = room.chance, room.lift, room.log_lift, room.chance_last
    products, words, titles = np.empty(h, np.int64), np.empty(h, np.int64), np.empty(h, np.int64)
    total_weight = price_of_history = 0.0
    groups = today = 0.0
    for j in range(h):
        products[j], words[j], titles[j] = product[bought[j]], word[bought[j]], title[bought[j]]
        total_weight += weight[j]
        price_of_history += weight[j] * log_price(bought[j], priced, spent, price_scale)
        fresh = True
        for before in range(j):
            if dense[bought[before], _GROUP_CODE] == dense[bought[j], _GROUP_CODE]:
                fresh = False
        groups += 1.0 if fresh else 0.0
        today += 1.0 if days[j] == 0 else 0.0
    with_tables = tables.shape[0] > 0
    mean = room.mean
    if with_tables:
        mean[:] = 0.0
        for j in range(h):
            for d in range(mean.shape[0]):
                mean[d] += np.float32(weight[j] / total_weight) * tables[bought[j], d]
    n_products = float(max(shop.variant_starts.shape[0] - 2, 1))
    last_purchases = math.log(1.0 + purchases[last]) if last >= 0 else 0.0
    last_price = log_price(last, priced, spent, price_scale) if last >= 0 else 0.0
    last_product = product[last] if last >= 0 else -1
    last_word = word[last] if last >= 0 else -1

    for row in range(m):
        out, item, place = room.rows[row], room.candidate[row], room.place[row]
        out[_CO] = evidence[place, KNN]
        out[_CO + 1] = evidence[place, EVIDENCE]
        out[_CO + 2] = evidence[place, COSINE]
        out[_CO + 3] = evidence[place, BEST]
        out[_CO + 4] = evidence[place, LAST]
        out[_CO + 5] = evidence[place, LAST_SHARE]
        out[_CO + 6] = evidence[place, SHARE]
        out[_CO + 7] = evidence[place, TIMES]
        mine = product[item]
        for column in range(6):
            out[_PRODUCT + column] = 0.0
        if mine >= 0 and product_slot[mine] >> SHIFT == stamp:
            theirs = product_slot[mine] & PLACE
            out[_PRODUCT] = product_evidence[theirs, COSINE]
            out[_PRODUCT + 1] = product_evidence[theirs, EVIDENCE]
            out[_PRODUCT + 2] = product_evidence[theirs, BEST]
            out[_PRODUCT + 3] = product_evidence[theirs, LAST_SHARE]
            out[_PRODUCT + 4] = product_evidence[theirs, TIMES]
            colour = dense[item, _COLOUR_CODE]
            out[_PRODUCT + 5] = (
                product_evidence[theirs, COSINE]
                * math.sqrt(live.product_share[item])
                * (0.3 + (lift[_COLOUR_CODE, colour] if colour >= 0 else 0.0))
            )
        out[_TWO] = evidence[place, TWO_STEPS]

        sold, recent = math.log(1.0 + purchases[item]), max(slow[item] - slow_aged, _LEAST_LOG)
        out[_POPULARITY] = sold
        out[_POPULARITY + 1] = recent
        out[_POPULARITY + 2] = max(fast[item] - fast_aged, _LEAST_LOG)
        out[_POPULARITY + 3] = percentile[item]
        out[_POPULARITY + 4] = live.group_share[item]
        out[_POPULARITY + 5] = live.product_share[item]
        out[_POPULARITY + 6] = recent - sold
        out[_POPULARITY + 7] = math.log(1.0 + live.product_purchases[mine]) if mine >= 0 else sold
        out[_POPULARITY + 8] = mine / n_products if mine >= 0 else -1.0

        variant = variants = same_word = same_title = repurchase = 0.0
        apart, ago = 1e6, -1.0
        my_word, my_title = word[item], title[item]
        for j in range(h):
            if mine >= 0 and products[j] >= 0:
                if products[j] == mine:
                    variant += weight[j]
                    variants += 1.0
                apart = min(apart, float(abs(products[j] - mine)))
            if my_word >= 0 and words[j] == my_word:
                same_word += weight[j]
            if my_title >= 0 and titles[j] == my_title:
                same_title += weight[j]
            if bought[j] == item:
                repurchase += weight[j]
                ago = float(days[j])
        out[_VARIANTS] = variant
        out[_VARIANTS + 1] = 1.0 if mine >= 0 and last_product == mine else 0.0
        out[_VARIANTS + 2] = variants
        out[_VARIANTS + 3] = float(shop.variant_starts[mine + 1] - shop.variant_starts[mine]) if mine >= 0 else 1.0
        out[_WORDS] = same_word
        out[_WORDS + 1] = 1.0 if my_word >= 0 and last_word == my_word else 0.0
        out[_WORDS + 2] = 0.0
        if my_word >= 0:
            out[_WORDS + 2] = math.log(1.0 + (shop.word_starts[my_word + 1] - shop.word_starts[my_word]))
        out[_WORDS + 3] = same_title
        out[_WORDS + 4] = float(abs(last_product - mine)) if mine >= 0 and last_product >= 0 else 1e6
        out[_WORDS + 5] = apart

        for column in range(3):
            out[_VISUAL + column] = 0.0
            out[_TABLE + column] = 0.0
        for j in range(min(h, _COMPARED)):
            other = bought[j]
            by_table = dot(tables[item], tables[other]) if with_tables else 0.0
            alike = by_table
            if photo_row[item] >= 0 and photo_row[other] >= 0:
                alike = dot(photos[photo_row[item]], photos[photo_row[other]])
            if other == last:
                out[_VISUAL] = alike
                out[_TABLE] = by_table
            out[_VISUAL + 1] = max(out[_VISUAL + 1], alike)
            out[_TABLE + 1] = max(out[_TABLE + 1], by_table)
        out[_VISUAL + 2] = evidence[place, NEAR]
        if with_tables:
            out[_TABLE + 2] = dot(tables[item], mean)
        out[_REPURCHASE] = repurchase
        out[_REPURCHASE + 1] = ago

        theirs = gender[item]
        agrees = 1.0 if theirs in (customer_gender, UNISEX) else 0.0
        out[_PERSON] = NEUTRAL if customer_gender == 0 or theirs == 0 else agrees
        gap = percentile[item] - trendiness
        out[_PERSON + 1] = 1.0 - gap * gap
        out[_PERSON + 2] = room.near[store[item]] if store[item] >= 0 else NEUTRAL
        usual = live.in_store_share
        share = (live.in_store[item] + _PLACED * usual) / (purchases[item] + _PLACED)
        out[_PLACE] = share
        out[_PLACE + 1] = 1.0 if in_store else 0.0
        out[_PLACE + 2] = share / usual if in_store else (1.0 - share) / (1.0 - usual)

        price = log_price(item, priced, spent, price_scale)
        out[_PRICE] = price
        out[_PRICE + 1] = price - last_price
        out[_PRICE + 2] = price - (price_of_history / total_weight if total_weight > 0.0 else 0.0)
        for column in range(season.shape[1]):
            out[_SEASON + column] = season[item, column] if with_season else 0.0

        lifted = _POPULARITY_POWER * recent
        lifts = 0.0
        for a in range(dense.shape[1]):
            at, value = _GROUP + a * _PER_ATTRIBUTE, dense[item, a]
            for column in range(5):
                out[at + column] = 0.0
            if value >= 0:
                out[at] = chance[a, value]
                out[at + 1] = lift[a, value]
                out[at + 2] = chance_last[a, value]
                out[at + 3] = room.share[a, value]
                out[at + 4] = room.today[a, value]
                lifted += _POWERS[a] * log_lift[a, value]
                lifts += log_lift[a, value]
        out[_LIFTED] = lifted
        out[_LIFTED + 1] = lifts
        group = shop.group[item]
        out[_LIFTED + 3] = chance[_GROUP_CODE, group] * live.group_share[item] if group >= 0 else 0.0

        out[_CUSTOMER] = today
        out[_CUSTOMER + 1] = h
        out[_CUSTOMER + 2] = trendiness
        out[_CUSTOMER + 3] = last_purchases
        out[_CUSTOMER + 4] = room.knn[0]
        out[_CUSTOMER + 5] = room.knn[1]
        out[_CUSTOMER + 6] = groups
        out[_FUSION] = room.fused[row]


@jit
def rank_column(rows, n, column, into, order, value):
    """Write the rank, from 0, of each value but 0 of a column among the first n rows (E, F) into another column."""
    for row in range(n):
        value[row] = -rows[row, column]
    order[:n] = value[:n].argsort()
    for rank in range(n):
        row = order[rank]
        rows[row, into] = rank if rows[row, column] != 0.0 else NOWHERE
