from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evaluation.items_of_log import main

ROWS = (
    "customer_id,item_id,occurred_at,name",
    "ann,79323P,2020-09-16T10:00:00Z,PINK  CHERRY LIGHTS",
    "ann,79323P,2020-09-16T11:00:00Z,wrong name",
    "bob,79323P,2020-09-17T10:00:00Z,PINK  CHERRY LIGHTS",
    "bob,79323W,2020-09-17T10:00:00Z,White cherry lights 20",
    "bob,POST,2020-09-17T10:00:00Z,",
)


def test_one_row_an_item_with_the_title_most_rows_carry(tmp_path: Path) -> None:
    log, out = tmp_path / "log.csv", tmp_path / "items.csv"
    log.write_text("\n".join(ROWS) + "\n")
    assert main([str(log), "--title", "name", "--product", "^[0-9]{5}", "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert rows == [
        {"item_id": "79323P", "title": "PINK CHERRY LIGHTS", "kind": "lights", "product": "79323"},
        {"item_id": "79323W", "title": "White cherry lights 20", "kind": "lights", "product": "79323"},
        {"item_id": "POST", "title": "", "kind": "", "product": ""},
    ]


def test_a_log_that_cannot_be_used_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.csv"
    log.write_text("customer_id,item_id\nann,shoe\n")
    assert main([str(log), "--title", "name", "--out", str(tmp_path / "items.csv")]) != 0
    assert "Action:" in capsys.readouterr().err
