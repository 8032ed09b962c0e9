"""Tests of the HTTP application, over a real socket."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from answering import CLASSES, follower, image, served, version
from sqlalchemy.exc import OperationalError

from flows.serving import TOKEN, required_token
from sightline.errors import ConfigError, RegistryError
from sightline.serve import batcher, bodies, follow
from sightline.serve.app import application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.serve.batcher import Version


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    """A client of a server that holds version 1."""
    with served() as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def test_three_ways_to_send_an_image_get_the_same_answer(api: httpx.Client) -> None:
    """Bytes, a form and base64; the answer is that of the predictor, with its version."""
    data = image()
    (expected,) = version("1").predictor.predict([data])
    text = base64.b64encode(data).decode()
    replies = [
        api.post("/predict", content=data),
        api.post("/predict", files={"image": ("one.png", data)}),
        api.post("/predict", json={"image": text}),
        api.post("/predict", json={"images": [text]}),
    ]
    for reply in replies:
        assert reply.status_code == 200, reply.text
        (answer,) = reply.json()["answers"]
        assert answer.pop("name", "one.png") == "one.png"
        assert answer["label"] == expected.label
        assert answer["probability"] == pytest.approx(expected.probability, abs=1e-5)
        assert answer["version"] == "1"
        assert answer["digest"] == "digest of 1"
        assert answer["abstain"] is False
        assert [one["label"] for one in answer["top"]] == sorted(
            CLASSES, key=lambda name: -expected.probabilities[CLASSES.index(name)]
        )
    assert len({reply.json()["request"] for reply in replies}) == len(replies)


def test_top_shortens_the_list(api: httpx.Client) -> None:
    """As many classes as are asked for; none of them is no question."""
    for asked, given in (("1", 1), ("2", 2), ("99", 3)):
        (answer,) = api.post("/predict", params={"top": asked}, content=image()).json()["answers"]
        assert len(answer["top"]) == given
    for asked in ("0", "-1"):
        reply = api.post("/predict", params={"top": asked}, content=image())
        assert (reply.status_code, reply.json()["error"]) == (422, "top: input should be greater than or equal to 1")


def test_base64_is_taken_as_callers_write_it(api: httpx.Client) -> None:
    """In lines, behind the prefix of a browser's address, in the alphabet for addresses, and without its end."""
    data = image(3)
    assert len(data) % 3
    assert {43, 47} & set(base64.b64encode(data))
    plain = base64.b64encode(data).decode()
    texts = [
        plain,
        base64.encodebytes(data).decode(),
        f"data:image/png;base64,{plain}",
        f" DATA:;base64,\r\n{plain}\n",
        base64.urlsafe_b64encode(data).decode(),
        plain.rstrip("="),
    ]
    answers = api.post("/predict", json={"images": texts}).json()["answers"]
    alone = version("1").predictor.predict([data])[0].probability
    assert [one["probability"] for one in answers] == pytest.approx([alone] * len(texts), abs=1e-5)
    many = api.post("/predict", json={"images": [texts[2]] * bodies.MOST_IMAGES}, timeout=60)
    assert len(many.json()["answers"]) == bodies.MOST_IMAGES


@pytest.mark.parametrize("text", ["***", "A", "AA=A", "ü", "\ud800", "data:image/svg+xml,%3Csvg"])
def test_text_that_is_no_base64_costs_no_other_image(api: httpx.Client, text: str) -> None:
    """It has its reason in its place; where nothing else was asked about, so has the request."""
    good = base64.b64encode(image()).decode()
    body = json.dumps({"images": [good, text, good]}).encode()
    reply = api.post("/predict", content=body, headers={"content-type": "application/json"})
    first, second, third = reply.json()["answers"]
    assert "label" in first
    assert "label" in third
    assert second == {"error": "images[1] is no base64 text"}
    reply = api.post("/predict", content=json.dumps({"image": text}), headers={"content-type": "application/json"})
    assert (reply.status_code, reply.json()) == (422, {"error": "image is no base64 text"})


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"filename*=UTF-8''gr%C3%BCn.png", "grün.png"),
        (b"filename*=UTF-8'en'a%22%5Cb.png", 'a"\\b.png'),
        (b"filename*=ISO-8859-1''gr%FCn.png", "grün.png"),
        (b"filename=a.png; filename*=UTF-8''b.png", "a.png"),
        (b'filename="a.png"', "a.png"),
    ],
)
def test_form_file_may_have_its_name_in_the_longer_form(api: httpx.Client, said: bytes, name: str) -> None:
    """As some libraries send it; the plain one is the one that counts."""
    part = b'--x\r\nContent-Disposition: form-data; name="image"; ' + said + b"\r\n\r\n" + image() + b"\r\n--x--\r\n"
    reply = api.post("/predict", content=part, headers={"content-type": "multipart/form-data; boundary=x"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["answers"][0]["name"] == name


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_probes_may_ask_for_the_head_alone(api: httpx.Client, path: str) -> None:
    """What GET says of it, and no body."""
    head, whole = api.head(path), api.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert [head.headers[name] for name in ("content-type", "content-length")] == [
        whole.headers[name] for name in ("content-type", "content-length")
    ]
    assert "head" not in api.get("/openapi.json").json()["paths"][path]


def rejected(api: httpx.Client, status: int) -> float:
    """Requests that were turned away with that status, as /metrics counts them."""
    found = re.search(rf'rejected_requests_total{{status="{status}"}} (\S+)', api.get("/metrics").text)
    return float(found[1]) if found else 0


@pytest.mark.parametrize("host", ["elsewhere.example:80", "localhost.example", "::1", "[::2]:80", "localhost:x"])
def test_other_hosts_are_told_what_to_do(api: httpx.Client, host: str) -> None:
    """Under which name, why, and how it could be: as JSON, and counted."""
    before = rejected(api, 400)
    said = (
        f"called as {host}: this server answers to 127.0.0.1, [::1] and localhost alone; start it with --host 0.0.0.0, "
        "or let the proxy send Host: localhost"
    )
    for path in ("/predict", "/nowhere"):
        reply = api.post(path, content=image(), headers={"host": host})
        assert (reply.status_code, reply.json()) == (400, {"error": said})
    assert rejected(api, 400) == before + 2
    for name in ("LOCALHOST", "[::1]:8000", "127.0.0.1:", "localhost:80"):
        assert api.post("/predict", content=image(), headers={"host": name}).status_code == 200


def test_several_images_answer_in_order_whatever_one_of_them_is(api: httpx.Client) -> None:
    """An unreadable one has its reason in its place."""
    files = [("image", (f"{seed}.png", image(seed))) for seed in range(5)]
    files.insert(2, ("image", ("notes.txt", b"no image")))
    answers = api.post("/predict", files=files).json()["answers"]
    assert [one["name"] for one in answers] == ["0.png", "1.png", "notes.txt", "2.png", "3.png", "4.png"]
    assert [("error" in one) for one in answers] == [False, False, True, False, False, False]


def test_many_at_once_are_answered_together_and_alike(api: httpx.Client) -> None:
    """Each gets its own answer, and some shared a pass of the network."""
    alone = [version("1").predictor.predict([image(seed)])[0].probability for seed in range(24)]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda seed: api.post("/predict", content=image(seed)).json(), range(24)))
    assert [one["answers"][0]["probability"] for one in found] == pytest.approx(alone, abs=1e-5)
    told = dict(
        line.rsplit(" ", 1) for line in api.get("/metrics").text.splitlines() if line.startswith("sightline_batch")
    )
    assert float(told["sightline_batch_images_sum"]) > float(told["sightline_batch_images_count"])


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 422),
        (b"no image", {}, 422),
        (image()[:200], {}, 422),
        (b"{", {"content-type": "application/json"}, 400),
        (b"3", {"content-type": "application/json"}, 400),
        (b"[" * 100_000, {"content-type": "application/json"}, 400),
        (b'{"images": 3}', {"content-type": "application/json"}, 400),
        (b'{"images": {"a": "AA=="}}', {"content-type": "application/json"}, 400),
        (b'{"images": "AA=="}', {"content-type": "application/json"}, 400),
        (b'{"images": ["***"]}', {"content-type": "application/json"}, 422),
        (b'{"images": [null]}', {"content-type": "application/json"}, 400),
        (b'{"images": []}', {"content-type": "application/json"}, 400),
        (b"x", {"content-type": "multipart/form-data"}, 400),
        (b"x", {"content-type": "multipart/form-data; boundary=x"}, 400),
        (b"--x\r\n\r\n\r\n--x--", {"content-type": "multipart/form-data; boundary=x"}, 400),
        (image(), {"host": "elsewhere.example"}, 400),
    ],
)
def test_what_is_no_request_is_refused_in_words(
    api: httpx.Client, body: bytes, headers: dict[str, str], status: int
) -> None:
    """No 500, no traceback."""
    reply = api.post("/predict", content=body, headers=headers)
    assert reply.status_code == status, reply.text
    assert "Traceback" not in reply.text
    assert api.post("/predict", content=image()).status_code == 200


def test_other_methods_and_paths_are_refused(api: httpx.Client) -> None:
    """As HTTP says it, in the shape of every other error."""
    replies = [
        api.get("/predict"),
        api.delete("/"),
        api.get("/../params.yaml"),
        api.post("/predict", params={"top": "many"}, content=image()),
        api.post("/predict", headers={"X-Sightline-Site": "!"}, content=image()),
    ]
    assert [reply.status_code for reply in replies] == [405, 405, 404, 422, 422]
    assert [list(reply.json()) for reply in replies] == [["error"]] * len(replies)
    assert replies[0].headers["allow"] == "POST"
    assert replies[3].json()["error"].startswith("top: input should be a valid integer")
    assert replies[4].json()["error"] == (
        "X-Sightline-Site: '!' cannot be a name here: it has at most 64 characters of a–z, A–Z, 0–9, and from the "
        "second on . _ - too; or leave it empty"
    )


def test_limits_hold_before_anything_is_decoded(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes by header and as they come, images, those that wait, and bodies that are held."""
    monkeypatch.setattr(bodies, "MOST_BYTES", 2000)
    assert api.post("/predict", content=b"x" * 3000).status_code == 413
    assert api.post("/predict", content=(b"x" * 1000 for _ in range(3))).status_code == 413
    monkeypatch.setattr(bodies, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(bodies, "MOST_IMAGES", 2)
    text = base64.b64encode(image()).decode()
    assert api.post("/predict", json={"images": [text] * 3}).status_code == 413
    assert api.post("/predict", files=[("image", ("a.png", image()))] * 3).status_code == 400
    monkeypatch.setattr(batcher, "WAITING", 0)
    full = api.post("/predict", content=image())
    assert (full.status_code, full.headers["retry-after"]) == (429, "1")
    monkeypatch.undo()
    monkeypatch.setattr(bodies, "HELD_BYTES", 10)
    assert api.post("/predict", content=image()).status_code == 429
    monkeypatch.undo()
    assert api.post("/predict", content=image()).status_code == 200


def test_slow_and_broken_senders_cost_only_themselves(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never ends its body is told so; one that hangs up is forgotten."""
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.5)
    place = urlsplit(str(api.base_url))
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection((place.hostname, place.port), timeout=20) as slow:
        slow.sendall(head + b"x" * 10)
        assert b" 408 " in slow.recv(1000)
    with socket.create_connection((place.hostname, place.port)) as gone:
        gone.sendall(head + b"x" * 10)
    assert api.post("/predict", content=image()).status_code == 200


def test_token_is_asked_for() -> None:
    """Without it, and with another one, nothing is answered but whether the server lives."""
    with served(token="secret") as address, httpx.Client(base_url=address) as client:  # noqa: S106 — of this test alone

        def status(given: bytes | None) -> int:
            headers = [] if given is None else [(b"authorization", given)]
            return client.post("/predict", content=image(), headers=headers).status_code

        assert status(None) == 401
        assert status("Bearer secrét".encode()) == 401
        assert status(b"Bearer secret") == 200
        assert client.get("/metrics").status_code == 401
        assert client.get("/healthz").json() == {"status": "alive"}
    with served(token="geheimnüß") as address:  # noqa: S106 — of this test alone
        for given, wanted in (("Bearer geheimnüß", 200), ("Bearer geheimnüs", 401)):
            reply = httpx.post(f"{address}/predict", content=image(), headers=[(b"authorization", given.encode())])
            assert reply.status_code == wanted


@pytest.mark.parametrize("given", ["", " "])
def test_empty_token_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names one wants not all to be let in; who names none does."""
    monkeypatch.setenv(TOKEN, given)
    with pytest.raises(ConfigError, match=r"SIGHTLINE_TOKEN is empty: .* or unset it"):
        required_token()
    monkeypatch.delenv(TOKEN)
    assert required_token() is None


def test_promotion_and_rollback_drop_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load every answer is whole and names the version whose answer it is; the ledger's champion takes over."""
    monkeypatch.setattr(follow, "SECONDS", 0.02)
    versions = {"1": version("1", seed=1), "2": version("2", seed=2)}
    data = image()
    expected = {number: one.predictor.predict([data])[0].probability for number, one in versions.items()}
    champion = ["1"]
    held = follower(lambda: champion[0], lambda: versions[champion[0]])
    with served(application(held)) as address:
        ended, found = threading.Event(), []

        def ask() -> None:
            with httpx.Client(timeout=30) as client:
                while not ended.is_set():
                    found.append(client.post(f"{address}/predict", content=data))

        with ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(ask)
            for number in ("2", "1", "2"):
                champion[0] = number
                before = len(found)
                while held.version.number != number or len(found) < before + 20:
                    time.sleep(0.01)
            ended.set()
        assert {reply.status_code for reply in found} == {200}
        answers = [reply.json()["answers"][0] for reply in found]
        assert {one["version"] for one in answers} == {"1", "2"}
        for one in answers:
            assert one["probability"] == pytest.approx(expected[one["version"]], abs=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        RegistryError("version 2 is not the one of the ledger"),
        OperationalError("SELECT 1", {}, ConnectionError("server closed the connection")),
    ],
)
def test_version_of_before_goes_on_where_the_next_cannot_be_had(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the trouble is, it is told at /readyz until it is over."""
    monkeypatch.setattr(follow, "SECONDS", 0.02)
    wanted, trouble = ["1"], [False]

    def load() -> Version:
        if trouble[0]:
            raise error
        return version(wanted[0])

    held = follower(lambda: wanted[0], load)
    with served(application(held)) as address:

        def ready() -> dict[str, str | None]:
            told: dict[str, str | None] = httpx.get(f"{address}/readyz").json()
            return told

        trouble[0], wanted[0] = True, "2"
        end = time.monotonic() + 10
        while ready()["ledger"] is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert ready()["version"] == "1"
        assert httpx.post(f"{address}/predict", content=image()).json()["answers"][0]["version"] == "1"
        trouble[0] = False
        while ready()["version"] != "2":
            time.sleep(0.02)
        assert ready()["ledger"] is None


def test_page_needs_no_network(api: httpx.Client) -> None:
    """The drop page names nothing outside of the server."""
    page = api.get("/").text
    assert "Drop photos here" in page
    assert "http://" not in page
    assert "https://" not in page
