from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finder.upload import photo_in, read_body
from trendloom.errors import PhotoRefused


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def never() -> AsyncIterator[bytes]:
    yield b"some"
    await asyncio.Event().wait()


def refused(stream: AsyncIterator[bytes], declared: str | None, **limits: float) -> str:
    with pytest.raises(PhotoRefused, match="Action: ") as error:
        asyncio.run(read_body(stream, declared, most_bytes=1000, within_s=limits.get("within_s", 5.0)))
    return error.value.reason


def test_a_body_is_put_together() -> None:
    assert asyncio.run(read_body(chunks(b"ab", b"", b"c"), None)) == b"abc"
    assert asyncio.run(read_body(chunks(b"abc"), "3")) == b"abc"


@pytest.mark.parametrize("declared", ["1000000", None])
def test_a_body_that_is_too_long_goes_by_unheld_and_not_for_ever(declared: str | None) -> None:
    passed = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal passed
        while True:
            passed += 10_000_000
            yield bytes(10_000_000)

    tracemalloc.start()
    try:
        assert refused(endless(), declared) == "too_many_bytes"
        assert tracemalloc.get_traced_memory()[1] < 35_000_000
    finally:
        tracemalloc.stop()
    assert passed <= 130_000_000


def test_a_body_that_is_too_long_and_does_not_come_is_refused_at_once() -> None:
    began_s = time.monotonic()
    assert refused(never(), "1000000") == "too_many_bytes"
    assert time.monotonic() - began_s < 1.0


def test_a_body_that_says_nothing_or_lies_is_counted() -> None:
    endless = [b"x" * 500] * 50
    assert refused(chunks(*endless), None) == "too_many_bytes"
    assert refused(chunks(*endless), "10") == "too_many_bytes"
    assert refused(chunks(*endless), "-1") == "too_many_bytes"


def test_a_body_that_does_not_come_is_given_up() -> None:
    assert refused(never(), "10", within_s=0.01) == "too_slow"


def form(name: str, content: bytes, boundary: str = "xyz") -> bytes:
    return (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="other"\r\n\r\n5\r\n'
            f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"; filename="a b.png"\r\n'
            f"Content-Type: image/png\r\n\r\n"
        ).encode()
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )


@given(st.binary(max_size=300))
def test_the_photo_of_a_form_is_what_was_sent(content: bytes) -> None:
    if b"\r\n--xyz" not in content:
        for field in ("photo", "file"):
            assert photo_in(form(field, content), "multipart/form-data; boundary=xyz") == content
    assert photo_in(content, "image/jpeg") == photo_in(content, "") == content


@given(st.binary(max_size=300), st.text(max_size=40))
def test_forms_that_are_none_are_refused_and_never_crash(content: bytes, boundary: str) -> None:
    with pytest.raises(PhotoRefused) as error:
        photo_in(content, f"multipart/form-data; boundary={boundary}")
    assert error.value.reason == "no_photo"


@pytest.mark.parametrize("kind", ["multipart/form-data", 'multipart/form-data; boundary=""'])
def test_a_form_without_the_field_or_boundary_is_refused(kind: str) -> None:
    for given_kind, body in ((kind, form("photo", b"x")), ("multipart/form-data; boundary=xyz", form("mine", b"x"))):
        with pytest.raises(PhotoRefused, match="as the field `photo`"):
            photo_in(body, given_kind)
