"""A batch of purchases answered by trees, as one compiled kernel: gather, describe, weigh, keep the best, explain.

Room and arrays are prepared by :mod:`trendloom.relevance.learned.lists`, which is to be read next; ties go to the
smaller item number.
"""

from __future__ import annotations

import numpy as np

from trendloom.relevance.compiled.steps import haversine_km, jit, kth_greatest
from trendloom.relevance.learned.describing import describe, fusion_of, rank_column
from trendloom.relevance.learned.gathering import (
    KNN,
    add_beside,
    add_co_purchases,
    add_groups,
    add_listed,
    add_near,
    add_products,
    add_two_steps,
    add_variants,
    add_words,
    read_history,
)
from trendloom.relevance.learned.lifting import add_by_section, add_lifted, forget_attributes, read_attributes
from trendloom.relevance.learned.signals import RANKED
from trendloom.relevance.learned.steps import sum_best, write_parts
from trendloom.relevance.query import NOT_IN_STORE

__all__ = ["answer", "candidates_of", "describe_some", "gather"]

DAY_MS = 86_400_000
NEUTRAL = 0.5


@jit
def gather(b, asked, shop, live, rules, room):
    """Write the candidates of purchase b into the room; return how many there are and how long the history is.

    ``room.candidate`` (C,) the item, ``room.from_source`` (C,) bits of the sources that proposed it. Who gathers
    describes or forgets (:func:`~trendloom.relevance.learned.lifting.forget_attributes`) before the next purchase.
    """
    size = shop.product.shape[0]
    room.stamp[0] += 1
    stamp = room.stamp[0]
    item, weight, days = room.item, room.weight, room.days
    at_ms = asked.at_ms[b]
    h = read_history(
        asked.history[b], asked.history_ms[b], at_ms, size, rules.position_decay, rules.day_decay, item, weight, days
    )
    last = asked.item[b] if 0 <= asked.item[b] < size else -1
    chance, lift = room.chance, room.lift
    read_attributes(
        item, weight, days, h, last, shop.dense, shop.sizes, live.chance, live.everybody,
        chance, lift, room.log_lift, room.chance_last, room.share, room.today,
    )  # fmt: skip

    # candidates
    take, slot, noted, evidence = rules.take, room.slot, room.noted, room.evidence
    source, value, chosen, counts = room.source, room.value, room.chosen, room.counts
    n = add_co_purchases(
        item, weight, h, live.co_slot, live.co_columns, live.co_counts, live.co_length, live.purchases, live.damping,
        take[0], stamp, slot, noted, evidence, source, value, counts,
    )  # fmt: skip
    n = add_two_steps(
        n, live.co_slot, live.co_columns, live.co_counts, live.co_length, live.purchases, take[6],
        stamp, slot, noted, evidence, source, value, counts,
    )  # fmt: skip
    n = add_products(
        n, item, weight, h, shop.product, live.product_slot, live.product_columns, live.product_counts,
        live.product_length, live.product_purchases, live.product_share, shop.variant_starts, shop.variant_items,
        live.purchases, lift[2], shop.colour, take[1], stamp, slot, noted, evidence, source, room.product_slot,
        room.products, room.product_evidence, value, chosen, counts,
    )  # fmt: skip
    n = add_variants(
        n, item, h, shop.product, shop.variant_starts, shop.variant_items, take[2], stamp, slot, noted, evidence, source
    )
    n = add_groups(
        n, chance[0], live.group_starts, live.group_items, live.group_share, shop.dense, lift[1], lift[2], take[3],
        stamp, slot, noted, evidence, source, value, chosen, counts,
    )  # fmt: skip
    n = add_listed(n, live.trending, take[4], 16, stamp, slot, noted, evidence, source)
    if last >= 0:
        n = add_listed(n, shop.neighbours[last], take[5], 32, stamp, slot, noted, evidence, source)
    n = add_words(
        n, item, h, shop.word, shop.word_starts, shop.word_items, live.purchases, live.product_share, chance[0],
        shop.group, lift[2], shop.colour, take[7], stamp, slot, noted, evidence, source, value, chosen, counts,
    )  # fmt: skip

    n = add_lifted(
        n, live.sold, live.sold_codes, live.sold_power, room.log_lift, shop.sizes, take[8], 256,
        room.worth, room.sold_value, room.sold_spare, stamp, slot, noted, evidence, source, counts,
    )  # fmt: skip
    n = add_by_section(
        n, live.sold, live.sold_codes, live.sold_fresh, chance, live.section_total, shop.sizes, take[9], 512,
        room.worth, room.sold_value, room.sold_spare, stamp, slot, noted, evidence, source, counts,
    )  # fmt: skip
    slow_aged = live.slow_rate_per_ms * (at_ms - live.landmark_ms)
    n = add_near(
        n, item, weight, h, shop.neighbours, live.slow, slow_aged, take[10], 1024,
        stamp, slot, noted, evidence, source, value, counts,
    )  # fmt: skip
    n = add_beside(
        n, item, weight, h, shop.product, shop.variant_starts, shop.variant_items, live.purchases, live.slow, slow_aged,
        take[11], 2048, stamp, slot, noted, evidence, source, value, chosen, counts,
    )  # fmt: skip

    # what must not be listed is none; of the others the best by the linear form are described
    view = shop.view_group[last] if rules.exclude_other_views and last >= 0 else -1
    for j in range(asked.history.shape[1]):
        known = asked.history[b, j]
        if 0 <= known < size and slot[known] >> 24 == stamp:
            ago = max(at_ms // DAY_MS - asked.history_ms[b, j] // DAY_MS, 0)
            if ago == 0 or at_ms - asked.history_ms[b, j] < rules.just_bought_ms:
                source[slot[known] & 0xFFFFFF] = 0
    most = total = 0.0
    found = 0
    fusion = room.fusion
    for place in range(n):
        most = max(most, evidence[place, KNN])
        total += evidence[place, KNN]
        if source[place] == 0 or (view >= 0 and shop.view_group[noted[place]] == view):
            continue
        if live.barred.shape[0] > noted[place] and live.barred[noted[place]]:
            continue
        fusion[found] = fusion_of(
            noted[place], place, item, weight, h, evidence, shop.product, room.product_slot, room.product_evidence,
            live.product_damping, live.product_share, shop.group, chance[0], live.group_share, live.slow, slow_aged,
            rules.weights, rules.variant_share, stamp,
        )  # fmt: skip
        chosen[found] = place
        found += 1
        if found == chosen.shape[0]:
            break
    for place in range(found):
        value[place] = fusion[place] + 1e-300
    least = kth_greatest(value, found, room.candidate.shape[0], counts)

    m = 0
    for at in range(found):
        if fusion[at] + 1e-300 < least or m == room.candidate.shape[0]:
            continue
        place = chosen[at]
        room.candidate[m] = noted[place]
        room.from_source[m] = source[place]
        room.place[m] = place
        room.fused[m] = fusion[at]
        m += 1
    room.knn[0], room.knn[1] = most, total
    return m, h


@jit
def candidates_of(b, asked, shop, live, rules, room):
    """Write the candidates of purchase b and their signals, ``room.rows`` (C, F); return how many there are."""
    m, h = gather(b, asked, shop, live, rules, room)
    gender = _gender(shop.gender, room.item, h)
    _near(asked.stores[b], shop.store, room.item, h, shop.latitude_deg, shop.longitude_deg, rules.scale_km, room.near)
    last = asked.item[b] if 0 <= asked.item[b] < shop.product.shape[0] else -1
    elapsed_ms = asked.at_ms[b] - live.landmark_ms
    slow_aged, fast_aged = live.slow_rate_per_ms * elapsed_ms, live.fast_rate_per_ms * elapsed_ms
    in_store = asked.stores[b, 0] != NOT_IN_STORE
    describe(m, h, last, gender, in_store, asked.trendiness[b], slow_aged, fast_aged, shop, live, room)
    for by, into in RANKED:
        rank_column(room.rows, m, by, into, room.order, room.value)
    forget_attributes(room.item, h, shop.dense, room.share, room.today)
    return m


@jit
def describe_some(begin, end, asked, shop, live, rules, room, out_size, out_item, out_source, out_rows):
    """Write the candidates of the purchases begin .. end - 1 and their signals: (S,), (S, C), (S, C), (S, C, F)."""
    for b in range(begin, end):
        m = candidates_of(b, asked, shop, live, rules, room)
        out_size[b - begin] = m
        for row in range(m):
            out_item[b - begin, row] = room.candidate[row]
            out_source[b - begin, row] = room.from_source[row]
            out_rows[b - begin, row, :] = room.rows[row]


@jit
def answer(asked, shop, live, rules, room, forest, part_of_signal, out_item, out_score, out_parts):
    """Write the top k of every purchase into out_item (B, k), out_score (B, k) and out_parts (B, k, P)."""
    k, n_parts = out_item.shape[1], out_parts.shape[2]
    base = 0.0
    for tree in range(forest.root.shape[0]):
        base += forest.value[forest.root[tree]]
    for b in range(asked.item.shape[0]):
        m = candidates_of(b, asked, shop, live, rules, room)
        sum_best(
            room.rows, m, forest.asks, forest.limit, forest.first, forest.worth, forest.start, forest.steps,
            rules.first_trees, max(rules.walked, k), room.sum, room.walk, room.order, room.fused, room.counts,
        )  # fmt: skip
        for place in range(k):
            out_item[b, place] = -1
            out_score[b, place] = 0.0
            out_parts[b, place, :] = 0.0
        n_best = 0
        best = room.order
        for row in range(m):
            score, item = room.sum[row], room.candidate[row]
            if score == -np.inf:
                continue
            if n_best == k:
                worst = best[k - 1]
                if score < room.sum[worst] or (score == room.sum[worst] and item > room.candidate[worst]):
                    continue
            at = n_best if n_best < k else k - 1
            while at > 0 and (
                room.sum[best[at - 1]] < score
                or (room.sum[best[at - 1]] == score and room.candidate[best[at - 1]] > item)
            ):
                best[at] = best[at - 1]
                at -= 1
            best[at] = row
            n_best = min(n_best + 1, k)
        for place in range(n_best):
            row = best[place]
            out_item[b, place] = room.candidate[row]
            write_parts(
                room.rows[row], forest.signal, forest.threshold, forest.left, forest.right, forest.value, forest.root,
                room.of_signal,
            )  # fmt: skip
            for signal in range(part_of_signal.shape[0]):
                out_parts[b, place, part_of_signal[signal]] += room.of_signal[signal]
            out_parts[b, place, n_parts - 1] += base
            for part in range(n_parts):
                out_score[b, place] += out_parts[b, place, part]


@jit
def _gender(gender, item, h):
    """Return the gender of most items of a history among women, men and kids; 0 where none says."""
    women = men = kids = 0
    for j in range(h):
        code = gender[item[j]]
        women += code == 1
        men += code == 2
        kids += code == 4
    if women == 0 and men == 0 and kids == 0:
        return 0
    if women >= men and women >= kids:
        return 1
    return 2 if men >= kids else 4


@jit
def _near(stores, store, item, h, latitude_deg, longitude_deg, scale_km, near):
    """Write how near each store (S,) is to the customer's home, the mean of the stores bought from, in [0, 1]."""
    n_stores = latitude_deg.shape[0]
    if n_stores == 0:
        return
    latitude = longitude = count = 0.0
    for j in range(stores.shape[0]):
        if 0 <= stores[j] < n_stores:
            latitude += latitude_deg[stores[j]]
            longitude += longitude_deg[stores[j]]
            count += 1.0
    if count == 0.0:
        for j in range(h):
            if store[item[j]] >= 0:
                latitude += latitude_deg[store[item[j]]]
                longitude += longitude_deg[store[item[j]]]
                count += 1.0
    for place in range(n_stores):
        near[place] = NEUTRAL
        if count > 0.0:
            km = haversine_km(latitude / count, longitude / count, latitude_deg[place], longitude_deg[place])
            near[place] = np.exp(-km / scale_km)
