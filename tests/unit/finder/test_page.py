from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra `dashboard` is not installed")
from fastapi.testclient import TestClient

import finder.page
from finder.page import build_page
from tests.unit.trendloom.similar.shop import ColourLook, FixedLabels, square, squares_catalogue, squares_search
from trendloom.errors import MissingExtra
from trendloom.similar import Similar

LOCAL = "http://127.0.0.1"


@pytest.fixture(scope="module")
def similar() -> Similar:
    return squares_search(FixedLabels(["light", "dark"], [0.7, 0.3]))


@pytest.fixture
def client(similar: Similar) -> Iterator[TestClient]:
    with TestClient(build_page(similar, most_bytes=50_000, most_pixels=250_000), base_url=LOCAL) as found:
        yield found


def test_the_page_and_its_parts_are_there(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    parts = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert len(parts) == 3
    for part in parts:
        assert client.get("/" + part).status_code == 200, part


def test_the_page_asks_nobody_else_and_runs_nothing_foreign(client: TestClient) -> None:
    for path in ("/", "/page.js", "/api/about", "/thumbs/none"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    for name in ("index.html", "page.css", "page.js"):
        text = (Path(finder.page.__file__).parent / "pages" / name).read_text(encoding="utf-8")
        assert not re.search(r"(https?:)?//[a-z0-9.-]+\.[a-z]", text), name
        assert not re.search(r"innerHTML|eval\(|@import|url\(", text), name


def test_a_photo_is_answered_with_what_is_like_it(client: TestClient, similar: Similar) -> None:
    photo = similar.catalogue.thumbnails.get(5)
    assert photo is not None
    told = client.post("/api/similar?k=3", content=photo, headers={"Content-Type": "image/webp"}).json()
    assert [match["item_id"] for match in told["matches"]] == [
        match.item_id for match in similar.search(photo, 3).matches
    ]
    first = told["matches"][0]
    assert (first["item_id"], first["percent"], first["picture"]) == (
        similar.catalogue.item_ids[5],
        100,
        f"thumbs/{similar.catalogue.item_ids[5]}",
    )
    assert (told["label"], told["query"]) == (None, None)
    picture = client.get("/" + first["picture"])
    assert (picture.status_code, picture.headers["content-type"], picture.content) == (200, "image/webp", photo)


@pytest.mark.parametrize("field", ["photo", "file"])
def test_a_form_is_answered_as_the_photo_itself(client: TestClient, field: str) -> None:
    photo = square((9, 200, 30))
    sent = client.post("/api/similar?k=4", files={field: ("../../x.png", photo, "image/png")})
    assert sent.status_code == 200
    assert sent.json()["matches"] == client.post("/api/similar?k=4", content=photo).json()["matches"]


def test_with_labels_the_answer_tells_the_likeliest(client: TestClient) -> None:
    told = client.post("/api/similar?label_aware=true", content=square((128, 128, 140))).json()
    assert (told["label"], told["label_probability"]) == ("light", 0.7)
    assert len(told["matches"]) == 5


def test_a_garment_is_asked_for_by_its_id(client: TestClient, similar: Similar) -> None:
    item_id = similar.catalogue.item_ids[3]
    told = client.get("/api/similar", params={"item": item_id, "k": 2, "label_aware": True}).json()
    assert told["query"]["item_id"] == item_id
    assert told["label"] in {"Dark", "Light"}
    assert item_id not in {match["item_id"] for match in told["matches"]}
    unknown = client.get("/api/similar", params={"item": "nothing"})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "no_such_item")


def test_samples_have_pictures_and_are_those_of_the_seed(client: TestClient) -> None:
    samples = client.get("/api/samples?count=6&seed=4").json()
    assert samples == client.get("/api/samples?count=6&seed=4").json()
    assert len(samples) == 6
    assert samples != client.get("/api/samples?count=6&seed=5").json()
    for sample in samples:
        assert client.get("/" + sample["picture"]).status_code == 200


def test_about_tells_what_the_page_must_know(client: TestClient) -> None:
    assert client.get("/api/about").json() == {
        "catalogue": "squares",
        "items": 40,
        "credit": "nobody",
        "most_bytes": 50_000,
        "most_pixels": 250_000,
    }
    assert client.get("/health").json() == {"status": "running"}


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", 422, "empty"),
        (b"no picture", 415, "not_a_picture"),
        (square((1, 2, 3))[:80], 422, "broken"),
        (square((1, 2, 3), side=8), 422, "too_small"),
        (square((1, 2, 3), side=600), 413, "too_many_pixels"),
        (b"\xff\xd8" + b"x" * 60_000, 413, "too_many_bytes"),
    ],
)
def test_what_is_refused_says_why_and_what_to_do(client: TestClient, content: bytes, status: int, reason: str) -> None:
    answer = client.post("/api/similar", content=content)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert "Action: " in answer.json()["error"]


def test_a_stream_without_a_length_is_cut_off_at_the_limit(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    assert client.post("/api/similar", content=endless()).status_code == 413


@pytest.mark.parametrize("query", ["k=0", "k=51", "k=many", "label_aware=perhaps"])
def test_parameters_out_of_range_are_refused(client: TestClient, query: str) -> None:
    answer = client.post(f"/api/similar?{query}", content=square((1, 2, 3)))
    assert (answer.status_code, answer.json()["reason"]) == (422, "parameter")
    assert query.split("=", maxsplit=1)[0] in answer.json()["error"]


def test_other_sites_get_nothing(client: TestClient) -> None:
    for name in ("shop.example", "shop.example:8090", "127.0.0.1.shop.example", "[::1", ""):
        foreign = client.get("/", headers={"Host": name})
        assert (foreign.status_code, foreign.json()["reason"]) == (400, "foreign_name"), name
    for name in ("127.0.0.1", "localhost:8090", "LOCALHOST", "[::1]:8090"):
        assert client.get("/", headers={"Host": name}).status_code == 200, name
    foreign = client.post("/api/similar", content=square((1, 2, 3)), headers={"Sec-Fetch-Site": "cross-site"})
    assert (foreign.status_code, foreign.json()["reason"]) == (403, "foreign_page")
    own = client.post("/api/similar", content=square((1, 2, 3)), headers={"Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/thumbs/nothing", "/thumbs/..%2f..%2fpyproject.toml", "/page.py", "/page.%2e%2e", "/docs", "/openapi.json"],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_without_torch_a_photo_is_told_what_to_install_and_a_garment_is_answered() -> None:
    def missing() -> ColourLook:
        raise MissingExtra("It needs torch. Action: pip install 'trendloom[vision]'.")

    similar = Similar(squares_catalogue(), open_look=missing, open_labels=lambda: FixedLabels(["dark"], [1.0]))
    with TestClient(build_page(similar), base_url=LOCAL) as client:
        answer = client.post("/api/similar", content=square((1, 2, 3)))
        assert (answer.status_code, answer.json()["reason"]) == (503, "not_installed")
        assert "pip install" in answer.json()["error"]
        assert client.get("/api/similar", params={"item": similar.catalogue.item_ids[0]}).status_code == 200


def test_a_classifier_of_other_labels_is_said_and_plain_search_goes_on() -> None:
    with TestClient(build_page(squares_search(FixedLabels(["hat"], [1.0]))), base_url=LOCAL) as client:
        refused = client.post("/api/similar?label_aware=true", content=square((1, 2, 3)))
        assert (refused.status_code, refused.json()["reason"]) == (422, "not_possible")
        assert client.post("/api/similar", content=square((1, 2, 3))).status_code == 200


def test_many_at_once_are_all_answered(client: TestClient) -> None:
    statuses: list[int] = []

    def ask(colour: int) -> None:
        statuses.append(client.post("/api/similar", content=square((colour, 2, 3))).status_code)

    threads = [threading.Thread(target=ask, args=(20 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
