"""Requests per second and latency of the champion's server, beside `mlflow models serve` and a bare loop.

    python benchmarks/serving.py [--photos FOLDER] [--seconds N] [--clients N] [--network NAME --size PIXELS]
                                 [--litserve PYTHON] [--ray PYTHON] [--quick]

Server and clients share this machine's cores. Every client sends JPEG bodies one after the other over a connection of
its own; without photos they are drawn. `bare`: a loop that decodes the same files and answers them in batches by the
same runtime, with no server at all. `alone`: one client. `captured`: ours, every answer recorded with its features.
--litserve, --ray: a python of an environment with that library and with what this project needs, for
`serving_litserve.py` and `serving_ray.py`. --quick: five seconds, a cnn at 64 px.
The marks hold for ResNet-18 at 224 px with 32 clients.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from sightline import project, scaffold
from sightline.models.backend import quicken
from sightline.models.bundle import Card
from sightline.models.predictor import BATCH, Predictor, write_bundle
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILES, WIDTH, HEIGHT = 64, 500, 375
MARKS = {
    "times_mlflow": 5.0,
    "p99_over_mlflow": 1 / 3,
    "of_bare": 0.6,
    "alone_over_bare": 1.3,
    "captured": 0.95,
    "times_best_peer": 1.2,
}
"""At least that, but for `p99_over_mlflow` and `alone_over_bare`: at most."""
AT_MOST = {"p99_over_mlflow", "alone_over_bare"}
PEERS = {"litserve": ("/health", "/predict"), "ray": ("/", "/")}
"""Where each says that it is ready, and where it answers."""
FORM = b'--part\r\nContent-Disposition: form-data; name="content"; filename="a.jpg"\r\n\r\n%b\r\n--part--\r\n'
OURS = """
import sys
from pathlib import Path
import uvicorn
from sightline.models.backend import quicken
from sightline.models.predictor import Predictor
from sightline.params import Capture as Policy
from sightline.serve.app import application
from sightline.serve.batcher import Version
from sightline.serve.capture import Capture
from sightline.serve.follow import Follower
from sightline.serve.store import Store
version = Version("1", "none", Predictor.load(sys.argv[1]))
quicken(version.predictor, Path(sys.argv[1]))
capture = Capture(Store(Path(sys.argv[3]), "captured"), Policy()) if sys.argv[3:] else None
app = application(Follower(lambda: "1", lambda: version), capture=capture)
uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
"""


@dataclass(frozen=True)
class Load:
    """What the clients met."""

    rate: float
    """Answers per second."""
    p50: float
    """Milliseconds."""
    p99: float
    failed: int


def main() -> None:
    """Load each server, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of JPEG files; by default they are drawn")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    for peer in PEERS:
        parser.add_argument(f"--{peer}", metavar="PYTHON")
    parser.add_argument("--quick", action="store_true")
    words = parser.parse_args()
    if words.quick:
        words.seconds, words.network, words.size = 5.0, "cnn", 64
    images = photos(words.photos)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}: {words.network} at {words.size} px")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        bundle, model = made(home, words.network, words.size, images[0])
        one, many = bare(bundle, images, words.seconds / 4)

        def loaded(command: Sequence[str], path: str, where: str, kind: str, bodies: Sequence[bytes]) -> Load:
            with server([*command], path, home) as port:
                return load(port, where, kind, bodies, words.clients, words.seconds)

        ours = [sys.executable, "-P", "-c", OURS, str(bundle), "{port}"]
        found = {}
        with server(ours, "/healthz", home) as port:
            found["ours"] = load(port, "/predict", "image/jpeg", images, words.clients, words.seconds)
            found["alone"] = load(port, "/predict", "image/jpeg", images, 1, words.seconds / 4)
        found["captured"] = loaded([*ours, str(home)], "/healthz", "/predict", "image/jpeg", images)
        command = [sys.executable, "-P", "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
        bodies = [invocation(one) for one in images]
        found["mlflow"] = loaded([*command, "--port", "{port}"], "/ping", "/invocations", "application/json", bodies)
        for peer, paths in PEERS.items():
            if python := getattr(words, peer):
                script = str(Path(__file__).with_name(f"serving_{peer}.py"))
                command = [python, script, "{port}", words.network, str(words.size), str(words.clients)]
                found[peer] = loaded(command, *paths, *sent(peer, images))
    tell(found, one, many)


def sent(peer: str, images: Sequence[bytes]) -> tuple[str, list[bytes]]:
    """The kind of body that a peer takes, and the images as such."""
    if peer == "litserve":
        return "multipart/form-data; boundary=part", [FORM % one for one in images]
    return "image/jpeg", list(images)


def tell(found: dict[str, Load], one: float, many: float) -> None:
    """The table, and the figures beside their marks."""
    print(f"{'':16} {'answers/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'failed':>7}")
    for name, each in found.items():
        print(f"{name:16} {each.rate:10.1f} {each.p50:8.1f} {each.p99:8.1f} {each.failed:7}")
    print(f"{'bare, in batches':16} {many:10.1f}\n{'bare, one by one':16} {1000 / one:10.1f} {one:8.1f}")
    ours, theirs, alone = (found[name] for name in ("ours", "mlflow", "alone"))
    figures = {
        "times_mlflow": ours.rate / theirs.rate,
        "p99_over_mlflow": ours.p99 / theirs.p99,
        "of_bare": ours.rate / many,
        "alone_over_bare": alone.p50 / one,
        "captured": found["captured"].rate / ours.rate,
    }
    if peers := [found[peer].rate for peer in PEERS if peer in found]:
        figures["times_best_peer"] = ours.rate / max(peers)
    met = all(figure <= MARKS[name] if name in AT_MOST else figure >= MARKS[name] for name, figure in figures.items())
    figures["failed"] = float(sum(each.failed for each in (ours, alone, found["captured"])))
    met = met and not figures["failed"]
    print(json.dumps({"name": "serving", "figures": figures, "marks": MARKS, "met": met}))


def photos(folder: Path | None) -> list[bytes]:
    """JPEG files of 500×375 pixels."""
    if folder:
        return [file.read_bytes() for file in sorted(folder.rglob("*.jp*g"))[:FILES]]
    found, rng = [], np.random.default_rng(0)
    for _ in range(FILES):
        small = rng.integers(0, 256, (HEIGHT // 15, WIDTH // 15, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
        found.append(out.getvalue())
    return found


def made(home: Path, network: str, size: int, example: bytes) -> tuple[Path, Path]:
    """A bundle with random weights, and the same as MLflow keeps it."""
    scaffold.init(home / "project", "embedded:digits", None, "served", lambda _: None)
    paths = project.Paths(home / "project")
    torch.manual_seed(0)
    (home / "weights").mkdir()
    classes = tuple("abcdefghij")
    digest = save_weights(build(network, len(classes), size).eval(), home / "weights")
    bundle = home / "bundle"
    write_bundle(bundle, Card(network, size, classes, 1.0, digest), home / "weights" / WEIGHTS, [example])
    tracker = connect(paths)
    version = tracker.register_classifier(tracker.start("served", {}), bundle, {})
    return bundle, Path(tracker.files(tracker.classifier_model, version))


def invocation(image: bytes) -> bytes:
    """An image as MLflow's server takes it."""
    table = {"columns": ["image"], "data": [[base64.b64encode(image).decode()]]}
    return json.dumps({"dataframe_split": table}).encode()


def bare(bundle: Path, images: Sequence[bytes], seconds: float) -> tuple[float, float]:
    """Milliseconds of an image alone, the median; and images per second in batches."""
    predictor = Predictor.load(bundle)
    quicken(predictor, bundle)
    predictor.predict(images[:BATCH])
    taken: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        began = time.perf_counter()
        predictor.predict([images[len(taken) % len(images)]])
        taken.append(1000 * (time.perf_counter() - began))
    began, done = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        done += len(predictor.predict(images))
    return float(np.median(taken)), done / (time.perf_counter() - began)


@contextmanager
def server(command: Sequence[str], path: str, home: Path) -> Iterator[int]:
    """A server in a process group of its own; its port once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [word.replace("{port}", str(port)) for word in command]
    with (home / "server.log").open("w") as log:
        # MLflow starts uvicorn by its name.
        env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True, cwd=home, env=env)
    try:
        for _ in range(240):
            try:
                if asyncio.run(asked(port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())) == 200:
                    break
            except OSError:
                pass
            time.sleep(0.5)
        else:
            raise SystemExit(f"{words[4]} does not answer: {(home / 'server.log').read_text()[-2000:]}")
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


async def asked(port: int, request: bytes) -> int:
    """The status of one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await answered(reader, writer, request)
    finally:
        writer.close()


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    """The status of a request on an open connection, the whole answer read."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    told = [int(line.partition(":")[2]) for line in head.splitlines() if line.startswith("content-length")]
    if told:
        await reader.readexactly(told[0])
    else:  # in chunks, each behind its length
        while length := int(await reader.readline(), 16):
            await reader.readexactly(length + 2)
        await reader.readline()
    return int(head.split()[1])


def load(port: int, path: str, kind: str, bodies: Sequence[bytes], clients: int, seconds: float) -> Load:
    """So many clients at once; the first fifth of the time does not count."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: "
    requests = [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]
    taken: list[tuple[float, float]] = []
    failed = 0

    async def client(number: int, ends: float) -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < ends:
            began = time.perf_counter()
            status = await answered(reader, writer, requests[number % len(requests)])
            failed += status != 200
            taken.append((time.perf_counter(), 1000 * (time.perf_counter() - began)))
            number += clients
        writer.close()

    async def all_of_them(ends: float) -> None:
        await asyncio.gather(*(client(number, ends) for number in range(clients)))

    began = time.perf_counter()
    asyncio.run(all_of_them(began + seconds))
    counted = [milliseconds for at, milliseconds in taken if at > began + seconds / 5]
    p50, p99 = np.quantile(counted, (0.5, 0.99))
    return Load(len(counted) / (time.perf_counter() - began - seconds / 5), float(p50), float(p99), failed)


if __name__ == "__main__":
    main()
