"""Which column of a recorded log means what: presets, and mappings that a person types.

A :class:`ColumnMap` names the columns and the rows that are no purchases; it never opens a file.
Read next: :mod:`trendloom.logs.raw_rows`, which does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

from trendloom.errors import LogFormatError

__all__ = ["FIELDS", "NEEDED", "PRESETS", "ColumnMap", "parse_mapping"]

#: The columns that a log may have, by the name of the purchase's field; ``basket`` is the invoice or order number.
FIELDS = (
    "customer_id",
    "item_id",
    "occurred_at",
    "quantity",
    "price",
    "store_id",
    "variant_id",
    "event_id",
    "basket",
)
#: The columns that every log must have.
NEEDED = FIELDS[:3]


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Column names of a log by purchase field, and what else must be known to read it.

    ``times`` says what the time column holds: ``stamps``, ``dates`` (each purchase then gets a seeded time of its
    day), or ``auto`` (dates if the values are dates, or if every stamp is midnight). ``time_format`` is a strptime
    format, for stamps that are not ISO 8601 or epoch numbers; stamps without a zone are UTC. Rows whose basket starts
    with ``cancelled_prefix`` are cancellations; rows whose item does not match ``item_pattern`` are no products. Where
    the store says ``no_store`` the purchase was made in none (online). With ``extras_optional`` all columns but the
    :data:`NEEDED` ones may be missing.
    """

    customer_id: str = "customer_id"
    item_id: str = "item_id"
    occurred_at: str = "occurred_at"
    quantity: str | None = None
    price: str | None = None
    store_id: str | None = None
    variant_id: str | None = None
    event_id: str | None = None
    basket: str | None = None
    times: Literal["auto", "dates", "stamps"] = "auto"
    time_format: str | None = None
    item_pattern: str | None = None
    cancelled_prefix: str | None = None
    encoding: str = "utf-8"
    no_store: str | None = None
    extras_optional: bool = False

    def by_field(self) -> dict[str, str]:
        """Return the columns that this map names, field to column.

        >>> ColumnMap(item_id="sku").by_field()
        {'customer_id': 'customer_id', 'item_id': 'sku', 'occurred_at': 'occurred_at'}
        """
        named = {name: getattr(self, name) for name in FIELDS}
        return {name: column for name, column in named.items() if column is not None}

    def describe(self) -> dict[str, str]:
        """Return all that this map says, as text; two maps that say the same read a log the same way."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: str(value) for name, value in said.items() if value is not None}


PRESETS: dict[str, ColumnMap] = {
    # H&M: dates only; a second row of the same article is a second piece
    "hm": ColumnMap(
        customer_id="customer_id",
        item_id="article_id",
        occurred_at="t_dat",
        price="price",
        store_id="sales_channel_id",
        no_store="2",  # online; 1 is some store
        times="dates",
        extras_optional=True,
    ),
    # UCI Online Retail: minute stamps; codes like POST or M are no items, invoices with a C are cancellations.
    # Its CSV files are Latin-1.
    "uci": ColumnMap(
        customer_id="CustomerID",
        item_id="StockCode",
        occurred_at="InvoiceDate",
        quantity="Quantity",
        price="Price",
        basket="Invoice",
        times="stamps",
        item_pattern=r"^\d{5}",
        cancelled_prefix="C",
        encoding="latin-1",
    ),
    # columns named as the fields of a purchase: what `purchases` itself holds
    "purchases": ColumnMap(
        quantity="quantity",
        price="price",
        store_id="store_id",
        variant_id="variant_id",
        event_id="event_id",
        extras_optional=True,
    ),
}


def parse_mapping(pairs: Iterable[str], *, preset: str | None = None, time_format: str | None = None) -> ColumnMap:
    """Return the column map that ``FIELD=COLUMN`` pairs describe, on top of a preset if one is named.

    A pair may itself hold several, parted by commas; without a preset the columns are named as the fields.
    Raises :class:`LogFormatError` for an unknown field or preset.

    >>> parse_mapping(["customer_id=user,item_id=sku", "occurred_at=ts"]).item_id
    'sku'
    >>> parse_mapping([], preset="hm").item_id
    'article_id'
    >>> parse_mapping(["item=sku"])
    Traceback (most recent call last):
        ...
    trendloom.errors.LogFormatError: 'item' is no field of a purchase. Action: map customer_id, item_id, occurred_at,
    quantity, price, store_id, variant_id, event_id or basket.
    """
    if preset is not None and preset not in PRESETS:
        raise LogFormatError(
            f"there is no log preset {preset!r}. Action: use one of {', '.join(sorted(PRESETS))}, or map the columns."
        )
    known = FIELDS
    changes: dict[str, str] = {}
    for pair in (part.strip() for text in pairs for part in text.split(",") if part.strip()):
        field, equals, column = (piece.strip() for piece in pair.partition("="))
        if not equals or not column:
            raise LogFormatError(f"{pair!r} is not FIELD=COLUMN. Action: write for example item_id=sku.")
        if field not in known:
            raise LogFormatError(
                f"{field!r} is no field of a purchase. Action: map {', '.join(known[:-1])} or {known[-1]}."
            )
        changes[field] = column
    start = PRESETS[preset or "purchases"]
    said = {field.name: getattr(start, field.name) for field in fields(start)} | changes
    if time_format is not None:
        said["time_format"] = time_format
    return ColumnMap(**said)
