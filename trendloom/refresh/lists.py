"""The wire form of refreshed lists: from arrays of items, scores and parts to the JSON that a record carries.

The bytes equal what :func:`trendloom.events.encode` makes of the same :class:`~trendloom.events.RecommendationList`;
they are written directly because a list is published for every purchase.
"""

from __future__ import annotations

import orjson

from trendloom.candidates import TopK
from trendloom.events import SCHEMA_VERSION
from trendloom.state.fold import Listed

__all__ = ["encode_lists"]

#: Scores are published to six decimals: finer differences mean nothing to a reader, and a list stays small.
_DECIMALS = 6


def encode_lists(
    listed: list[Listed],
    top: TopK,
    sent_at_ms: list[int | None],
    *,
    epoch: int,
    partition: int,
    made_at_ms: int,
    preset: str,
    catalogue: str,
    ids: list[str],
) -> list[bytes]:
    """Return one JSON object for each listed purchase; ``sent_at_ms`` holds each purchase's intended send time."""
    names = top.part_names
    parts = top.parts.round(_DECIMALS).tolist()
    out = []
    for row, (entry, items) in enumerate(zip(listed, top.items.tolist(), strict=True)):
        purchase = entry.arrival.purchase
        entries = []
        for item, values in zip(items, parts[row], strict=True):
            if item < 0:
                break
            shown = {name: value for name, value in zip(names, values, strict=True) if value}
            entries.append({"item_id": ids[item], "score": round(sum(shown.values(), 0.0), _DECIMALS), "parts": shown})
        out.append(
            orjson.dumps(
                {
                    "schema_version": SCHEMA_VERSION,
                    "customer_id": purchase.customer_id,
                    "version": {"epoch": epoch, "number": entry.number},
                    "cause": {
                        "event_id": purchase.event_id,
                        "item_id": purchase.item_id,
                        "occurred_at": purchase.occurred_at,
                        "partition": partition,
                        "offset": entry.arrival.offset,
                    },
                    "sent_at": sent_at_ms[row],
                    "made_at": made_at_ms,
                    "preset": preset,
                    "catalogue": catalogue,
                    "trendiness": entry.trendiness,
                    "percentile": entry.percentile,
                    "entries": entries,
                }
            )
        )
    return out
