"""Tests of learned lists need numba, which is an extra."""

import pytest

pytest.importorskip("numba", reason="the extra fast is not installed")
