"""Which column of a metadata table means what: one value, the known tables, and how a person names others.

Reads no table and knows no rows. Read next: :mod:`trendloom.catalogue.table`, which reads what is described here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from trendloom.errors import CatalogueError

__all__ = ["MEANINGS", "PRESETS", "Columns", "map_columns"]


@dataclass(frozen=True)
class Columns:
    """Which column of a table means what; "" = the table does not say.

    ``gender`` columns are asked in order until one names a gender; ``attributes`` maps columns to weights and
    ``words`` names columns of free text: from these come the table embeddings.
    """

    item_id: str = ""
    #: File name of the photo without folder and extension; "" = the item id.
    photo: str = ""
    title: str = ""
    colour: str = ""
    category: str = ""
    product_type: str = ""
    gender: tuple[str, ...] = ()
    product: str = ""
    view: str = ""
    transition_group: str = ""
    section: str = ""
    pattern: str = ""
    store: str = ""
    attributes: Mapping[str, float] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    #: Rows whose column holds one of these values are left out.
    drop: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The item id is made of the category and the first characters of ``photo``: for tables that have photos, not ids.
    id_from_category: bool = False
    #: Stores that the items are dealt to when the table names none.
    store_ids: tuple[str, ...] = ()
    #: Who made the data, and under which licence: copied into the manifest.
    credit: str = ""


PRESETS: Mapping[str, Columns] = {
    "hm": Columns(
        item_id="article_id",
        title="prod_name",
        colour="colour_group_name",
        category="product_type_name",
        product_type="product_type_name",
        gender=("section_name", "index_name", "index_group_name"),
        product="product_code",
        transition_group="department_no",
        section="section_name",
        pattern="graphical_appearance_name",
        attributes={
            # chosen so that table neighbours look alike on the 11,800 photographed articles (docs/catalogue.md)
            "product_type_name": 1.0,
            "colour_group_name": 0.5,
            "graphical_appearance_name": 0.7,
            "garment_group_name": 0.4,
            "section_name": 0.3,
            "department_no": 0.3,
            "index_name": 0.5,
        },
        words=("prod_name", "detail_desc"),
        credit="H&M Personalized Fashion Recommendations (Kaggle): evaluation only, not for redistribution.",
    ),
    "clothing_cc0": Columns(
        photo="image",
        category="label",
        product_type="label",
        gender=("kids",),
        transition_group="label",
        attributes={"label": 1.0, "kids": 0.3},
        drop={"label": ("Not sure", "Other", "Skip")},
        id_from_category=True,
        store_ids=("store-1", "store-2", "store-3", "store-4", "store-5"),
        credit="Clothing dataset, CC0 1.0, by Alexey Grigorev and the contributors who photographed their wardrobes.",
    ),
}

#: What ``map_columns`` can be told about a column.
MEANINGS = (
    "item_id",
    "photo",
    "title",
    "colour",
    "category",
    "product_type",
    "gender",
    "product",
    "view",
    "transition_group",
    "section",
    "pattern",
    "store",
    "attributes",
    "words",
)


def map_columns(columns: Columns, mapping: Mapping[str, str]) -> Columns:
    """Return ``columns`` with other columns for some meanings; several are separated by commas, weights follow a colon.

    >>> mapped = map_columns(Columns(), {"item_id": "sku", "attributes": "type:2,colour", "words": "name"})
    >>> mapped.item_id, mapped.attributes, mapped.words
    ('sku', {'type': 2.0, 'colour': 1.0}, ('name',))
    """
    changed: dict[str, object] = {}
    for meaning, text in mapping.items():
        if meaning not in MEANINGS:
            raise CatalogueError(f"{meaning!r} is no meaning of a column. Action: use one of {', '.join(MEANINGS)}.")
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        if meaning == "attributes":
            weights = {}
            for name in names:
                column, _, weight = name.partition(":")
                try:
                    weights[column] = float(weight or 1.0)
                except ValueError:
                    raise CatalogueError(
                        f"{weight!r} is no weight of the column {column!r}. Action: write attributes=COLUMN:NUMBER."
                    ) from None
            changed[meaning] = weights
        elif meaning in {"gender", "words"}:
            changed[meaning] = names
        else:
            changed[meaning] = text.strip()
    if "item_id" in changed:
        changed["id_from_category"] = False
    return replace(columns, **changed)  # type: ignore[arg-type]
