"""Takes a photo out of an HTTP request: never more bytes than allowed, never longer than allowed, never onto the disk.

A body that says it is too long is never held; one that says nothing is counted as it comes.
Read next: :mod:`trendloom.similar.photo`, which looks at the bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from email.message import Message

from trendloom.errors import PhotoRefused

__all__ = ["MOST_BYTES", "photo_in", "read_body"]

#: A phone's photo has 2 to 8 million bytes; the page makes larger ones smaller before it sends them.
MOST_BYTES = 10_000_000
#: What a multipart form may need besides the photo.
_FORM_BYTES = 4096
_FIELDS = ("photo", "file")
#: What is too long goes by unheld for so long, and so many bytes: who is still sending does not hear an answer.
_PASSING_S = 0.5
_PASSING_BYTES = 100_000_000


async def read_body(
    stream: AsyncIterator[bytes], declared: str | None, *, most_bytes: int = MOST_BYTES, within_s: float = 20.0
) -> bytes:
    """Return a request's body; ``declared`` is its Content-Length, if it has one.

    Raises :class:`PhotoRefused` with the reason ``too_many_bytes`` or ``too_slow``.
    """
    most = most_bytes + _FORM_BYTES
    if declared is not None and declared.isascii() and declared.isdigit() and int(declared) > most:
        await _let_pass(stream)
        raise _too_large(most_bytes)
    held = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in stream:
                if len(held) + len(chunk) > most:
                    held.clear()
                    await _let_pass(stream)
                    raise _too_large(most_bytes)
                held += chunk
    except TimeoutError:
        raise PhotoRefused(
            "too_slow", f"The photo did not arrive within {within_s:.0f} s. Action: send it again, or a smaller one."
        ) from None
    return bytes(held)


async def _let_pass(stream: AsyncIterator[bytes]) -> None:
    """Let the rest of a body go by for a moment: who is still sending takes an early answer for a broken line."""
    passed = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_PASSING_S):
            async for chunk in stream:
                passed += len(chunk)
                if passed > _PASSING_BYTES:
                    return


def photo_in(body: bytes, content_type: str) -> bytes:
    r"""Return the photo in a body: the body itself, or the part ``photo`` or ``file`` of a multipart form.

    Raises :class:`PhotoRefused` with the reason ``no_photo`` for a form without such a part.

    >>> form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\npixels\r\n--x--\r\n'
    >>> photo_in(form, "multipart/form-data; boundary=x"), photo_in(b"pixels", "image/png")
    (b'pixels', b'pixels')
    """
    told = _header("Content-Type", content_type)
    if told.get_content_type() != "multipart/form-data":
        return body
    boundary = told.get_param("boundary")
    if isinstance(boundary, str) and boundary:
        # a part: line end, headers, empty line, content, line end
        for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"))[1:]:
            head, blank, content = part.partition(b"\r\n\r\n")
            if blank and _field(head) in _FIELDS:
                return content
    raise PhotoRefused(
        "no_photo",
        "The form holds no photo. Action: send it as the field `photo`, or as the whole body of the request.",
    )


def _field(head: bytes) -> str | None:
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            found = _header("Content-Disposition", value.strip()).get_param("name", header="Content-Disposition")
            return found if isinstance(found, str) else None
    return None


def _header(name: str, value: str) -> Message:
    message = Message()
    message[name] = value.replace("\r", " ").replace("\n", " ")
    return message


def _too_large(most_bytes: int) -> PhotoRefused:
    return PhotoRefused(
        "too_many_bytes",
        f"The photo has more than {most_bytes / 1e6:.0f} million bytes. "
        "Action: make it smaller; 1,000 pixels a side are plenty.",
    )
