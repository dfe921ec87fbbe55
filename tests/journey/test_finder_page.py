"""The page in a browser: choose, drop, sample, labels, refusals; runs where playwright and a Chromium are installed."""

from __future__ import annotations

import base64
import io
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.trendloom.similar.shop import FixedLabels, square, squares_search

pytest.importorskip("fastapi", reason="the extra `dashboard` is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra `dashboard` is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from finder.page import build_page

    page = build_page(squares_search(FixedLabels(["light", "dark"], [0.8, 0.2])), most_pixels=1_000_000)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(page, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        thread.join(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = server.force_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture(params=[(1280, 900), (360, 740)], ids=["desk", "phone"])
def page(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page as opened; at the end nothing foreign was asked for, nothing went wrong, nothing sticks out."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=width < 500)
    opened = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    opened.goto(address)
    opened.wait_for_selector("#samples img")
    yield opened
    assert [url for url in asked if not url.startswith((address, f"blob:{address}"))] == []
    assert wrong == []
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def file(tmp_path: Path, content: bytes, name: str = "mine.png") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return str(path)


def test_a_chosen_photo_is_shown_beside_what_is_like_it(page: Any, tmp_path: Path) -> None:
    page.set_input_files("#file", file(tmp_path, square((200, 40, 40))))
    page.wait_for_selector("#matches li")
    assert page.locator("#matches li").count() == 5
    assert page.locator("#preview").is_visible()
    assert page.evaluate("document.querySelector('#preview').naturalWidth") == 48
    assert page.locator("#query").inner_text() == "mine.png"
    percents = [int(text.split()[0]) for text in page.locator("#matches b").all_inner_texts()]
    assert percents == sorted(percents, reverse=True)
    page.select_option("#k", "10")
    expect(page.locator("#matches li")).to_have_count(10)
    page.locator("#clear").click()
    assert page.locator("#matches li").count() == 0
    assert page.locator("#invitation").is_visible()


def test_a_dropped_and_a_pasted_photo_are_taken(page: Any) -> None:
    bring = """([kind, encoded]) => {
        const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
        const held = new DataTransfer();
        held.items.add(new File([bytes], kind + ".png", { type: "image/png" }));
        const how = { bubbles: true, cancelable: true };
        document.querySelector("#drop").dispatchEvent(kind === "drop"
            ? new DragEvent("drop", { ...how, dataTransfer: held })
            : new ClipboardEvent("paste", { ...how, clipboardData: held }));
    }"""
    encoded = base64.b64encode(square((30, 160, 40))).decode()
    for kind in ("drop", "paste"):
        page.evaluate(bring, [kind, encoded])
        expect(page.locator("#query")).to_have_text(f"{kind}.png")
        expect(page.locator("#status")).to_contain_text("5 garments")
        expect(page.locator("#matches li")).to_have_count(5)


def test_samples_and_matches_can_be_searched_with_by_keyboard(page: Any) -> None:
    page.locator("#samples button").nth(2).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#matches li")
    before = page.locator("#query").inner_text()
    page.locator("#matches button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#query")).not_to_have_text(before)
    expect(page.locator("#status")).to_contain_text("5 garments")
    assert page.locator("#preview").is_visible()
    first = page.locator("#samples button").first.get_attribute("aria-label")
    page.locator("#others").click()
    expect(page.locator("#samples button").first).not_to_have_attribute("aria-label", first)


def test_the_label_is_told_when_it_is_minded(page: Any, tmp_path: Path) -> None:
    page.set_input_files("#file", file(tmp_path, square((128, 128, 140))))
    page.wait_for_selector("#matches li")
    page.locator("#aware").check()
    expect(page.locator("#status")).to_contain_text("Taken for: light, 80 % sure.")


def test_a_refusal_is_said_and_the_next_photo_works(page: Any, tmp_path: Path) -> None:
    page.set_input_files("#file", file(tmp_path, b"no picture at all"))
    page.wait_for_selector("#error:not([hidden])")
    assert "Action: send a photo as JPEG" in page.locator("#error").inner_text()
    assert page.locator("#matches li").count() == 0
    page.set_input_files("#file", file(tmp_path, square((10, 20, 200)), "good.png"))
    page.wait_for_selector("#matches li")
    assert page.locator("#error").is_hidden()


def test_a_photo_that_is_too_large_is_made_smaller_before_it_is_sent(page: Any, tmp_path: Path) -> None:
    """12 million bytes, 4 million pixels: the server takes 10 million bytes and, here, a million pixels."""
    sink = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, size=(2000, 2000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(sink, "PNG", compress_level=1)
    assert len(sink.getvalue()) > 10_000_000
    page.set_input_files("#file", file(tmp_path, sink.getvalue()))
    page.wait_for_selector("#matches li", timeout=30_000)


def test_every_control_has_a_name(page: Any) -> None:
    nameless = page.evaluate("""[...document.querySelectorAll("button, input, select, img")].filter((one) =>
        one.tagName === "IMG" ? !one.hasAttribute("alt")
        : !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length))
        .map((one) => one.outerHTML)""")
    assert nameless == []
