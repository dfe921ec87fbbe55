"""The garment detector on Clothing Co-Parsing: trained here, measured on the third of the photos held out.

Beside it, in the same run, each class' mean box. Run: ``python -m benchmarks.detector --data DIR --head FILE --out
FILE``; DIR holds photos_480.zip and boxes.csv.gz. The head that is written is the one that ships.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from time import process_time, sleep

from models.detector import DetectorShape
from trendloom.catalogue.photos import open_photos
from trendloom.detector.boxes import is_held_out, read_boxes
from trendloom.detector.detect import Detector
from trendloom.detector.evaluation import evaluate_detector
from trendloom.detector.groups import CCP_GROUPS, GROUPS
from trendloom.detector.head_file import read_head, save_head
from trendloom.detector.training import Training, open_network, train_detector


def main() -> None:
    """Train, measure, print and write."""
    parser = argparse.ArgumentParser(description="The garment detector on Clothing Co-Parsing.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the Clothing Co-Parsing data")
    parser.add_argument("--head", type=Path, required=True, help="file for the trained head")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--epochs", type=int, default=Training.epochs)
    parser.add_argument("--views", type=int, default=Training.views)
    parser.add_argument("--photos", type=int, default=0, help="only the first so many")
    parser.add_argument("--pause-while", type=Path, help="wait between steps while this file exists")
    told = parser.parse_args()

    def progress(stage: str, done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            print(f"{stage} {done} of {total}, {process_time():.0f} s of CPU", flush=True)
        while told.pause_while is not None and told.pause_while.exists():
            sleep(1.0)

    photos = open_photos(told.data / "photos_480.zip")
    table = read_boxes(told.data / "boxes.csv.gz", photos, groups=CCP_GROUPS, labels=GROUPS)
    names = list(table.boxes)[: told.photos or None]
    train, held_out = ([name for name in names if is_held_out(name) == out] for out in (False, True))
    training = Training(epochs=told.epochs, views=told.views)
    network = open_network(DetectorShape(classes=len(GROUPS)), seed=training.seed)
    began = process_time()
    report = train_detector(network, table, photos, train, training, progress=progress)
    cpu_s = process_time() - began
    provenance = {
        "data": "Clothing Co-Parsing (Yang, Luo, Lin 2014), long side 480",
        "licence": "Apache-2.0 file in the data's repository; no picture is in this file",
        "photos": report.photos,
        "boxes": report.boxes,
        "held_out": "photos whose name's SHA-256 is a multiple of 3",
        "training": asdict(training),
        "final_loss": report.losses[-1],
    }
    told.head.parent.mkdir(parents=True, exist_ok=True)
    save_head(told.head, network, table.labels, provenance)
    detector = Detector(*read_head(told.head))
    evaluation = evaluate_detector(detector, table, photos, train=train, held_out=held_out, progress=progress)
    figures = {
        **evaluation.told(),
        "training": {**asdict(report), "cpu_s": round(cpu_s, 1)},
        "settings": asdict(training),
        "shape": asdict(network.shape),
        "head_bytes": told.head.stat().st_size,
        "machine": {"cpu": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("numpy", "pillow", "torch", "torchvision")},
    }
    told.out.parent.mkdir(parents=True, exist_ok=True)
    told.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
