import re
from pathlib import Path

from benchmarks import stages
from benchmarks.profiled_worker import Profiler
from benchmarks.stages import STAGES, stage_of
from benchmarks.worker_profile import as_table

ROOT = Path(__file__).parents[3]


def test_every_rule_names_a_stage_and_a_file_that_exists() -> None:
    packages = "redis/|hiredis|faust/|mode/|aiokafka/|asyncio/|selectors"
    files = [
        str(path.relative_to(ROOT)) for folder in ("agents", "trendloom") for path in (ROOT / folder).rglob("*.py")
    ]
    for part, _, stage in stages._RULES:
        assert stage in STAGES
        assert re.match(packages, part) or any(part in file for file in files), part


def test_the_innermost_function_that_has_a_stage_decides() -> None:
    stack = [
        ("/lib/numpy/core.py", "sort"),
        ("/here/trendloom/state/mirror.py", "Mirror.advance"),
        ("/here/trendloom/refresh/refresher.py", "Refresher.settle"),
        ("/here/agents/scoring.py", "ScoringAgent.score"),
        ("/lib/asyncio/events.py", "Handle._run"),
    ]
    assert stage_of(stack) == ("copy", "numpy/core.py:sort")
    assert stage_of(stack[2:])[0] == "copy"
    assert stage_of(stack[3:])[0] == "score"
    assert stage_of(stack[4:])[0] == "event loop"
    asking = ("/here/trendloom/state/on_redis_asking.py", "RedisAsking._ask")
    assert stage_of([asking, ("/here/trendloom/state/on_redis.py", "RedisStore.read")])[0] == "Redis read"
    assert stage_of([stack[4], asking, stack[4]])[0] == "Redis client"
    assert stage_of([]) == ("other", ":")


def test_what_comes_before_the_first_batch_is_not_in_the_profile() -> None:
    profiler = Profiler()
    profiler._sample(0, None)
    told = profiler.as_dict()
    assert (told["samples"], told["stages_s"]) == (0, {})


def test_the_stages_of_a_profile_come_in_the_order_of_a_batchs_way() -> None:
    told = {
        "samples": 3,
        "wall_s": 1.0,
        "process_cpu_s": 0.5,
        "main_thread_cpu_s": 0.5,
        "stages_s": {"publish": 0.1, "fetch": 0.2},
        "functions_s": {},
    }
    assert list(as_table(told, 10)["us_per_purchase"]) == ["fetch", "publish", "other threads", "idle"]
