"""Which stage of the worker a stack stands in, by the innermost of its functions that a rule names.

It knows file names and functions of this project and of the packages below it, and nothing else. Read next:
:mod:`benchmarks.profiled_worker`, which samples stacks, and :mod:`benchmarks.worker_profile`, which runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

__all__ = ["STAGES", "stage_of"]

#: Stages in the order of a batch's way, with what they are.
STAGES = {
    "fetch": "Faust's transport, aiokafka's fetcher and consumer, on the main thread",
    "decode": "records to purchases, columns and item numbers",
    "Redis read": "asking the store for the customers, and taking their records",
    "fold": "from purchases to the change of the state and what lists ask",
    "Redis write": "packing the change and handing it to the store",
    "Redis item log": "folding the items' log, a little for each batch; following other workers",
    "Redis client": "the store's client otherwise: answers that come in, connections",
    "copy": "the worker's own copy of the items catches up",
    "score": "candidates, relevance, top-k",
    "encode": "lists to JSON",
    "publish": "producer batches, partitions, aiokafka's producer and its connections",
    "commit": "offset commits and the group's coordinator",
    "agents": "Faust's agents, belts and streams between the stages",
    "event loop": "asyncio itself: sockets, callbacks, waking up",
    "other": "anything else",
}

#: (part of the file's path, part of the function's name or "", stage); the first that fits a frame counts.
_RULES = (
    ("agents/batch_transport", "commit", "commit"),
    ("agents/batch_transport", "_new_offset", "commit"),
    ("faust/transport/consumer", "commit", "commit"),
    ("aiokafka/consumer/group_coordinator", "", "commit"),
    ("agents/batch_transport", "", "fetch"),
    ("agents/fetched", "", "fetch"),
    ("faust/transport", "", "fetch"),
    ("aiokafka/consumer", "", "fetch"),
    ("agents/publishing", "", "publish"),
    ("agents/scoring", "publish", "publish"),
    ("aiokafka/producer", "", "publish"),
    ("aiokafka/record", "", "publish"),
    ("refresh/compiled_lists", "", "encode"),
    ("refresh/lists", "", "encode"),
    ("refresh/refresher", "Refresher.encode", "encode"),
    ("agents/scoring", "", "score"),
    ("state/on_redis", "RedisStore.write", "Redis write"),
    ("state/on_redis_cluster", "write", "Redis write"),
    ("state/on_redis_packing", "", "Redis write"),
    ("refresh/applying", "Applier._write", "Redis write"),
    ("state/on_redis", "RedisStore.read", "Redis read"),
    ("refresh/applying", "Applier._read", "Redis read"),
    ("state/on_redis_items", "", "Redis item log"),
    ("state/item_log", "", "Redis item log"),
    ("refresh/refresher", "fold_some", "Redis item log"),
    ("state/on_redis", "", "Redis client"),
    ("redis/", "", "Redis client"),
    ("hiredis", "", "Redis client"),
    ("state/mirror", "", "copy"),
    ("refresh/refresher", "Refresher.settle", "copy"),
    ("refresh/refresher", "Refresher._follow", "copy"),
    ("refresh/scorer", "Scorer._learn", "copy"),
    ("refresh/scorer", "Scorer.touch", "copy"),
    ("state/fold", "", "fold"),
    ("state/compiled_fold", "", "fold"),
    ("state/columns", "Listings", "fold"),
    ("refresh/applying", "", "fold"),
    ("state/columns", "Arrivals", "decode"),
    ("agents/purchases", "begin", "fold"),
    ("agents/purchases", "", "decode"),
    ("refresh/refresher", "Refresher.number", "decode"),
    ("refresh/scorer", "percentiles", "fold"),
    ("refresh/scorer", "", "score"),
    ("trendloom/relevance", "", "score"),
    ("refresh/refresher", "Refresher.score", "score"),
    ("refresh/refresher", "", "fold"),
    ("agents/", "", "agents"),
    ("faust/", "", "agents"),
    ("mode/", "", "agents"),
    ("aiokafka/", "", "publish"),  # what fetches and commits has a thread of its own
    ("asyncio/", "", "event loop"),
    ("selectors", "", "event loop"),
)
#: Frames of these lie in the stacks of others: they name a stage only where nothing else does, the first rather.
_GENERAL = {"Redis client": 1, "agents": 2, "event loop": 3}


def stage_of(stack: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return the stage of a stack of (file, function), the innermost first, and the function that spends the time.

    A frame of the event loop, of an agent or of the store's client decides only if no other frame names a stage.

    >>> inner, outer = ("/x/asyncio/streams.py", "StreamWriter.write"), ("/x/asyncio/events.py", "Handle._run")
    >>> stage_of([inner, ("/x/trendloom/state/on_redis.py", "RedisStore.write"), outer])
    ('Redis write', 'asyncio/streams.py:StreamWriter.write')
    >>> stage_of([inner, outer])[0]
    'event loop'
    """
    found = [_stage(file, function) for file, function in stack]
    stage = min(filter(None, found), key=lambda name: _GENERAL.get(name, 0), default="other")  # the innermost of equals
    file, function = stack[0] if stack else ("", "")
    return stage, f"{'/'.join(file.split('/')[-2:])}:{function}"


@lru_cache(maxsize=4096)
def _stage(file: str, function: str) -> str:
    for part, name, stage in _RULES:
        if part in file and name in function:
            return stage
    return ""
