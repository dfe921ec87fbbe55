"""The measured figures as Markdown tables, one function for each part; nothing is computed but ratios and sums.

Read next: :mod:`benchmarks.writing`, which puts them into ``docs/performance.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.contenders.registry import CONTENDERS
from benchmarks.stages import STAGES

__all__ = ["TABLES", "drain_table", "measured_on", "targets_table"]

_NOTHING = "Nothing was measured yet."
Found = Mapping[str, Any]


def measured_on(part: Found) -> str:
    """Return the sentence that says how, where and when a part was measured.

    >>> measured_on({})
    'Nothing was measured yet.'
    """
    if not part:
        return _NOTHING
    machine, versions, workload = part["machine"], part["versions"], part["workload"]
    engines = ", ".join(versions[name] for name in ("broker", "store") if name in versions)
    drained = (
        f": {workload['purchases']:,} purchases, {workload['items']:,} items, {workload['customers']:,} customers, "
        f"{workload['partitions']} partitions, medians of {workload['rounds']} rounds, unless the table says otherwise"
    )
    return (
        f"`{part['command']}`{drained if engines else ''}. {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, {machine['system']}; load before: {machine['load_before']}. "
        f"{engines + ', ' if engines else ''}Python {versions['python']}, numpy {versions['numpy']}, "
        f"Trendloom {versions['trendloom']}; {part['taken_at']}."
    )


def targets_table(summary: Found) -> str:
    """Return every target with its figure and verdict."""
    targets = [target for target in summary.get("targets", ()) if target["measured"] is not None]
    if not targets:
        return _NOTHING
    rows = [
        [
            target["what"],
            f"{'at most' if target['most'] else 'at least'} {target['wanted']:,}",
            f"{target['measured']:,}",
            "met" if target["met"] else "**missed**",
        ]
        for target in targets
    ]
    return _table(["what", "wanted", "measured", ""], rows)


def drain_table(summary: Found) -> str:
    """Return all contenders, by preset.

    >>> drain_table({"presets": {}})
    'Nothing was measured yet.'
    """
    columns = ["contender", "purchases/s (lowest – highest)", "worker µs", "broker µs", "store µs", "worker MB"]
    columns += ["first list after, s", "ours drains ×", "ours' worker CPU ×", "others used"]
    blocks = [
        f"**Preset `{preset}`**\n\n"
        + _table(
            columns, [_contender(name, told, found["ratio"].get(name)) for name, told in found["contenders"].items()]
        )
        for preset, found in summary["presets"].items()
        if found["contenders"]
    ]
    return "\n\n".join(blocks) or _NOTHING


def _contender(name: str, told: Found, ratio: Mapping[str, float] | None) -> list[str]:
    low, high = told["drain_per_s_range"]
    cpu, memory = told["cpu_us_per_purchase"], told["memory_mb"]
    against = (f"{ratio['drain']:.2f}", f"{ratio['worker_cpu']:.2f}") if ratio else ("", "")
    marks = ("" if told["finished"] else " ¹") + ("" if told["checked"] else " ²")
    return [
        f"{CONTENDERS[name].title}{marks}",
        f"{told['drain_per_s']:,.0f} ({low:,.0f} – {high:,.0f})",
        f"{cpu['worker']:.1f}",
        f"{cpu['broker']:.1f}",
        f"{cpu['store']:.1f}",
        f"{memory['worker']:.0f}",
        f"{told['startup_s']:.1f}",
        *against,
        f"{told['others_share']:.0%}",
    ]


def _freshness(summary: Found, _: Found) -> str:
    columns = ["offered", "purchases/s", "p50 ms", "p99 ms", "p99.9 ms", "longest ms", ""]
    blocks = []
    for preset, found in summary["presets"].items():
        rows = [
            [name, f"{told['offered_per_s']:,.0f}"]
            + ["–" if told[key] is None else f"{told[key]:,.0f}" for key in ("p50", "p99", "p99.9", "max")]
            + ["saturated" if told["saturated"] else "keeps up"]
            for name, told in (found["freshness_ms"] or {}).items()
        ]
        if rows:
            blocks.append(f"**Preset `{preset}`**\n\n{_table(columns, rows)}")
    return "\n\n".join(blocks)


def _profile(_: Found, part: Found) -> str:
    presets = part["presets"]
    stages = [*STAGES, "other threads", "idle"]
    about = {**STAGES, "other threads": "Faust's fetching thread and others", "idle": "the main thread waits"}
    rows = []
    for stage in stages:
        us = [found["us_per_purchase"].get(stage) for found in presets.values()]
        if any(us):
            rows.append([stage, about[stage], *("" if one is None else f"{one:.2f}" for one in us)])
    worked = [sum(us for name, us in found["us_per_purchase"].items() if name != "idle") for found in presets.values()]
    rows.append(["**all CPU**", "", *(f"**{one:.1f}**" for one in worked)])
    said = "; ".join(
        f"`{preset}`: {found['samples']:,} samples, {found['drain_per_s']:,.0f} purchases/s while sampled"
        for preset, found in presets.items()
    )
    return f"{_table(['stage', 'what it is', *(f'`{preset}`, µs' for preset in presets)], rows)}\n\n{said}."


def _scale(_: Found, part: Found) -> str:
    columns = ["purchases/s", "worker µs", "broker µs", "store µs", "all µs", "first list after, s", "worker MB"]
    columns += ["store MB", "exact"]
    blocks = []
    for preset, found in part["presets"].items():
        for what, lines in found.items():
            rows = [
                [
                    f"{line['size']:,}",
                    f"{line['drain_per_s']:,.0f}",
                    *(f"{line['cpu_us_per_purchase'][name]:.1f}" for name in ("worker", "broker", "store")),
                    f"{line['all_cpu_us']:.1f}",
                    f"{line['startup_s']:.1f}",
                    *(f"{line['memory_mb'][name]:,.0f}" for name in ("worker", "store")),
                    "yes" if line["checked"] else "not seen to the end",
                ]
                for line in lines
            ]
            title = {"max_batch": "purchases in a batch, at most"}.get(what, what)
            blocks.append(f"**Preset `{preset}`, {title}**\n\n{_table([title, *columns], rows)}")
    for what, sizes in part["left_out"].items():
        blocks.append(f"The memory was too small for {', '.join(f'{size:,}' for size in sizes)} {what}.")
    return "\n\n".join(blocks)


def _kill(_: Found, part: Found) -> str:
    rows = [
        [
            preset,
            case,
            f"{told['killed_at_lists']:,} of {told['purchases']:,}",
            f"{told['longest_silence_s']:.1f}",
            f"{told['lists_published_again']:,}",
            "yes" if all(told["checks"].values()) else "**no**",
        ]
        for preset, found in part["presets"].items()
        for case, told in found.items()
    ]
    columns = ["preset", "killed", "after lists", "longest silence, s", "lists published again", "counts exact"]
    return f"{_table(columns, rows)}\n\nSession timeout: {part['session_timeout_s']:g} s."


def _pairs(_: Found, part: Found) -> str:
    rows = [
        [name, f"{ms * 1000:,.1f}", f"{part['ratio_to_loop'][name]:,.0f}", str(part["overlap_with_loop"].get(name, ""))]
        for name, ms in part["ms_per_list"].items()
    ]
    said = f"{part['items']:,} items, embeddings of {part['dimensions']} numbers, batches of {part['batch']}; CPU time."
    return f"{_table(['form', 'µs a list', '× the loop', 'overlap with the loop'], rows)}\n\n{said}"


def _retrieval(_: Found, part: Found) -> str:
    rows = [
        [
            shop,
            f"{found['items']:,}",
            preset,
            f"× {line['factor']:g}",
            f"{line['candidates']:,.0f}",
            f"{line['overlap']['worker']:.4f}",
            f"{line['overlap']['plain']:.4f}",
            f"{line['us_per_list']['worker']:.1f}",
            f"{line['us_per_list']['plain']:.0f}",
            f"{told['exhaustive_us_per_list']:,.0f}",
        ]
        for shop, found in part["shops"].items()
        for preset, told in found["presets"].items()
        for line in told["by_candidates"]
    ]
    columns = ["shop", "items", "preset", "amounts", "candidates a purchase", "overlap, worker", "overlap, plain form"]
    columns += ["µs a list, worker", "µs, plain form", "µs, plain form, every item"]
    table = _table(columns, rows)
    return f"{table}\n\n{part['customers']:,} customers. {part.get('skipped', '')}".rstrip()


def _memory(_: Found, part: Found) -> str:
    rows = [
        [server, line["what"], f"{line['usage']:.0f}", f"{line['target']:,}" if line.get("target") else ""]
        for server, lines in part["servers"].items()
        for line in lines
    ]
    return _table(["server", "what", "bytes", "target"], rows)


def _replay(_: Found, part: Found) -> str:
    if "skipped" in part:
        return str(part["skipped"])
    rows = [
        [
            preset,
            f"{run['purchases']:,}",
            f"{run['seconds']:.1f}",
            f"{run['wall_s']:.1f}",
            "yes" if run["exact"] else "no",
        ]
        for preset, found in part["presets"].items()
        for run in found["runs"]
    ]
    columns = ["preset", "purchases", "first purchase to last list, s", "with start-up, s", "counts exact"]
    return _table(columns, rows)


def _sweep(_: Found, part: Found) -> str:
    rows = [
        [
            CONTENDERS[run["contender"]].title,
            ", ".join(f"{name} {value:g}" for name, value in run["knobs"].items()),
            f"{run['drain_per_s']:,.0f}",
            f"{run['cpu_us_per_purchase']['worker']:.1f}",
        ]
        for run in part["runs"]
    ]
    return f"Preset `{part['preset']}`.\n\n" + _table(["contender", "changed", "purchases/s", "worker µs"], rows)


def _drain(summary: Found, _: Found) -> str:
    return drain_table(summary)


#: Part to what makes its table, from the summary and the part.
TABLES: Mapping[str, Callable[[Found, Found], str]] = {
    "drain": _drain,
    "freshness": _freshness,
    "profile": _profile,
    "scale": _scale,
    "kill": _kill,
    "sweep": _sweep,
    "memory": _memory,
    "pairs": _pairs,
    "retrieval": _retrieval,
    "replay": _replay,
}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; all columns but the first are aligned to the right if they hold numbers.

    >>> print(_table(["what", "how many"], [["apples", "3"]]))
    | what | how many |
    |---|--:|
    | apples | 3 |
    """
    numbers = [all(row[place][:1].isdigit() or not row[place] for row in rows) for place in range(len(columns))]
    rule = "|".join("--:" if number else "---" for number in numbers)
    return "\n".join([f"| {' | '.join(columns)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)])
