"""How fast a folder is ingested, and how much memory that takes.

1. 10,000 JPEGs of 500×375 pixels, real photos cut and encoded again: the full ingestion (read, hash, decode, facts,
   groups, roles, manifest) against two bare Pillow processes that merely decode them, in turns; against CleanVision on
   the same files (`--peer PYTHON`, of an environment made with `pip install cleanvision`); and against itself with
   nothing changed.
2. 10,000 and 100,000 small PNGs: seconds, and memory of the stage with its workers; then DVC tracks and pushes them.
3. A manifest of 1,000,000 rows, validated.

`--photos FOLDER` holds the photos to cut, in any depth.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from hostile import make_project, run
from PIL import Image

from sightline.data import ingest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.project import Paths

PROCESSES = 2
SIZE = (500, 375)
ROLES = ("train", "val", "calib", "test")
MARKS = {
    "share_of_bare_pillow": 0.6,
    "times_cleanvision": 3.0,
    "times_unchanged": 50.0,
    "mib_more_per_100k_images": 256.0,
    "million_rows_seconds": 20.0,
    "million_rows_gib": 3.0,
}


def main() -> None:
    """Measure, print as it goes, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 photos, 2,000 and 10,000 small files, no DVC")
    parser.add_argument("--photos", type=Path, help="a folder of real photos; without it, of noise")
    parser.add_argument("--peer", help="python of an environment with CleanVision")
    given = parser.parse_args()
    quick = given.quick
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        figures |= throughput(Path(scratch), 1_000 if quick else 10_000, given.photos, given.peer)
    small, large = (2_000, 10_000) if quick else (10_000, 100_000)
    with tempfile.TemporaryDirectory() as scratch:
        figures |= scale(Path(scratch), small, large, push=not quick)
    figures |= million()
    print(json.dumps({"name": "ingest", "figures": figures, "marks": MARKS, "met": met(figures)}))


def met(figures: dict[str, float]) -> bool:
    """Whether every figure that was taken keeps its mark."""
    at_least = ("share_of_bare_pillow", "times_cleanvision", "times_unchanged")
    return all(
        figures[name] >= mark if name in at_least else figures[name] <= mark
        for name, mark in MARKS.items()
        if name in figures
    )


def throughput(scratch: Path, count: int, photos: Path | None, peer: str | None) -> dict[str, float]:
    """Images a second of everybody, in three turns; the middle ratio counts."""
    paths = make_project(scratch)
    folder = paths.raw("target")
    origins = sorted(path for path in photos.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"}) if photos else []
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(partial(cut, folder, spread(origins, count)), range(count), chunksize=64))
    files = [str(path) for path in sorted(folder.rglob("*.jpg"))]
    size = sum(Path(name).stat().st_size for name in files) / len(files)
    print(f"{len(files):,} JPEGs of 500×375 pixels, {size / 1e3:.0f} kB each, from {len(origins) or 'no'} real photos")
    bare, full, again = [], [], []
    for _ in range(3):
        bare.append(timed(lambda: decode_bare(files)))
        forget(paths)
        full.append(timed(lambda: ingest.ingest(paths, "target")))
        again.append(timed(lambda: ingest.ingest(paths, "target")))
        print(f"  bare Pillow {bare[-1]:6.1f} s   ingest {full[-1]:6.1f} s   unchanged {again[-1]:6.2f} s")
    figures = {
        "bare_pillow_per_second": round(len(files) / min(bare)),
        "ingest_per_second": round(len(files) / min(full)),
        "share_of_bare_pillow": middle(bare, full),
        "times_unchanged": middle(full, again),
    }
    if peer:
        seconds = timed(lambda: cleanvision(peer, folder))
        print(f"  CleanVision {seconds:6.1f} s")
        figures["times_cleanvision"] = round(seconds / statistics.median(full), 2)
    return figures


def spread(origins: list[Path], count: int) -> list[Path]:
    """As many photos as are wanted, or all, from everywhere in the folder."""
    return origins[:: max(1, len(origins) // count)]


def cut(folder: Path, origins: list[Path], number: int) -> None:
    """Write one JPEG of the size of an ImageNet photo, cut at random from a real one."""
    rng = np.random.default_rng(number)
    if origins:
        image = Image.open(origins[number % len(origins)]).convert("RGB")
        left, top = int(rng.integers(image.width // 5 + 1)), int(rng.integers(image.height // 5 + 1))
        box = (left, top, left + image.width * 4 // 5, top + image.height * 4 // 5)
        image = image.resize(SIZE, Image.Resampling.BICUBIC, box=box)
    else:
        image = Image.fromarray(rng.integers(0, 255, (94, 125, 3), dtype=np.uint8)).resize(SIZE)
    place = folder / f"class {number % 10}" / f"{number:06d}.jpg"
    place.parent.mkdir(parents=True, exist_ok=True)
    image.save(place, quality=96)


def decode_bare(files: list[str]) -> None:
    """What anybody would write: a pool of processes that open and load."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(load, files, chunksize=64))


def load(name: str) -> None:
    """Decode one file."""
    with Image.open(name) as image:
        image.load()


def cleanvision(peer: str, folder: Path) -> None:
    """All of CleanVision's checks, as its documentation runs them."""
    code = f"from cleanvision import Imagelab; Imagelab(data_path={str(folder)!r}).find_issues(n_jobs={PROCESSES})"
    subprocess.run([peer, "-c", code], check=True, capture_output=True)


def forget(paths: Paths) -> None:
    """Make the next ingestion the first one."""
    for place in (paths.cache("target"), paths.near("target"), paths.ingested("target"), paths.manifest("target")):
        place.unlink(missing_ok=True)


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def middle(above: list[float], below: list[float]) -> float:
    """Median of the ratios of the turns."""
    return round(statistics.median(one / other for one, other in zip(above, below, strict=True)), 2)


def scale(scratch: Path, small: int, large: int, *, push: bool) -> dict[str, float]:
    """Seconds and peak memory of the stage on few and many small files; then DVC."""
    figures: dict[str, float] = {}
    for count in (small, large):
        root = scratch / str(count)
        root.mkdir()
        paths = make_project(root)
        make_small(paths.raw("target"), count)
        seconds, peak = run(paths.root)
        figures |= {f"seconds_{count}": round(seconds, 1), f"mib_{count}": round(peak)}
        print(f"{count:,} PNGs of 32×32 pixels: {seconds:.1f} s, {peak:.0f} MiB with all processes")
    more = figures[f"mib_{large}"] - figures[f"mib_{small}"]
    figures["mib_more_per_100k_images"] = round(more * 100_000 / (large - small))
    if push:
        figures |= track_and_push(scratch, scratch / str(large) / "images")
    return figures


def make_small(folder: Path, count: int) -> None:
    """32×32 PNGs, each different."""
    for number in range(count):
        place = folder / f"class {number % 10}" / f"{number:06d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((32, 32), number % 251, dtype=np.uint8)
        pixels[0, :4] = np.frombuffer(number.to_bytes(4, "little"), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG", compress_level=1)
        place.write_bytes(out.getvalue())


def track_and_push(scratch: Path, images: Path) -> dict[str, float]:
    """`dvc add` as the flow does it, and `dvc push` to a folder."""
    from sightline.data.versions import dvc
    from sightline.project import Paths, environment

    root = scratch / "tracked"
    root.mkdir()
    (root / "params.yaml").write_text((images.parent / "project" / "params.yaml").read_text(encoding="utf-8"))
    text = (root / "params.yaml").read_text(encoding="utf-8").replace(str(images), "data/raw/target")
    (root / "params.yaml").write_text(text.replace("raw: external", "raw: raw"), encoding="utf-8")
    (root / "data" / "raw").mkdir(parents=True)
    images.rename(root / "data" / "raw" / "target")
    os.environ.update(environment(root))
    for words in ("init --no-scm -q", f"remote add -q -d store {scratch / 'store'}"):
        subprocess.run(["dvc", *words.split()], cwd=root, check=True)
    added = timed(lambda: dvc.track_raw(Paths(root), "target"))
    pushed = timed(lambda: subprocess.run(["dvc", "push", "-q"], cwd=root, check=True))
    print(f"tracked in {added:.0f} s, pushed in {pushed:.0f} s")
    return {"dvc_track_seconds": round(added), "dvc_push_seconds": round(pushed)}


def million() -> dict[str, float]:
    """Seconds and memory of the validation of a million rows, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, MILLION], capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    print(f"1,000,000 rows validated in {seconds:.1f} s, {peak:.2f} GiB")
    return {"million_rows_seconds": round(seconds, 1), "million_rows_gib": round(peak, 2)}


MILLION = "million"


def validate_million() -> None:
    """Print [seconds, GiB]."""
    from sightline.data.manifest import COLUMNS
    from sightline.data.validation.expectations import validate
    from sightline.params import Dataset, Fractions, Validate

    numbers = pd.Series(range(1_000_000))
    rows = pd.DataFrame({"path": "class/" + numbers.astype("string") + ".jpg", "sha256": numbers.map("{:064x}".format)})
    rows = rows.assign(group=rows["sha256"], label="class " + (numbers % 1000).astype("string"), shard=numbers // 1024)
    rows["role"] = (numbers // 1000 % 4).map(dict(enumerate(ROLES)))
    rows = rows.assign(status="ok", format="JPEG", mode="RGB", width=500, height=375, bytes=110_000)
    rows = rows.reindex(columns=list(COLUMNS)).astype(COLUMNS)
    dataset = Dataset(images="data/raw/target", roles=Fractions(train=0.25, val=0.25, calib=0.25, test=0.25))
    with tempfile.TemporaryDirectory() as docs:
        seconds = timed(lambda: validate(rows, Validate(), dataset, "target", Path(docs)))
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]))


if __name__ == "__main__":
    if sys.argv[1:] == [MILLION]:
        validate_million()
    else:
        main()
