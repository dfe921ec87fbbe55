"""Parts of the score that need more than catalogue and stream, on the path that a worker takes: settings to list."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deliveries import START_MS
from refreshing import CATALOGUE, RULES, STORES, Clock, Listing, applied, listed, one

from config.loading import load_settings
from launch.assembly import list_rules
from trendloom.collaborative.model import CollaborativeModel
from trendloom.collaborative.model_file import save_model
from trendloom.events import Purchase
from trendloom.refresh import Refresher
from trendloom.refresh.season_file import SeasonFile, write_season
from trendloom.relevance.season import WEEK_MS
from trendloom.state.in_process import InProcessStore

WAYS = pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
#: What the model knows: ann and bob took item 1 and item 2; of item 30 and of zoe it knows nothing.
LIKED, ALSO = "item-0020", "item-0021"


def model(liked: str = LIKED) -> CollaborativeModel:
    """Ann likes one item, bob likes another; both tastes follow from what they took."""
    none = np.zeros((2, 0), np.float32)
    return CollaborativeModel(
        kind="gmf",
        user_ids=("ann", "bob"),
        item_ids=("item-0001", "item-0002", liked, ALSO),
        user_dot=np.array([[3, 0], [0, 3]], np.float32),
        item_dot=np.array([[0, 0], [0, 0], [1, -1], [-1, 1]], np.float32),
        item_bias=np.zeros(4, np.float32),
        user_hidden=none,
        item_hidden=np.zeros((4, 0), np.float32),
        layers=(),
        out=np.zeros(0, np.float32),
        start=np.array([0, 1, 2]),
        taken=np.array([0, 1], np.int32),
    )


async def opened(flags: dict[str, Any], *, compiled: bool) -> Refresher:
    rules = list_rules(load_settings(None, {"lists.top_k": 5, **flags}).settings)
    refresher = Refresher(
        InProcessStore(),
        CATALOGUE,
        state_rules=RULES,
        list_rules=rules,
        stores=STORES,
        worker="w",
        follow_every_s=1.0,
        monotonic=Clock(),
        compiled=compiled,
    )
    await refresher.open(START_MS)
    return refresher


def parts_of(found: Listing, part: str) -> dict[str, float]:
    return {entry["item_id"]: entry["parts"].get(part, 0.0) for entry in found.told["entries"]}


async def answers(refresher: Refresher, *log: Purchase, first: int = 0) -> list[Listing]:
    found: list[Listing] = listed(refresher, await applied(refresher, log, first))
    return found


@WAYS
def test_a_trained_model_proposes_and_weighs_and_falls_back_by_rule(tmp_path: Path, *, compiled: bool) -> None:
    save_model(model(), tmp_path / "model.safetensors")
    flags = {"lists.trained_model": str(tmp_path / "model.safetensors"), "lists.weights": {"trained": 5.0}}

    async def play() -> list[Listing]:
        refresher = await opened(flags, compiled=compiled)
        return await answers(
            refresher,
            one(1, "ann", 30),  # known: her own vector, whatever she buys
            one(2, "zoe", 1),  # a stranger who takes what ann took
            one(3, "kim", 2),  # and one who takes what bob took
            one(4, "new", 30),  # a stranger with an item that the model lacks
        )

    ann, zoe, kim, new = asyncio.run(play())
    liked = 5.0 / (1.0 + np.exp(-3.0))
    for found, item in ((ann, LIKED), (zoe, LIKED), (kim, ALSO)):
        assert found.told["entries"][0]["item_id"] == item
        assert parts_of(found, "trained")[item] == pytest.approx(liked, abs=1e-5)
    assert new.told["entries"]  # popularity, looks and departments decide
    assert set(parts_of(new, "trained").values()) == {0.0}
    for entry in ann.told["entries"]:
        assert entry["score"] == pytest.approx(sum(entry["parts"].values()), abs=1e-9)


def test_another_model_is_taken_up_between_two_batches(tmp_path: Path) -> None:
    save_model(model(), tmp_path / "model.safetensors")
    flags = {"lists.trained_model": str(tmp_path / "model.safetensors"), "lists.weights": {"trained": 5.0}}

    async def play() -> list[Listing]:
        refresher = await opened(flags, compiled=False)
        before = await answers(refresher, one(1, "ann", 30))
        await refresher.take_model(model("item-0025"))
        return before + await answers(refresher, one(2, "ann", 31), first=1)

    before, after = asyncio.run(play())
    assert before.told["entries"][0]["item_id"] == LIKED
    assert after.told["entries"][0]["item_id"] == "item-0025"


@WAYS
def test_earlier_years_propose_and_weigh(tmp_path: Path, *, compiled: bool) -> None:
    week = START_MS // WEEK_MS
    season = SeasonFile(
        ("item-0025", "item-0026", "gone"),
        np.array([0, 1, 2, 1], np.int32),
        np.array([week - 52, week - 26, week - 52, week - 52], np.int32),
        np.array([40.0, 90.0, 99.0, 0.0], np.float32),
    )
    write_season(tmp_path / "season.safetensors", season)
    flags = {"lists.season_file": str(tmp_path / "season.safetensors"), "lists.weights": {"season": 1.0}}

    async def play() -> list[Listing]:
        return await answers(await opened(flags, compiled=compiled), one(1, "ann", 3))

    (ann,) = asyncio.run(play())
    told = parts_of(ann, "season")
    assert next(iter(told)) == "item-0025"  # what was bought half a year ago is another season
    assert told["item-0025"] > 0
    assert sum(value > 0 for value in told.values()) == 1


@WAYS
def test_colours_are_learnt_from_the_stream(*, compiled: bool) -> None:
    async def play() -> Listing:
        refresher = await opened({"lists.weights": {"colour": 9.0}, "lists.top_k": 10}, compiled=compiled)
        rng = np.random.default_rng(1)
        log = [
            one(
                event, f"c{event // 4}", 4 * int(rng.integers(10)), START_MS + event * 1000
            )  # every fourth is one colour
            for event in range(200)
        ]
        for start in range(0, 200, 50):
            await answers(refresher, *log[start : start + 50], first=start)
        await answers(refresher, one(900, "x", 1, START_MS + 10**6), one(901, "x", 2, START_MS + 10**6), first=200)
        return (await answers(refresher, one(999, "ann", 8, START_MS + 10**7), first=202))[0]

    told = parts_of(asyncio.run(play()), "colour")
    same = {item for item in told if int(item.removeprefix("item-")) % 4 == 0}
    assert any(told[item] > 0 for item in same)
    assert all(value <= 0 for item, value in told.items() if item not in same)
