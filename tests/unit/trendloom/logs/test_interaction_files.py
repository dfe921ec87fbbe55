"""Readers of who took what."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from trendloom.errors import LogFormatError
from trendloom.logs.interaction_files import read_interactions


def test_reviews_are_ordered_by_time_and_ties_by_the_file(tmp_path: Path) -> None:
    lines = [
        '{"reviewerID": "B", "asin": "x", "overall": 1.0, "unixReviewTime": 20}',
        "{'reviewerID': 'A', 'asin': 'x', 'helpful': [0, 0], 'reviewText': 'it\\'s', 'unixReviewTime': 30}",
        '{"reviewerID": "A", "asin": "z", "unixReviewTime": 10}',
        '{"reviewerID": "A", "asin": "y", "unixReviewTime": 10}',
        '{"reviewerID": "A", "asin": "z", "unixReviewTime": 40}',
    ]
    path = tmp_path / "reviews_5.json.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    read = read_interactions(path)
    taken = [
        [read.item_ids[item] for item in read.item[low:high]]
        for low, high in zip(read.start[:-1], read.start[1:], strict=True)
    ]
    assert dict(zip(read.user_ids, taken, strict=True)) == {"B": ["x"], "A": ["z", "y", "x"]}


def test_a_line_is_never_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "reviews.json"
    path.write_text("__import__('os').mkdir('made')\n")
    with pytest.raises(LogFormatError, match="1 of 1 lines are no reviews"):
        read_interactions(path)


def test_sequences_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "sequences.txt.gz"
    path.write_bytes(gzip.compress(b"u1 9 3 7\n\nu2 3\n"))
    read = read_interactions(path)
    assert (read.user_ids, read.item_ids) == (("u1", "u2"), ("9", "3", "7"))
    assert (read.start.tolist(), read.item.tolist()) == ([0, 3, 4], [0, 1, 2, 1])
    assert read.counts.tolist() == [1, 2, 1]


@pytest.mark.parametrize("text", ["u1\n", "u1 1\nu1 2\n", ""])
def test_what_is_no_sequence_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sequences.txt"
    path.write_text(text)
    with pytest.raises(LogFormatError, match="Action: "):
        read_interactions(path)


def test_a_broken_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sequences.txt.gz"
    path.write_bytes(gzip.compress(b"u1 9 3 7\n" * 99)[:-9])
    with pytest.raises(LogFormatError, match="cannot be read"):
        read_interactions(path)


def test_a_purchase_log_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "customer_id,item_id,occurred_at\nc,two,2020-01-02T10:00:00Z\nc,one,2020-01-01T10:00:00Z\n"
        "c,two,2020-01-03T10:00:00Z\n"
    )
    read = read_interactions(path, "purchases")
    assert [read.item_ids[item] for item in read.item] == ["one", "two"]
