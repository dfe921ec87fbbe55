from __future__ import annotations

import pytest

from trendloom.catalogue.garment_masks import CCP_GARMENTS, CCP_LABELS
from trendloom.detector.groups import CCP_GROUPS, GROUPS, groups_named
from trendloom.errors import CatalogueError


def test_every_label_of_a_group_is_a_garment_of_the_data() -> None:
    assert set(CCP_GROUPS.values()) == set(GROUPS)
    assert set(CCP_GROUPS) <= {CCP_LABELS[number] for number in CCP_GARMENTS}


def test_what_is_in_no_group_is_meant() -> None:
    left_out = {CCP_LABELS[number] for number in CCP_GARMENTS} - set(CCP_GROUPS)
    assert left_out == {
        "belt",
        "gloves",
        "hat",
        "intimate",
        "panties",
        "scarf",
        "socks",
        "stockings",
        "swimwear",
        "tie",
        "tights",
    }


def test_groups_have_names() -> None:
    assert groups_named("ccp") == CCP_GROUPS
    assert groups_named("") is None
    with pytest.raises(CatalogueError, match="no groups 'coco'"):
        groups_named("coco")
