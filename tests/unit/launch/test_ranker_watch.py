"""A new version of the ranker file is taken up by a running worker; one that cannot be used is not."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")

from launch.ranker_watch import RankerWatch
from trendloom.relevance.learned.forest import Forest
from trendloom.relevance.learned.ranker_file import RankerFile, write_ranker
from trendloom.relevance.learned.signals import SIGNALS


def constant(value: float) -> Forest:
    none = np.array([-1], np.int32)
    zero = np.zeros(1, np.int32)
    return Forest(none, np.zeros(1), zero, zero, np.array([value]), zero)


def test_each_new_version_is_handed_over_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ranker.npz"
    write_ranker(path, RankerFile(constant(1.0), {}))
    taken: list[float] = []

    async def take(forest: Forest) -> None:
        taken.append(forest.base)

    async def check() -> None:
        watch = RankerWatch(path, take, every_s=1.0, with_season=False)
        assert not await watch.look()
        write_ranker(path, RankerFile(constant(2.0), {}))
        assert await watch.look()
        assert not await watch.look()
        path.write_bytes(b"half a file")
        assert not await watch.look()
        assert not await watch.look()
        path.unlink()
        assert not await watch.look()
        write_ranker(path, RankerFile(constant(3.0), {}))
        assert await watch.look()

    asyncio.run(check())
    assert taken == [2.0, 3.0]
    assert caplog.text.count("is not taken up") == 1


@pytest.mark.parametrize("with_season", [False, True])
def test_trees_that_ask_about_the_season_wait_for_earlier_years(*, tmp_path: Path, with_season: bool) -> None:
    path = tmp_path / "ranker.npz"
    asks = np.array([SIGNALS.index("season_item"), -1, -1], np.int32)
    one, two = np.array([1, 0, 0], np.int32), np.array([2, 0, 0], np.int32)
    taken: list[Forest] = []

    async def take(forest: Forest) -> None:
        taken.append(forest)

    watch = RankerWatch(path, take, every_s=1.0, with_season=with_season)
    write_ranker(path, RankerFile(Forest(asks, np.zeros(3), one, two, np.zeros(3), np.zeros(1, np.int32)), {}))
    assert asyncio.run(watch.look()) == with_season
    assert len(taken) == with_season
