from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from trendloom.catalogue.tensors import map_tensors


def test_what_is_mapped_is_what_the_library_reads(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tensors = {
        kind: np.array(100 * rng.normal(size=shape), kind)
        for kind, shape in [
            ("float16", (7, 3)),
            ("float32", (1, 2, 3)),
            ("float64", (5,)),
            ("uint8", (3,)),
            ("int8", (4,)),
            ("int16", (0, 9)),
            ("int32", (11, 1)),
            ("int64", ()),
        ]
    }
    save_file(tensors, tmp_path / "some.safetensors", metadata={"made": "here"})
    mapped, loaded = map_tensors(tmp_path / "some.safetensors"), load_file(tmp_path / "some.safetensors")
    assert mapped.keys() == loaded.keys() == tensors.keys()
    for name, tensor in loaded.items():
        assert mapped[name].dtype == tensor.dtype
        assert mapped[name].shape == tensor.shape
        assert np.array_equal(mapped[name], tensor)
        assert mapped[name].flags.aligned


def test_a_tensor_that_lies_askew_is_put_straight(tmp_path: Path) -> None:
    content = np.arange(5, dtype="<i4").tobytes()
    header = json.dumps({"t": {"dtype": "I32", "shape": [5], "data_offsets": [0, 20]}}).encode()
    header += b" " * (1 + -len(header) % 8)  # the numbers begin one byte past a multiple of eight
    (tmp_path / "askew.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + content)
    tensor = map_tensors(tmp_path / "askew.safetensors")["t"]
    assert tensor.tolist() == [0, 1, 2, 3, 4]
    assert tensor.flags.aligned


def test_writing_changes_neither_the_file_nor_what_others_see(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    save_file({"t": np.arange(4)}, path)
    before = path.read_bytes()
    one, other = map_tensors(path)["t"], map_tensors(path)["t"]
    one[0] = 99
    assert (one[0], other[0]) == (99, 0)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\x05", b"\xff" * 100, (2).to_bytes(8, "little") + b"[]"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some.safetensors").write_bytes(content)
    with pytest.raises(SafetensorError):
        map_tensors(tmp_path / "some.safetensors")


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    save_file({"t": np.arange(400)}, tmp_path / "some.safetensors")
    content = (tmp_path / "some.safetensors").read_bytes()
    (tmp_path / "some.safetensors").write_bytes(content[:-8])
    with pytest.raises(SafetensorError):
        map_tensors(tmp_path / "some.safetensors")
