"""Pytest does not collect the benchmarks (peers' packages are not installed here); their examples are run from here."""

import doctest
import importlib

import pytest

WITH_EXAMPLES = [
    "freshness",
    "list_rules_plot",
    "per_pair_loop",
    "photo_retrieval",
    "plots",
    "processes_seen",
    "recorded_log",
    "rounds",
    "scale",
    "seeding",
    "stage",
    "stages",
    "tables",
    "targets",
    "watching",
    "worker_profile",
    "workload",
    "writing",
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_in_the_docstrings_hold(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"benchmarks.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
