"""A folder of photos in; a catalogue, a search, labels, counts, a classifier of your own and garments in a photo out.

python examples/e05_from_photos.py [FOLDER]

FOLDER has a folder of photos for each kind of garment; without it some of the demo's garments are written into one.
Needs the extra ``vision``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from trendloom.catalogue.build import BuildOptions, build_catalogue
from trendloom.catalogue.columns import Columns
from trendloom.catalogue.directory import demo_catalogue_path, load_catalogue
from trendloom.catalogue.embedding import open_backbone
from trendloom.catalogue.photos import decode_photo
from trendloom.classifier.checkpoint import load_classifier, save_classifier
from trendloom.classifier.counting import count_categories
from trendloom.classifier.labelled import labelled_folder
from trendloom.classifier.learning import learn_classifier
from trendloom.classifier.predicting import PhotoClassifier
from trendloom.detector.detect import crops_of, load_detector
from trendloom.similar import Similar


def some_of_the_demo(folder: Path, *, kinds: tuple[str, ...] = ("Dress", "Hat", "Shoes"), each: int = 15) -> Path:
    """Write pictures of the demo's garments as folder/kind/item.webp, and return the folder."""
    demo = load_catalogue(demo_catalogue_path())
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        rows = [row for row, code in enumerate(demo.category) if demo.category_names[code] == kind]
        for row in rows[:each]:
            (folder / kind / f"{demo.item_ids[row]}.webp").write_bytes(demo.thumbnails.get(row) or b"")
    return folder


def main(photos: Path, out: Path) -> None:
    """Do all that can be done with photos, once."""
    # a catalogue: every photo is an item, its folder the category, and "similar" is learnt from the folders
    report = build_catalogue(
        None,
        out / "catalogue",
        Columns(),
        BuildOptions(name="mine", tune=("type",)),
        photos=photos,
        embedder=open_backbone("efficientnet_lite0_taps+colours"),
    )
    print(f"catalogue: {report.items} items, {len(report.left_out)} photos left out")

    # search by photo; a worker takes the same directory: trendloom worker --catalogue DIR
    similar = Similar.open(out / "catalogue")
    labelled = labelled_folder(photos)
    asked = photos / labelled.names[0]
    for match in similar.search(asked, k=3, label_aware=True).matches:
        print(f"like {asked.name}: {match.item_id} ({match.similarity:.0%})")

    # what is in the photos, by the classifier that ships
    found = PhotoClassifier(load_classifier("cc0")).predict(labelled.source, labelled.names)
    for count in count_categories(found.names, found.predictions, most=3):
        print(f"count: {count.label} {count.photos}")

    # a classifier of one's own; a fifth of the photos is held out to judge it
    learnt = learn_classifier(labelled, open_backbone("efficientnet_lite0"), splits=1)
    save_classifier(learnt.classifier, out / "head.safetensors")
    if learnt.measured is not None:
        print(f"classifier: {learnt.measured.mean()['accuracy']:.0%} of the photos held out are told right")

    # garments in a street photo; here of a product photo
    for crop in crops_of(decode_photo(labelled.source, labelled.names[0]), load_detector()):
        print(f"detector: {crop.box.label} ({crop.box.score:.0%})")


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        given = Path(sys.argv[1]) if len(sys.argv) > 1 else some_of_the_demo(Path(place) / "photos")
        main(given, Path(place))
