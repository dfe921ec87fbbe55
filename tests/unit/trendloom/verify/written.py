"""Lists of a load test, as a worker would write them."""

from __future__ import annotations

import uuid

from trendloom.events import Cause, RecommendationList, Version, encode

__all__ = ["RUN", "START_MS", "written"]

RUN = "7f8de1cf-93fc-4b4f-9d3d-"
START_MS = 1_600_000_000_000


def written(number: int, version: int = 1, *, customer: str = "c1", epoch: int = 5, run: str = RUN) -> bytes:
    """Return the list of a purchase, of an item whose id looks like the words that checks look for."""
    return encode(
        RecommendationList(
            customer_id=customer,
            version=Version(epoch=epoch, number=version),
            cause=Cause(
                event_id=uuid.UUID(f"{run}{number:012x}"),
                item_id='","sent_at":9,"number":9}"sent_at":',
                occurred_at=START_MS,
                partition=1,
                offset=2,
            ),
            sent_at=START_MS + number,
            made_at=START_MS + 1,
            preset="paper",
            catalogue="f",
            trendiness=0.5,
            percentile=0.5,
            entries=(),
        )
    )
