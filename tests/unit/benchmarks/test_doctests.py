"""Pytest does not collect the benchmarks (peers' packages are not installed here); their examples are run from here."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["drain", "freshness", "processes_seen", "report", "workload"])
def test_the_examples_in_the_docstrings_hold(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"benchmarks.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
