"""Compiled checks against :class:`LoadCheck`: whatever lists come, both say the same of them."""

from __future__ import annotations

import copy
import json
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trendloom.verify.written import RUN, START_MS, written
from trendloom.verify.compiled_check import CompiledLoadCheck
from trendloom.verify.load_check import LoadCheck

ENDS = [10, 30]


class Spec(NamedTuple):
    """What a list says, and how it is laid out."""

    number: int
    customer: str
    epoch: int
    version: int
    run: str
    layout: str

    def encode(self) -> bytes:
        value = written(self.number, self.version, customer=self.customer, epoch=self.epoch, run=self.run)
        match self.layout:
            case "pretty":
                return json.dumps(json.loads(value), indent=1).encode()
            case "cut":
                return value[: value.index(b'"sent_at":1') + 11]
            case "no version":
                return value.replace(b'"epoch":', b'"era":')
            case "words":
                return value.replace(b'"sent_at":16', b'"sent_at":"16')
        return value


RUNS = st.sampled_from([RUN] * 9 + ["00000000-93fc-4b4f-9d3d-"])
#: Usual lists have even numbers and usual customers: a customer, like a purchase, is read in one way or the other.
USUAL = st.builds(
    Spec,
    st.integers(0, 17).map(lambda n: 2 * n),
    st.sampled_from(["c07", "c08", "c09"]),
    st.sampled_from([5, 5, 5, 6]),
    st.integers(1, 6),
    RUNS,
    st.just("usual"),
)
UNUSUAL = st.builds(
    Spec,
    st.integers(0, 17).map(lambda n: 2 * n + 1),
    st.sampled_from(["c7", "c10", "d07", "c0x", "\u00e9", 'c07"']),
    st.sampled_from([5, 6]),
    st.integers(1, 6),
    RUNS,
    st.sampled_from(["usual", "pretty", "cut", "no version", "words"]),
)


def told(check: LoadCheck) -> dict[str, object]:
    parts = [
        (part.listed, part.first_list_ms, part.last_list_ms, part.freshness.longest_ms, part.freshness.quantile_ms(0.5))
        for part in check.parts
    ]
    counts = {name: found for name, found in vars(check).items() if isinstance(found, int) and name[0] != "_"}
    return {"parts": repr(parts), "missing": check.missing(30), **counts}


def compiled() -> CompiledLoadCheck:
    return CompiledLoadCheck(RUN.encode(), ENDS, prefix=b"c", digits=2, customers=10)


@given(st.lists(st.lists(USUAL | UNUSUAL, max_size=12), max_size=4))
def test_both_say_the_same(batches: list[list[Spec]]) -> None:
    plain, quick = LoadCheck(RUN.encode(), ENDS), compiled()
    for time, batch in enumerate(batches):
        values = [spec.encode() for spec in batch]
        for check in (plain, quick):
            check.take(values, START_MS + 100.0 * (time + 1))
    assert told(quick) == told(plain)


def test_lists_as_workers_write_them_are_read_by_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    check = compiled()
    monkeypatch.setattr(LoadCheck, "take", None)  # the plain way is not gone
    check.take([Spec(n, f"c0{n % 10}", 5, n // 10 + 1, RUN, "usual").encode() for n in range(30)], START_MS + 100.0)
    assert (check.listed, check.version_regressions, check.missing(30)) == (30, 0, 0)


def test_what_was_found_travels_to_another_process() -> None:
    check = compiled()
    check.take([Spec(3, "c07", 5, 1, RUN, "usual").encode()], START_MS + 100.0)
    found = copy.deepcopy(check)  # its way back from the process that reads goes through pickle
    assert told(found) == told(check)
    assert not any(isinstance(part, np.ndarray) and part.shape == (10, 2) for part in vars(found).values())
