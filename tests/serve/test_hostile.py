"""Tests of the server against clients that mean harm, over real sockets: each costs itself alone."""

from __future__ import annotations

import base64
import io
import json
import logging
import shutil
import socket
import subprocess
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from answering import image, served
from PIL import Image

from sightline.serve import batcher, bodies, protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server that holds version 1."""
    with served() as found:
        yield found


@pytest.fixture(autouse=True)
def _still_well(address: str, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever was sent, the next caller is answered, nothing failed inside, and no body is held."""
    with caplog.at_level(logging.ERROR):
        yield
        assert httpx.post(f"{address}/predict", content=image(), timeout=30).status_code == 200
    assert not caplog.records, caplog.text


def connected(address: str) -> socket.socket:
    """A connection to the server."""
    place = urlsplit(address)
    return socket.create_connection((place.hostname, place.port), timeout=20)


def sent(address: str, data: bytes) -> bytes:
    """All that the server says to these bytes until it closes, or nothing more comes for a while."""
    with connected(address) as caller:
        caller.sendall(data)
        caller.settimeout(2)
        said = b""
        try:
            while part := caller.recv(1 << 16):
                said += part
        except (TimeoutError, ConnectionResetError):
            pass
    assert b"Traceback" not in said
    return said


def statuses(said: bytes) -> list[int]:
    """Those of the answers, in order."""
    return [int(part.split(b" ", 1)[0]) for part in said.split(b"HTTP/1.1 ")[1:]]


def ends(caller: socket.socket) -> bytes:
    """What the server says until it closes the connection: it must."""
    said = b""
    while part := caller.recv(1 << 16):
        said += part
    return said


def test_200_megabytes_are_refused_before_they_arrive(address: str) -> None:
    """By their header at once; without one as soon as they are too many; the rest is thrown away."""
    assert statuses(sent(address, HEAD + b"Content-Length: 209715200\r\n\r\n" + bytes(1 << 20))) == [413]
    chunk = bytes(1 << 20)
    reply = httpx.post(f"{address}/predict", content=(chunk for _ in range(200)), timeout=60)
    assert reply.status_code == 413


def test_refused_body_may_not_go_on_for_ever(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on to send is cut off."""
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.2)
    with connected(address) as caller:
        caller.sendall(HEAD + b"Content-Length: 209715200\r\n\r\n")
        _trickle(caller, b"x")


def test_ten_thousand_parts_are_refused(address: str) -> None:
    """As files and as fields."""
    for disposition in (b'name="image"; filename="a.png"', b'name="a"'):
        part = b"--x\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\nx\r\n"
        body, kind = part * 10_000 + b"--x--\r\n", {"content-type": "multipart/form-data; boundary=x"}
        reply = httpx.post(f"{address}/predict", content=body, headers=kind, timeout=30)
        assert reply.status_code == 400
        assert "Too many" in reply.text


@pytest.mark.parametrize("item", ["{}", "[]", "0", '"AA=="'])
def test_millions_of_small_things_in_json_are_refused_unread(address: str, item: str) -> None:
    """They would take many times their bytes in memory."""
    body = f'{{"images": [{",".join([item] * 1_000_000)}]}}'.encode()
    reply = httpx.post(f"{address}/predict", content=body, headers={"content-type": "application/json"}, timeout=30)
    assert (reply.status_code, "256 images" in reply.text) == (413, True)


def bombs() -> dict[str, bytes]:
    """Small files of many pixels."""

    def png(width: int, height: int, rows: int) -> bytes:
        def chunk(kind: bytes, data: bytes) -> bytes:
            return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

        header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 0, 0, 0, 0])
        pixels = zlib.compress(bytes((width + 1) * rows), 9)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")

    out = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(out, "TIFF", compression="group4")
    return {
        "900 megapixels": png(30_000, 30_000, 4000),
        "2**62 pixels": png(2**31 - 1, 2**31 - 1, 0),
        "30 megapixels": png(6000, 5000, 5000),
        "tiff": out.getvalue(),
    }


@pytest.mark.parametrize("name", list(bombs()))
def test_bombs_are_refused_undecoded(address: str, name: str) -> None:
    """Whatever is said to be in it."""
    reply = httpx.post(f"{address}/predict", content=bombs()[name], timeout=30)
    assert reply.status_code == 422
    assert any(word in reply.text for word in ("megapixels", "decompression bomb"))


def test_large_images_wait_behind_the_others(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many as may wait are answered; a request of more is refused as a whole."""
    out = io.BytesIO()
    Image.new("RGB", (2500, 2000)).save(out, "PNG", compress_level=9)
    many = [("image", ("large.png", out.getvalue()))] * 6
    assert httpx.post(f"{address}/predict", files=many, timeout=60).status_code == 200
    monkeypatch.setattr(batcher, "LARGE_WAITING", 2)
    assert httpx.post(f"{address}/predict", files=many, timeout=60).status_code == 429
    assert httpx.post(f"{address}/predict", content=image(), timeout=60).status_code == 200


@pytest.mark.parametrize("head", [b"", b"POST /predict HTTP/1.1\r\nX-Slow: ", HEAD])
def test_slow_heads_are_cut_off(address: str, head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However they trickle; also one behind an answered request."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    for before in (b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with connected(address) as caller:
            caller.sendall(before)
            trickle = threading.Thread(target=_trickle, args=[caller, head], daemon=True)
            trickle.start()
            said = ends(caller)
            assert statuses(said)[-1] == 408
            assert "did not arrive" in json.loads(said.rpartition(b"\r\n\r\n")[2])["error"]
            trickle.join()


def _trickle(caller: socket.socket, head: bytes) -> None:
    """Send a byte now and then until the server has had enough."""
    try:
        caller.sendall(head)
        while head:
            time.sleep(0.05)
            caller.sendall(b"x")
    except OSError:
        return


def test_slow_bodies_are_cut_off(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without a length."""
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.2)
    for rest in (b"Content-Length: 1000\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\n5\r\nxx"):
        with connected(address) as caller:
            caller.sendall(HEAD + rest)
            assert statuses(ends(caller)) == [408]


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"X-Long: " + b"x" * 1_000_000,
        HEAD + b"X-Many: x\r\n" * 100_000,
        b"GET /" + b"x" * 1_000_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 1_000_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + b"X-Trailer: x\r\n" * 100_000,
    ],
)
def test_endless_heads_are_cut_off(address: str, data: bytes) -> None:
    """Nothing of it may be kept for as long as the caller likes."""
    with connected(address) as caller:
        caller.settimeout(5)
        try:
            caller.sendall(data)
            said = ends(caller)
        except (ConnectionResetError, BrokenPipeError):
            said = b""
        assert set(statuses(said)) <= {400, 431}


def test_heads_of_many_short_lines_are_cut_off(address: str) -> None:
    """Each is compared with each before the application sees them."""
    lines = b"".join(b"a%d:\r\n" % n for n in range(protocol.MOST_FIELDS))
    said = sent(address, HEAD + lines + b"Content-Length: 0\r\n\r\n")
    assert statuses(said) == [431]
    assert "128 lines" in json.loads(said.rpartition(b"\r\n\r\n")[2])["error"]


def test_lines_behind_a_body_are_no_head(address: str) -> None:
    """This one would be refused as a tag."""
    data = b"%x\r\n%b\r\n0\r\nX-Sightline-Site: !\r\n\r\n" % (len(image()), image())
    assert statuses(sent(address, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + data)) == [200]


def test_idle_connections_make_room_for_callers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many the oldest goes that has not asked for anything."""
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 20)
    idle = [connected(address) for _ in range(60)]
    try:
        assert httpx.post(f"{address}/predict", content=image(), timeout=30).status_code == 200
        assert idle[0].recv(1) == b""
    except ConnectionResetError:
        pass
    finally:
        for one in idle:
            one.close()


@pytest.mark.slow
def test_200_at_once_are_answered_or_sent_away(address: str) -> None:
    """Nothing else happens to any of them."""
    with ThreadPoolExecutor(200) as pool:
        asked = [pool.submit(httpx.post, f"{address}/predict", content=image(seed), timeout=60) for seed in range(200)]
        found = {one.result().status_code for one in asked}
    assert 200 in found
    assert found <= {200, 429}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_wrong_methods_are_refused(address: str, method: str) -> None:
    """As HTTP says it."""
    said = sent(address, f"{method} /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert statuses(said)[0] in {400, 405}


@pytest.mark.parametrize(
    "kind", ["text/html", "image/png; x=" + "y" * 5000, "application/xml", "\xff", "multipart/mixed"]
)
def test_wrong_types_are_taken_for_bytes_of_an_image(address: str, kind: str) -> None:
    """And refused where they are none."""
    headers = [(b"content-type", kind.encode("latin-1"))]
    assert httpx.post(f"{address}/predict", content=b"<html>", headers=headers).status_code in {400, 422}


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "169.254.1.1"]
)
def test_forged_hosts_are_refused(address: str, host: str) -> None:
    """On every path: a page of others must not reach a server of this machine by a name of its own."""
    for path in ("/", "/healthz", "/metrics", "/openapi.json", "/predict"):
        assert statuses(
            sent(address, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        ) == [400]


@pytest.mark.parametrize(
    "given", [b"", b"Bearer", b"Bearer ", b"bearer\xff", b"Basic c2VjcmV0", b"Bearer secret ", b"Bearer " + b"s" * 9000]
)
def test_bad_tokens_are_refused(given: bytes) -> None:
    """Before any of the body is read."""
    with served(token="secret") as found:  # noqa: S106 — of this test alone
        rest = b"Content-Length: 1000\r\n\r\n"
        assert statuses(sent(found, HEAD + b"Authorization: " + given + b"\r\n" + rest)) == [401]


@pytest.mark.parametrize("rest", [b"Content-Length: 1000\r\n\r\nxx", b"Transfer-Encoding: chunked\r\n\r\n5\r\nxx"])
def test_body_that_ends_early_fails_nothing(address: str, rest: bytes) -> None:
    """Whoever hangs up is forgotten, half a request or a whole one."""
    for data in (HEAD + rest, HEAD[:30], HEAD + b"Content-Length: 3\r\n\r\nxxx"):
        for _ in range(5):
            with connected(address) as caller:
                caller.sendall(data)
    time.sleep(0.2)


def test_pipelined_garbage_ends_the_connection(address: str) -> None:
    """What came before it is answered; what comes behind it is not read."""
    good = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert statuses(sent(address, good + b"\x00\xff garbage\r\n\r\n" + good)) in ([400], [200, 400])
    assert statuses(sent(address, HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")) == [400]
    assert statuses(sent(address, good * 500)) == [200] * 500


@pytest.mark.parametrize("length", [b"-5", b"abc", b"", b"\xb2", b"99999999999999999999999"])
def test_wrong_lengths_are_told_as_json(address: str, length: bytes) -> None:
    """As every other request that is turned away, and counted like one."""
    counted = 'sightline_rejected_requests_total{status="400"} '
    before = httpx.get(f"{address}/metrics").text.partition(counted)[2].partition("\n")[0] or "0"
    head, body = sent(address, HEAD + b"Content-Length: " + length + b"\r\n\r\n").split(b"\r\n\r\n")
    assert statuses(head) == [400]
    assert b"content-type: application/json" in head
    assert "such as Content-Length" in json.loads(body)["error"]
    assert f"{counted}{float(before) + 1}\n" in httpx.get(f"{address}/metrics").text


def test_bodies_under_way_are_counted_as_held(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many slow senders do not fill the memory together."""
    monkeypatch.setattr(bodies, "HELD_BYTES", 100_000)
    callers = [connected(address) for _ in range(8)]
    for one in callers:
        one.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n7530\r\n" + bytes(0x7530))
    time.sleep(0.5)
    for one in callers:
        one.sendall(b"\r\n0\r\n\r\n")
    found = sorted(statuses(one.recv(1 << 16))[0] for one in callers)
    assert found[:3] == [422] * 3 or found.count(429) >= 5
    assert set(found) == {422, 429}
    for one in callers:
        one.close()


@pytest.mark.slow
def test_schemathesis_finds_no_fault(address: str) -> None:
    """Requests of every kind made from the page of the requests: no answer says that the server failed."""
    command = shutil.which("schemathesis")
    if command is None:
        pytest.skip("schemathesis is not on the path: pip install it into an environment of its own")
    words = [command, "run", f"{address}/openapi.json", "--checks", "not_a_server_error", "--max-examples", "50"]
    done = subprocess.run([*words, "--seed", "1"], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]


def test_json_with_one_image_of_32_mib_is_bounded(address: str) -> None:
    """It is refused as an image, not as a fault."""
    body = json.dumps({"image": base64.b64encode(bytes(20 << 20)).decode()}).encode()
    reply = httpx.post(f"{address}/predict", content=body, headers={"content-type": "application/json"}, timeout=60)
    assert reply.status_code == 422
