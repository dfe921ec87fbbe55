from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from trendloom.detector.head_file import read_head, shipped_head_path
from trendloom.errors import CatalogueError


def test_a_shipped_heads_name_is_its_file_and_another_name_a_path() -> None:
    assert shipped_head_path("ccp").name == "ccp.safetensors"
    assert shipped_head_path("mine.safetensors") == Path("mine.safetensors")


@pytest.mark.parametrize("told", [{}, {"format": "trendloom-detector/9"}])
def test_files_of_another_kind_are_refused_before_any_network_is_built(tmp_path: Path, told: dict[str, str]) -> None:
    path = tmp_path / "some.safetensors"
    save_file({"some": np.zeros(2, np.float32)}, path, metadata={"trendloom": json.dumps(told)})
    with pytest.raises(CatalogueError, match="is no detector of format trendloom-detector/1.*Action: "):
        read_head(path)
