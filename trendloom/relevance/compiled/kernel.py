"""The relevance function as one compiled kernel: the parts, candidates and order of :mod:`trendloom.candidates`.

The numpy form there is the reference, and tests hold this one against it; here a list costs microseconds. Beyond the
reference's candidates, a preset that scales by extremes (``paper``) is also shown whatever may still beat the k-th best
by its popularity, so its lists are those of exhaustive scoring. Read next:
:mod:`trendloom.relevance.compiled.ranker`, which prepares the arrays.
"""

from __future__ import annotations

import math

import numpy as np

from trendloom.relevance.compiled.steps import (
    BUCKETS,
    add_noted,
    ask_for_cards,
    ask_for_list,
    ask_for_row,
    best_insert,
    dot,
    gather,
    haversine_km,
    in_history,
    jit,
    keep_greatest,
    kth_greatest,
    note,
    note_product,
    power,
    scaled,
    similarity,
    visual,
    worth_a_look,
)

__all__ = ["rank"]

DAY_MS = 86_400_000
NEUTRAL = 0.5
UNISEX = 3

# places in Weighing.weights: the order of presets.PART_NAMES
CO_PURCHASE, PRODUCT_CO_PURCHASE, TRANSITION, VARIANTS, POPULARITY, VISUAL = 0, 1, 2, 3, 4, 5
POPULARITY_FIT, CATEGORY, GENDER, PROXIMITY, REPURCHASE = 6, 7, 8, 9, 10
N_PARTS = 11


@jit
def rank(q, items, live, w, s, out_item, out_score, out_parts):
    """Write the top k of every purchase into out_item (B, k), out_score (B, k) and out_parts (B, k, P)."""
    cards, damping, photos, tables = items.cards, items.damping, items.photos, items.tables
    neighbours, neighbour_similarity = items.neighbours, items.neighbour_similarity
    lowest, lowest_similarity = items.lowest, items.lowest_similarity
    variant_starts, variant_items = items.variant_starts, items.variant_items
    latitude_deg, longitude_deg, affinity = items.latitude_deg, items.longitude_deg, items.affinity
    co_slot, co_columns, co_counts, co_length = live.co_slot, live.co_columns, live.co_counts, live.co_length
    pr_slot, pr_columns = live.product_slot, live.product_columns
    pr_counts, pr_length = live.product_counts, live.product_length
    chance, by_popularity, product_damping = live.chance, live.by_popularity, live.product_damping
    group_starts, group_items = live.group_starts, live.group_items
    least_items, most_items = live.least, live.most
    popular, popular_total, popular_vectors = live.popular, live.popular_total, live.popular_vectors
    vectors = photos if tables.shape[0] == 0 else tables  # what popular_vectors come from
    q_item, q_history, q_history_ms, q_at_ms = q.item, q.history, q.history_ms, q.at_ms
    q_stores, q_trendiness = q.stores, q.trendiness
    noted, wanted, co, cosine, repurchase = s.item, s.wanted, s.co, s.cosine, s.repurchase
    value, high_of, parts, order = s.value, s.high, s.parts, s.order
    product_place, product_co, product_recency = s.product_place, s.product_co, s.product_recency
    products, evident = s.products, s.evident
    chances, near = s.chances, s.near
    extremes, fit_exponent = w.extremes, w.fit_exponent
    size, n_products = cards.shape[0], variant_starts.shape[0] - 1
    n_groups, n_stores = chances.shape[0], latitude_deg.shape[0]
    width, k = q_history.shape[1], out_item.shape[1]
    known = np.empty(width, np.int64)  # history as the catalogue knows it, -1 else
    recency = np.empty(width)
    best_score, best_item, best_place = np.empty(k), np.empty(k, np.int64), np.empty(k, np.int64)
    best_groups = np.empty(max(w.groups, 1), np.int64)
    votes, agreement = np.zeros(5, np.int64), np.zeros(5)
    counts = np.empty(BUCKETS, np.int64)
    greatest = np.empty(k)
    weights, places = w.weights, w.places
    with_visual = places[VISUAL] >= 0
    with_products = places[PRODUCT_CO_PURCHASE] >= 0
    with_evidence = places[CO_PURCHASE] >= 0 or w.co_purchase > 0
    second = s.second
    for b in range(q_item.shape[0]):
        s.stamp[0] += 1
        stamp = s.stamp[0]
        n = n_seen = n_evident = 0
        at_ms = q_at_ms[b]
        bought = q_item[b] if 0 <= q_item[b] < size else -1

        # the history: what is known of it, how recent it is, what it bars
        position = 0
        for j in range(width):
            item = q_history[b, j]
            known[j] = item if 0 <= item < size else -1
            recency[j] = 0.0
            if item < 0:
                continue
            days = max(at_ms // DAY_MS - q_history_ms[b, j] // DAY_MS, 0)
            if not in_history(item, q_history[b], j):
                recency[j] = w.position_decay**position * w.day_decay**days
                position += 1
            if known[j] >= 0:
                place, n = note(known[j], n, stamp, second, cards, noted)
                repurchase[place] += recency[j]
                if (
                    places[REPURCHASE] < 0
                    or weights[REPURCHASE] <= 0.0
                    or days == 0
                    or at_ms - q_history_ms[b, j] < w.just_bought_ms
                ):
                    wanted[place] = -1
        view = cards[bought].view_group if w.exclude_other_views and bought >= 0 else -1

        # evidence: items and products bought together with those of the history
        for j in range(width if with_evidence else 0):
            item = q_history[b, j]
            slot = co_slot[item] if recency[j] > 0.0 and 0 <= item < co_slot.shape[0] else -1
            if slot >= 0:
                n_evident = gather(
                    co, co_columns[slot], co_counts[slot], co_length[slot], 0.5 * recency[j], size, evident, n_evident
                )

        # what the next purchases need comes from memory meanwhile: first what says where the rest lies
        if b + 2 < q_item.shape[0]:
            ask_for_cards(q_history[b + 2], cards)
            if 0 <= q_item[b + 2] < size:
                ask_for_list(q_item[b + 2], neighbours, neighbour_similarity)
                if extremes:
                    ask_for_list(q_item[b + 2], lowest, lowest_similarity)
        if b + 1 < q_item.shape[0]:
            if 0 <= q_item[b + 1] < size:
                ask_for_cards(neighbours[q_item[b + 1]], cards)
            for j in range(width if with_evidence or with_products else 0):
                item = q_history[b + 1, j]
                if with_evidence:
                    ask_for_row(item, co_slot, co_columns, co_counts, co_length)
                if with_products and 0 <= item < size:
                    ask_for_row(cards[item].product, pr_slot, pr_columns, pr_counts, pr_length)

        # candidates
        if w.co_purchase > 0:
            for m in range(n_evident):
                high_of[m] = value[m] = co[evident[m]] / damping[evident[m]]
            least = kth_greatest(value, n_evident, w.co_purchase, counts)
            met = 0
            for m in range(n_evident):
                order[met] = evident[m]
                met += high_of[m] >= least
            for m in range(met):
                place, n = note(order[m], n, stamp, second, cards, noted)
                if wanted[place] == 0:
                    wanted[place] = 1
        last_cosine = 1.0
        if bought >= 0:
            for m in range(neighbours.shape[1]):
                item = neighbours[bought, m]
                if item < 0:
                    last_cosine = 1.0
                    break
                last_cosine = neighbour_similarity[bought, m]
                if with_visual or m < w.neighbours:
                    place, n = note(item, n, stamp, second, cards, noted)
                    cosine[place] = last_cosine
                    if m < w.neighbours and wanted[place] == 0:
                        wanted[place] = 1
        if not items.whole_lists:
            last_cosine = 1.0
        for m in range(min(w.trending, by_popularity.shape[0])):
            place, n = note(by_popularity[m], n, stamp, second, cards, noted)
            if wanted[place] == 0:
                wanted[place] = 1
        if w.variants > 0:
            for j in range(width):
                if known[j] < 0 or recency[j] <= 0.0 or cards[known[j]].product < 0:
                    continue
                start = variant_starts[cards[known[j]].product]
                end = min(variant_starts[cards[known[j]].product + 1], start + w.variants)
                for m in range(start, end):
                    place, n = note(variant_items[m], n, stamp, second, cards, noted)
                    if wanted[place] == 0:
                        wanted[place] = 1
        if n_groups > 0 and (places[TRANSITION] >= 0 or w.groups > 0):
            total = 0.0
            for g in range(n_groups):
                chances[g] = 0.0
            for j in range(width):
                if known[j] >= 0 and recency[j] > 0.0 and cards[known[j]].group >= 0:
                    total += recency[j]
            for j in range(width):
                if known[j] >= 0 and recency[j] > 0.0 and cards[known[j]].group >= 0:
                    group, share = cards[known[j]].group, recency[j] / total
                    for g in range(n_groups):
                        chances[g] += share * chance[group, g]
            n_best = 0
            for g in range(n_groups):
                if n_best == w.groups and (w.groups == 0 or chances[g] <= chances[best_groups[n_best - 1]]):
                    continue
                at = n_best if n_best < w.groups else w.groups - 1
                while at > 0 and chances[best_groups[at - 1]] < chances[g]:
                    best_groups[at] = best_groups[at - 1]
                    at -= 1
                best_groups[at] = g
                n_best = min(n_best + 1, w.groups)
            for m in range(n_best):
                start = group_starts[best_groups[m]]
                end = min(group_starts[best_groups[m] + 1], start + w.in_group)
                for at in range(start, end):
                    place, n = note(group_items[at], n, stamp, second, cards, noted)
                    if wanted[place] == 0:
                        wanted[place] = 1

        # what is said of the customer as a whole
        gender = 0
        if places[GENDER] >= 0:
            votes[:] = 0
            for j in range(width):
                if known[j] >= 0:
                    votes[cards[known[j]].gender] += 1
            for code in (1, 2, 4):
                if votes[code] > 0 and (gender == 0 or votes[code] > votes[gender]):
                    gender = code
            for theirs in range(5):
                agrees = 1.0 if theirs in (gender, UNISEX) else 0.0
                agreement[theirs] = (NEUTRAL if gender == 0 or theirs == 0 else agrees) * weights[GENDER]
        if places[PROXIMITY] >= 0 and n_stores > 0:
            latitude = longitude = 0.0
            count = 0
            for j in range(width):
                if 0 <= q_stores[b, j] < n_stores:
                    count += 1
            for j in range(width):
                if count > 0 and 0 <= q_stores[b, j] < n_stores:
                    latitude += latitude_deg[q_stores[b, j]] / count
                    longitude += longitude_deg[q_stores[b, j]] / count
            if count == 0:
                for j in range(width):
                    if known[j] >= 0 and cards[known[j]].store >= 0:
                        count += 1
                for j in range(width):
                    if count > 0 and known[j] >= 0 and cards[known[j]].store >= 0:
                        latitude += latitude_deg[cards[known[j]].store] / count
                        longitude += longitude_deg[cards[known[j]].store] / count
            for place in range(n_stores):
                near[place] = NEUTRAL
                if count > 0:
                    km = haversine_km(latitude, longitude, latitude_deg[place], longitude_deg[place])
                    near[place] = math.exp(-km / w.scale_km)
        cosine_low = cosine_high = 0.0
        total_low = total_high = 0.0
        if extremes:
            if bought >= 0 and with_visual:
                low_known = high_known = False
                low = high = 0.0
                for m in range(lowest.shape[1]):
                    item = lowest[bought, m]
                    if item >= 0 and not in_history(item, known, width):
                        low, low_known = float(lowest_similarity[bought, m]), True
                        break
                for m in range(neighbours.shape[1]):
                    item = neighbours[bought, m]
                    if item >= 0 and not in_history(item, known, width):
                        high, high_known = float(neighbour_similarity[bought, m]), True
                        break
                if low_known and high_known:
                    cosine_low, cosine_high = low, high
            low, high = np.inf, -np.inf
            for m in range(least_items.shape[0]):
                if not in_history(least_items[m], known, width):
                    low = min(low, cards[least_items[m]].total)
            for m in range(most_items.shape[0]):
                if not in_history(most_items[m], known, width):
                    high = max(high, cards[most_items[m]].total)
            if low < np.inf:
                total_low, total_high = low, high
        trend = q_trendiness[b]
        faded = math.exp(live.fresh_at - live.slow_rate_per_ms * (at_ms - live.landmark_ms))

        vector_row = -1
        if bought >= 0:
            vector_row = cards[bought].photo_row if tables.shape[0] == 0 else bought

        # stage 0: the candidates; stage 1: popular items whose fit may still carry them among the k best
        n_order = n_best = first = 0
        for place in range(n):
            if wanted[place] == 1:
                order[n_order] = place
                n_order += 1

        # products: recency of those of the history, and those bought together with them
        for j in range(width):
            if known[j] >= 0 and recency[j] > 0.0 and cards[known[j]].product >= 0:
                place, n_seen = note_product(
                    cards[known[j]].product, n_seen, product_place, products, product_co, product_recency
                )
                product_recency[place] += recency[j]
        if with_products:
            for m in range(n_order):  # only what is said of a candidate's product will be asked for
                product = cards[noted[order[m]]].product
                if product >= 0:
                    place, n_seen = note_product(product, n_seen, product_place, products, product_co, product_recency)
            for j in range(width):
                product = cards[known[j]].product if known[j] >= 0 and recency[j] > 0.0 else -1
                slot, half = pr_slot[product] if 0 <= product < pr_slot.shape[0] else -1, 0.5 * recency[j]
                if slot < 0:
                    continue
                if extremes:  # popular items are still to come, of whatever product
                    for c in range(pr_length[slot]):
                        column = pr_columns[slot, c]
                        if 0 <= column < n_products:
                            place, n_seen = note_product(
                                column, n_seen, product_place, products, product_co, product_recency
                            )
                add_noted(product_co, product_place, pr_columns[slot], pr_counts[slot], pr_length[slot], half)

        others = 0.0
        for part in (CATEGORY, GENDER, PROXIMITY):
            others += max(weights[part], 0.0)
        for stage in range(2):
            if stage == 1:
                n_order = 0
                if not extremes or weights[POPULARITY_FIT] <= 0.0 or popular.shape[0] == 0:
                    break
                most = others
                if with_visual:
                    most += weights[VISUAL] * visual(last_cosine + 1e-6, cosine_low, cosine_high, True)
                least = best_score[k - 1] if n_best == k else -np.inf
                start, end = worth_a_look(
                    popular_total, total_low, total_high, trend, least - most, weights[POPULARITY_FIT], fit_exponent
                )
                for m in range(start, end):
                    gap = abs(scaled(popular_total[m], total_low, total_high) - trend)
                    score = weights[POPULARITY_FIT] * (1.0 - power(gap, fit_exponent)) + others
                    found_cosine = 0.0
                    if with_visual:
                        if vector_row >= 0 and popular_vectors.shape[0] > 0:  # end to end in memory: quickly read
                            found_cosine = dot(vectors[vector_row], popular_vectors[m])
                        else:
                            found_cosine = similarity(bought, popular[m], cards, photos, tables)
                        score += weights[VISUAL] * visual(found_cosine, cosine_low, cosine_high, True)
                    if score + 1e-6 >= least:
                        place, n = note(popular[m], n, stamp, second, cards, noted)
                        if wanted[place] == 0:
                            wanted[place] = 1
                            cosine[place] = found_cosine
                            order[n_order] = place
                            n_order += 1

            # the parts that cost little, and what the visual part may add at most
            n_low = n_greatest = 0
            for m in range(n_order):
                place, row = order[m], first + m
                item = noted[place]
                if view >= 0 and cards[item].view_group == view:
                    wanted[place] = -1
                    continue
                product = cards[item].product
                seen = 0  # where nothing is said of a product
                if product >= 0:
                    seen = product_place[product]
                low_score = 0.0
                if places[CO_PURCHASE] >= 0:
                    worth = co[item] / damping[item] * weights[CO_PURCHASE]
                    parts[row, CO_PURCHASE] = worth
                    low_score += worth
                if places[PRODUCT_CO_PURCHASE] >= 0:
                    worth = product_co[seen] / product_damping[max(product, 0)] * cards[item].product_share
                    worth *= weights[PRODUCT_CO_PURCHASE]
                    parts[row, PRODUCT_CO_PURCHASE] = worth
                    low_score += worth
                if places[TRANSITION] >= 0:
                    worth = 0.0
                    if cards[item].group >= 0:
                        worth = chances[cards[item].group] * cards[item].group_share * weights[TRANSITION]
                    parts[row, TRANSITION] = worth
                    low_score += worth
                if places[VARIANTS] >= 0:
                    by_share = 1.0 - w.variant_share + w.variant_share * cards[item].product_share
                    worth = product_recency[seen] * by_share * weights[VARIANTS]
                    parts[row, VARIANTS] = worth
                    low_score += worth
                if places[POPULARITY] >= 0:
                    worth = cards[item].fresh * faded * weights[POPULARITY]
                    parts[row, POPULARITY] = worth
                    low_score += worth
                if places[POPULARITY_FIT] >= 0:
                    popularity = float(cards[item].percentile)
                    if extremes:
                        popularity = scaled(float(cards[item].total), total_low, total_high)
                    worth = (1.0 - power(abs(popularity - trend), fit_exponent)) * weights[POPULARITY_FIT]
                    parts[row, POPULARITY_FIT] = worth
                    low_score += worth
                if places[CATEGORY] >= 0:
                    category = cards[q_item[b]].category if 0 <= q_item[b] < size else -1
                    worth = affinity[category, cards[item].category] * weights[CATEGORY]
                    parts[row, CATEGORY] = worth
                    low_score += worth
                if places[GENDER] >= 0:
                    theirs = cards[item].gender
                    worth = agreement[theirs]
                    parts[row, GENDER] = worth
                    low_score += worth
                if places[PROXIMITY] >= 0:
                    store = cards[item].store
                    worth = (near[store] if store >= 0 and n_stores > 0 else NEUTRAL) * weights[PROXIMITY]
                    parts[row, PROXIMITY] = worth
                    low_score += worth
                if places[REPURCHASE] >= 0:
                    worth = repurchase[place] * weights[REPURCHASE]
                    parts[row, REPURCHASE] = worth
                    low_score += worth
                high_score = low_score
                if with_visual:
                    if np.isnan(cosine[place]):
                        most = visual(last_cosine + 1e-6, cosine_low, cosine_high, extremes) * weights[VISUAL]
                        low_score += min(most, 0.0)
                        high_score += max(most, 0.0)
                    else:
                        given = visual(cosine[place], cosine_low, cosine_high, extremes) * weights[VISUAL]
                        low_score += given
                        high_score += given
                high_of[m] = high_score + 1e-9
                n_low += 1
                n_greatest = keep_greatest(low_score, greatest, n_greatest)

            # the whole score of what may be among the k best, its parts added in their order
            least = greatest[k - 1] - 1e-9 if n_low > k else -np.inf
            if n_best == k:
                least = max(least, best_score[k - 1])
            for m in range(n_order):
                place, row = order[m], first + m
                if wanted[place] != 1 or high_of[m] < least:
                    continue
                if with_visual:
                    if np.isnan(cosine[place]):
                        cosine[place] = similarity(bought, noted[place], cards, photos, tables)
                    parts[row, VISUAL] = visual(cosine[place], cosine_low, cosine_high, extremes) * weights[VISUAL]
                total = 0.0
                for part in range(N_PARTS):
                    if places[part] >= 0:
                        total += parts[row, part]
                n_best = best_insert(total, noted[place], row, best_score, best_item, best_place, n_best, k)
            first = n_order

        for place in range(n_best):
            out_item[b, place] = best_item[place]
            out_score[b, place] = best_score[place]
            for part in range(N_PARTS):
                if places[part] >= 0:
                    out_parts[b, place, places[part]] = parts[best_place[place], part]
        for place in range(n_best, k):
            out_item[b, place] = -1
            out_score[b, place] = 0.0
            out_parts[b, place, :] = 0.0
        for place in range(n):  # as the next purchase expects it
            wanted[place] = 0
            repurchase[place] = 0.0
            cosine[place] = np.nan
        for m in range(n_evident):
            co[evident[m]] = 0.0
        for m in range(n_seen):
            product_place[products[m]] = 0
