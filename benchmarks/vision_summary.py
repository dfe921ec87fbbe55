"""One table of all that was measured with photos: each figure beside its baseline and its target.

``python -m benchmarks.vision_summary`` reads ``benchmarks/results/vision_*.json`` (and ``pairs.json``), writes
``vision.json`` beside them and the table into ``docs/vision.md``. It measures nothing; what no part holds is not told.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trendloom.errors import InputError

__all__ = ["Figure", "figures", "table", "with_table"]

_BEGIN = "<!-- begin: written by `python -m benchmarks.vision_summary` -->"
_END = "<!-- end -->"

Part = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One measured figure; ``target`` None: nobody asked for a value; ``most``: no more than the target is good."""

    topic: str
    what: str
    measured: float
    baseline: float | None
    baseline_is: str
    target: float | None
    part: str
    most: bool = False
    #: The middle 95 % of a bootstrap, where one was drawn.
    interval: tuple[float, float] | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one.

        >>> Figure("search", "times", 56.6, 1.0, "the loop", 10.0, "vision_search").met
        True
        """
        if self.target is None:
            return None
        return self.measured <= self.target if self.most else self.measured >= self.target


def _search(part: Part) -> Iterator[Figure]:
    for name, what in (
        ("one_photo", "one photo in 44,441 x 2048, times as fast"),
        ("batch", "a batch of 256 photos in 44,441 x 2048, times as fast"),
        ("within_label", "within a label of 72,158 rows, times as fast"),
    ):
        one = part[name]
        how = f"{one['baseline_ms']:.0f} ms instead of {one['ours_ms']:.0f} ms" if one["ours_ms"] >= 10 else ""
        how = how or f"{one['baseline_ms']:.0f} ms instead of {one['ours_ms']:.1f} ms"
        yield Figure("search", what, one["ratio"], 1.0, how, one["at_least"], "vision_search")


def _pairs(part: Part) -> Iterator[Figure]:
    told = part["ratio_to_loop"]["compiled, exhaustive"]
    what = f"purchases against {part['items']:,} items, times as fast"
    yield Figure("search", what, told, 1.0, "a loop over the pairs", 60.0, "pairs")


def _index(part: Part) -> Iterator[Figure]:
    yield Figure(
        "build",
        "photos a second, times one at a time",
        part["times_as_fast"],
        1.0,
        f"{sum(part['one_at_a_time_photos_per_s']) / 2:.0f} photos/s",
        part["targets"]["times_as_fast"],
        "vision_index",
    )
    what = f"seconds for {part['photos']:,} photos"
    slowly = round(part["photos"] * 2 / sum(part["one_at_a_time_photos_per_s"]), 1)
    told = "one at a time, features alone"
    yield Figure("build", what, part["build_s"], slowly, told, part["targets"]["build_s"], "vision_index", most=True)


def _retrieval(part: Part) -> Iterator[Figure]:
    rows = next(iter(part["backbones"].values()))
    chosen = rows[f"tuned, colour {part['tuning']['colour_weight']}, look {part['tuning']['look_weight']}"]
    network, mix = rows["network alone (its last layer)"], rows["mix, colour 0.3"]
    for name, other, told in (
        ("type", network, "the network alone"),
        ("colour", mix, "network and colours mixed"),
        ("joint", mix, "network and colours mixed"),
    ):
        what = f"H&M, share of the 5 nearest that agree: {name}"
        yield Figure("retrieval", what, chosen[name], other[name], told, part["targets"][name], "vision_retrieval")
    what = "H&M, nearest is the same product in another colour"
    told = "the network alone"
    yield Figure("retrieval", what, chosen["same_product"], network["same_product"], told, None, "vision_retrieval")
    alone = rows[f"tuned, colour 0.0, look {part['tuning']['look_weight']}"]["same_product"]
    what += ", at colour weight 0"
    yield Figure("retrieval", what, alone, network["same_product"], told, None, "vision_retrieval")


def _classifier(part: Part) -> Iterator[Figure]:
    for data, name in (("cc0", "CC0, 17 classes"), ("myntra", "Myntra, 6 upper-body classes")):
        told, probe = part["parts"][data]["ours"], part["parts"][data]["baselines"]["linear probe"]
        for key, most in (("accuracy", False), ("macro_recall", False), ("calibration_error", True)):
            target = part["parts"][data]["target"].get(key)
            what = f"{name}: {key.replace('_', ' ')}"
            yield Figure(
                "classifier", what, told[key], probe[key], "a linear probe", target, "vision_classifier", most=most
            )


def _detector(part: Part) -> Iterator[Figure]:
    ours, base = part["detector"], part["mean_box_per_class"]
    told = "the mean box of each class"
    what = f"mAP@50 on {ours['photos']} held-out photos"
    yield Figure(
        "detector", what, ours["mean_average_precision"], base["mean_average_precision"], told, None, "vision_detector"
    )
    found, expected = (one["class_agnostic_recall_by_proposals"]["50"] for one in (ours, base))
    yield Figure("detector", "recall of any garment in 50 boxes", found, expected, told, None, "vision_detector")


def _isolation(part: Part) -> Iterator[Figure]:
    overlap = part["iou"]
    for way in ("saliency", "near-white"):
        what = f"{way}: overlap (IoU) with all that is worn, {part['photos']} street photos"
        expected = overlap["whole photo"]["with_all_that_is_worn"]
        found = overlap[way]["with_all_that_is_worn"]
        yield Figure("isolation", what, found, expected, "the whole photo", None, "vision_isolation")
    for way, rows in part["search"].items():
        if way == "unmasked":
            continue
        what = f"crop cut by {way}: share of the 5 nearest with its label"
        drawn = part.get("gain_on_unmasked_mean_low_high", {}).get(way, {}).get("at_5")
        base = part["search"]["unmasked"]["at_5"]
        between = (round(base + drawn[1], 4), round(base + drawn[2], 4)) if drawn else None
        told = "the same crop unmasked"
        yield Figure("isolation", what, rows["at_5"], base, told, None, "vision_isolation", interval=between)


#: Which part of the results tells which figures, in the order of the table.
_PARTS: dict[str, Callable[[Part], Iterator[Figure]]] = {
    "vision_search": _search,
    "pairs": _pairs,
    "vision_index": _index,
    "vision_retrieval": _retrieval,
    "vision_classifier": _classifier,
    "vision_detector": _detector,
    "vision_isolation": _isolation,
}


def figures(results: Path) -> list[Figure]:
    """Return the figures of all parts that are there."""
    found: list[Figure] = []
    for name, read in _PARTS.items():
        path = results / f"{name}.json"
        if path.is_file():
            found += read(json.loads(path.read_text(encoding="utf-8")))
    return found


def table(found: list[Figure]) -> str:
    """Return the figures as a Markdown table; a target that is missed is told as such."""
    lines = ["| | figure | measured | baseline | target | |", "|---|---|---:|---|---:|---|"]
    for one in found:
        sign = "≤" if one.most else "≥"
        target = "" if one.target is None else f"{sign} {one.target:g}"
        met = {True: "met", False: "**missed**", None: ""}[one.met]
        between = f" ({one.interval[0]:g} to {one.interval[1]:g})" if one.interval else ""
        beside = one.baseline_is if one.baseline in {1.0, None} else f"{one.baseline:g}, {one.baseline_is}"
        lines.append(f"| {one.topic} | {one.what} | {one.measured:g}{between} | {beside} | {target} | {met} |")
    return "\n".join(lines)


def with_table(page: str, block: str) -> str:
    """Return a page with the table between its markers; raises :class:`InputError` where it has none."""
    head, there, rest = page.partition(_BEGIN)
    _, ended, tail = rest.partition(_END)
    if not there or not ended:
        raise InputError(f"The page has no markers. Action: put {_BEGIN} and {_END} into it.")
    return f"{head}{_BEGIN}\n\n{block}\n\n{_END}{tail}"


def main() -> None:
    """Merge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--page", type=Path, default=Path("docs/vision.md"))
    given = parser.parse_args()
    found = figures(given.results)
    machines = {
        name: part.get("machine") for name in _PARTS if (part := _read(given.results / f"{name}.json")) is not None
    }
    told = {
        "what": "all that was measured with photos; written by python -m benchmarks.vision_summary",
        "machines": machines,
        "not_measured": [name for name in _PARTS if name not in machines],
        "figures": [{**asdict(one), "met": one.met} for one in found],
    }
    (given.results / "vision.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    page = with_table(given.page.read_text(encoding="utf-8"), table(found))
    given.page.write_text(page, encoding="utf-8")
    print(table(found))


def _read(path: Path) -> Part | None:
    if not path.is_file():
        return None
    found: Part = json.loads(path.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main()
