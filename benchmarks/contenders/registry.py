"""Who takes part: how each contender is started, whether it commits to the group, and what was swept for it.

It imports no contender: those run in processes of their own, peers in an environment of their own. Read next:
:mod:`benchmarks.contenders.workshop` for the work that all of them do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CONTENDERS", "PROFILED", "Contender"]

Knobs = dict[str, float]


@dataclass(frozen=True, slots=True)
class Contender:
    """``module`` is what Python is started with; ``peer`` means: in the peers' environment, not in the project's."""

    name: str
    title: str
    module: tuple[str, ...]
    peer: bool = False
    commits: bool = True
    #: Each entry of a sweep replaces some knobs; the default ones are in the contender's file.
    sweep: tuple[Knobs, ...] = field(default=())


CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        Contender("ours", "Trendloom (`trendloom worker`)", ("launch.cli", "worker", "--log-level", "WARNING")),
        Contender(
            "plain",
            "plain aiokafka loop, same functions",
            ("benchmarks.contenders.plain_loop",),
            sweep=tuple({"max_records": size} for size in (250.0, 500.0, 1000.0, 2000.0, 4000.0)),
        ),
        Contender(
            "quix",
            "Quix Streams, batching sink, same functions",
            ("benchmarks.contenders.quix_streams",),
            peer=True,
            sweep=(
                *({"commit_every": size} for size in (500.0, 2000.0, 5000.0, 20_000.0)),
                *({"commit_interval_s": longest} for longest in (0.25, 5.0)),
                {"step": 500.0},
                {"linger_ms": 5.0},
            ),
        ),
        Contender(
            "bytewax",
            "Bytewax, same functions, no commit to the group",
            ("bytewax.run", "benchmarks.contenders.bytewax_flow:build_flow()"),
            peer=True,
            commits=False,
            sweep=(*({"batch": size} for size in (250.0, 500.0, 1000.0, 2000.0, 4000.0)), {"linger_ms": 5.0}),
        ),
        Contender(
            "stock_faust",
            "stock Faust, `take`, `topic.send`, same functions",
            ("benchmarks.contenders.stock_faust",),
            sweep=(
                *({"take": size} for size in (100.0, 500.0, 1000.0, 2000.0)),
                {"within_s": 0.05},
                {"linger_s": 0.0},
                {"linger_s": 0.02},
                {"poll_records": 5000.0},
            ),
        ),
    )
}

#: Ours with a sampling profiler inside: not a contender, but run like one.
PROFILED = Contender("profiled", "Trendloom, profiled", ("benchmarks.profiled_worker", "--log-level", "WARNING"))
