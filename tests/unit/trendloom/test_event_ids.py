"""Event ids as columns against the same ids one by one."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trendloom.event_ids import event_hash, event_hashes, spelt_usually

SPELLINGS = st.sampled_from([str, lambda one: one.hex, lambda one: str(one).upper(), lambda one: f"{{{one}}}"])
TEXTS = st.one_of(
    st.uuids().map(str),
    st.text(max_size=40),
    st.text("0123456789abcdef-", min_size=35, max_size=37),
    st.builds(lambda one, spell: spell(one), st.uuids(), SPELLINGS),
    st.builds(lambda one, place: str(one)[:place] + "é" + str(one)[place + 1 :], st.uuids(), st.integers(0, 35)),
)


def is_usual(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


@given(st.lists(TEXTS, max_size=6))
def test_a_text_is_usual_if_a_uuid_would_be_written_so(texts: list[str]) -> None:
    assert spelt_usually(texts).tolist() == [is_usual(text) for text in texts]


def test_lengths_that_only_sum_up_are_no_uuids() -> None:
    one = "7f8de1cf-93fc-4b4f-9d3d-5f2c2f1f8f10"
    assert spelt_usually([one + "7", one[1:]]).tolist() == [False, False]
    assert spelt_usually([]).tolist() == []


@given(st.lists(st.uuids(), max_size=6), st.booleans())
def test_hashes_of_many_are_those_of_each(ids: list[uuid.UUID], as_text: bool) -> None:
    given_ids = [str(one) for one in ids] if as_text else ids
    assert event_hashes(given_ids).tolist() == [event_hash(one) for one in ids]
    assert [event_hash(str(one)) for one in ids] == [event_hash(one) for one in ids]


def test_texts_and_uuids_may_be_mixed() -> None:
    one = uuid.UUID(int=(3 << 64) | 5)
    assert len(set(event_hashes([one, str(one), one.hex]).tolist())) == 1
    with pytest.raises(ValueError, match="badly formed"):
        event_hashes(["no id"])


def test_event_ids_that_differ_in_either_half_have_different_hashes() -> None:
    """UUIDs of version 1 differ in the first bytes, those of version 7 in the last."""
    first = [uuid.UUID(int=(number << 96) | 7) for number in range(2_000)]
    last = [uuid.UUID(int=(5 << 64) | number) for number in range(2_000)]
    assert len({event_hash(one) for one in first + last}) == 4_000
    assert all(0 <= event_hash(one) < 2**64 for one in first)
