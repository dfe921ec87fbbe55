"""Where stores stand: ``stores.toml`` beside this file, or a file of the same form.

Read by ``launch``, which hands the positions to the simulation and to relevance as plain numbers.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from config.loading import SettingsProblem

__all__ = ["Store", "load_stores", "store_positions"]


@dataclass(frozen=True, slots=True)
class Store:
    """One store; degrees of latitude and longitude."""

    id: str
    name: str
    latitude_deg: float
    longitude_deg: float


def load_stores(path: Path | None = None) -> tuple[Store, ...]:
    """Return the stores of a TOML file with one ``[[store]]`` table each; without a path, the shipped five.

    Raises :class:`~config.loading.SettingsProblem` if the file cannot be used.

    >>> [store.id for store in load_stores()]
    ['store-1', 'store-2', 'store-3', 'store-4', 'store-5']
    """
    source = path or Path(__file__).with_name("stores.toml")
    try:
        tables = tomllib.loads(source.read_text(encoding="utf-8")).get("store", [])
        stores = tuple(
            Store(
                str(table["id"]),
                str(table.get("name", table["id"])),
                float(table["latitude_deg"]),
                float(table["longitude_deg"]),
            )
            for table in tables
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise SettingsProblem(
            f"{source} cannot be used ({error}). Action: give each [[store]] an id, latitude_deg and longitude_deg."
        ) from error
    for store in stores:
        if not (-90 <= store.latitude_deg <= 90 and -180 <= store.longitude_deg <= 180):
            raise SettingsProblem(
                f"{store.id} stands at ({store.latitude_deg}, {store.longitude_deg}). Action: give degrees of latitude "
                "in [-90, 90] and of longitude in [-180, 180]."
            )
    if len({store.id for store in stores}) != len(stores):
        raise SettingsProblem(f"{source} names a store twice. Action: give each store its own id.")
    return stores


def store_positions(path: Path | None = None) -> dict[str, tuple[float, float]]:
    """Return (latitude, longitude) in degrees by store id.

    >>> len(store_positions())
    5
    """
    return {store.id: (store.latitude_deg, store.longitude_deg) for store in load_stores(path)}
