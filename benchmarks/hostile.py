"""Ingest 2,000 mutated images, headers of 10⁹ pixels, renamed files of other formats and endless GIFs.

The stage `ingest` runs as in production, `python -m sightline.stage ingest target`, on a folder of hostile files made
from fixed seeds. Every file must end in quarantine with a reason, or be read as Pillow itself reads it; the files left
intact must all be read. Memory is the sum of the peaks (VmHWM) of the stage and of its workers alive at the same time.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sightline import config
from sightline.data import manifest
from sightline.data.manifest import QUARANTINED
from sightline.images.reading import EXTENSIONS, FORMATS, decode
from sightline.project import Paths
from sightline.scaffold import template

if TYPE_CHECKING:
    import pandas as pd

MARKS = {"files_wrong": 0, "peak_mib": 1024}
SUFFIX = {name: suffixes[0] for name, suffixes in EXTENSIONS.items()}


def main() -> None:
    """Make the files, ingest them, judge every row; a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="500 mutated files instead of 2,000")
    count = 500 if parser.parse_args().quick else 2000
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_project(Path(scratch))
        make_files(paths.raw("target"), count)
        seconds, peak = run(paths.root)
        rows = manifest.read(paths.manifest("target"))
        wrong = judge(rows, paths.raw("target"))
    show(rows, wrong, seconds, peak)
    figures = {
        "files": len(rows),
        "quarantined": int((rows["status"] == QUARANTINED).sum()),
        "ended_a_worker": int(rows["reason"].str.contains("crashed|took more").sum()),
        "files_wrong": len(wrong),
        "seconds": round(seconds, 1),
        "peak_mib": round(peak),
    }
    met = figures["files_wrong"] <= MARKS["files_wrong"] and figures["peak_mib"] < MARKS["peak_mib"]
    print(json.dumps({"name": "hostile", "figures": figures, "marks": MARKS, "met": met}))


def make_project(root: Path) -> Paths:
    """A project of params.yaml alone, which is all that the stage needs; its images lie beside it."""

    def edit(values: Any) -> None:
        del values["datasets"]["source"]
        values["datasets"]["target"] |= {"images": str(root / "images"), "raw": "external", "train_per_class": None}

    (root / "project").mkdir()
    config.change(template(config.PARAMS), root / "project" / config.PARAMS, edit)
    return Paths(root / "project")


def make_files(folder: Path, count: int) -> None:
    """Class folders: intact, one per kind of mutation, special."""
    bases = list(originals())
    for number, (kind, data) in enumerate(bases):
        put(folder / "intact" / f"{number}{SUFFIX[kind]}", data)
    for number in range(count):
        rng = random.Random(number)  # noqa: S311 — the same files each time
        kind, data = bases[number % len(bases)]
        mutate = MUTATIONS[number // len(bases) % len(MUTATIONS)]
        changed = data
        while changed == data:
            changed = mutate(data, rng)
        put(folder / mutate.__name__ / f"{number:04d}{SUFFIX[kind]}", changed)
    for name, data in specials(dict(bases)):
        put(folder / "special" / name, data)


def put(place: Path, data: bytes) -> None:
    """Write a file and the folders above it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


# fmt: off
KINDS: list[tuple[str, str, dict[str, Any]]] = [
    ("JPEG", "RGB", {}), ("JPEG", "RGB", {"progressive": True}), ("JPEG", "L", {}), ("JPEG", "CMYK", {}),
    ("PNG", "RGB", {}), ("PNG", "RGBA", {}), ("PNG", "P", {}), ("PNG", "I;16", {}), ("PNG", "1", {}),
    ("BMP", "RGB", {}), ("BMP", "P", {}), ("GIF", "P", {}), ("GIF", "P", {"interlace": 1}),
    ("TIFF", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}), ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "I;16", {"compression": "tiff_adobe_deflate"}), ("TIFF", "1", {"compression": "group4"}),
    ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True}), ("PPM", "RGB", {}), ("PPM", "L", {}),
]
# fmt: on


def originals() -> list[tuple[str, bytes]]:
    """A picture in every allowed format and in the modes that it comes in."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 96 * 72 * 3).reshape(72, 96, 3) + rng.integers(0, 55, (72, 96, 3))
    picture = Image.fromarray(ramp.astype(np.uint8))
    made = []
    for kind, mode, how in KINDS:
        deep = Image.frombytes("I;16", picture.size, (ramp[..., 0] * 256).astype("<u2").tobytes())
        out = io.BytesIO()
        (deep if mode == "I;16" else picture.convert(mode)).save(out, kind, **how)
        made.append((kind, out.getvalue()))
    return made


def truncated(data: bytes, rng: random.Random) -> bytes:
    """The beginning alone."""
    return data[: rng.randrange(len(data))]


def flipped(data: bytes, rng: random.Random) -> bytes:
    """1 … 64 bits turned over, anywhere."""
    changed = bytearray(data)
    for _ in range(2 ** rng.randrange(7)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def flipped_head(data: bytes, rng: random.Random) -> bytes:
    """Some of the first 128 bytes, but the magic, replaced."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 9)):
        changed[rng.randrange(4, min(128, len(changed)))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return bytes(changed)


def swollen(data: bytes, rng: random.Random) -> bytes:
    """Four bytes of the first 64 replaced by a huge number: where it hits a size, up to 10⁹ pixels and more."""
    at = rng.randrange(4, 60)
    huge = rng.choice((31_623, 65_535, 1_000_000_000, 2**31 - 1, 2**32 - 1))
    return data[:at] + struct.pack(rng.choice("<>") + "I", huge) + data[at + 4 :]


def spliced(data: bytes, rng: random.Random) -> bytes:
    """A piece repeated, or left out."""
    start, end = sorted(rng.randrange(len(data)) for _ in range(2))
    return data[:end] + data[start:] if rng.random() < 0.5 else data[:start] + data[end:]


MUTATIONS = (truncated, flipped, flipped_head, swollen, spliced)


def specials(bases: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """Other formats under allowed names, bombs, endless files."""
    fits = b"".join(line.ljust(80) for line in (b"SIMPLE  = T", b"BITPIX  = 8", b"NAXIS   = 0", b"END")).ljust(2880)
    foreign = {
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) show\n%%EOF\n",
        "psd": b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 9, 9, 8, 3) + bytes(400),
        "fits": fits,
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
    }
    made = [(f"{name}{end}", data) for name, data in foreign.items() for end in SUFFIX.values()]
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    gif = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    netscape = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    made += [
        ("endless-loop.gif", gif + netscape + frame * 200_000),
        ("endless-comment.gif", gif + b"\x21\xfe" + b"\x01x" * 8_000_000),
        ("endless-extension.gif", gif + b"\x21\xf9\x04\0\0\0\0\0" * 1_500_000),
        ("huge.gif", b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + frame),
    ]
    for side in (5_000, 5_100, 9_000, 31_623):
        made += [(f"{side}{SUFFIX[kind]}", bomb(kind, side, bases)) for kind in ("PNG", "BMP", "PPM", "TIFF", "JPEG")]
    text = zlib.compress(bytes(100_000_000), 9)
    made += [
        ("text-bomb.png", chunked(16, 16, 2, (b"zTXt", b"note\0\0" + text))),
        ("pixel-bomb.png", chunked(4_999, 4_999, 6, (b"IDAT", zlib.compress(bytes(4_999 * (4 * 4_999 + 1)), 9)))),
        ("profile-bomb.png", chunked(16, 16, 2, (b"iCCP", b"icc\0\0" + text))),
        ("chunks.png", chunked(16, 16, 2, *[(b"tEXt", b"a\0b")] * 400_000)),
        ("empty.jpg", b""),
        ("ring.tif", b"II*\0" + struct.pack("<IHHHIII", 8, 1, 256, 4, 1, 16, 8)),
    ]
    return made


def bomb(kind: str, side: int, bases: dict[str, bytes]) -> bytes:
    """A small file of this format whose header promises side × side pixels."""
    if kind == "PNG":
        return chunked(side, side, 2, (b"IDAT", zlib.compress(bytes(1000))))
    if kind == "BMP":
        return bases["BMP"][:18] + struct.pack("<ii", side, side) + bases["BMP"][26:]
    if kind == "PPM":
        return f"P6\n{side} {side}\n255\n".encode() + bytes(1000)
    if kind == "JPEG":
        start = bases["JPEG"].index(b"\xff\xc0") + 5
        return bases["JPEG"][:start] + struct.pack(">HH", side, side) + bases["JPEG"][start + 4 :]
    entries = ((256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 200), (277, 1), (278, side), (279, 1000))
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return (b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4)).ljust(1200, b"\0")


def chunked(width: int, height: int, colours: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of these chunks."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (header, *chunks, (b"IEND", b""))
    )


def run(root: Path) -> tuple[float, float]:
    """Run the stage; seconds, and peak memory of all its processes in MiB."""
    start = time.perf_counter()
    stage = subprocess.Popen([sys.executable, "-P", "-m", "sightline.stage", "ingest", "target"], cwd=root)
    peak = 0
    while stage.poll() is None:
        peak = max(peak, memory(stage.pid))
        time.sleep(0.02)
    if stage.returncode:
        raise SystemExit(f"the stage ended with {stage.returncode}")
    return time.perf_counter() - start, peak / 1024


def memory(pid: int) -> int:
    """Sum of the peaks of a process and of its children, KiB."""
    total = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        for one in (pid, *children):
            lines = Path(f"/proc/{one}/status").read_text(encoding="ascii").splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        pass  # it ended between two looks
    return total


def judge(rows: pd.DataFrame, folder: Path) -> list[str]:
    """What is wrong: an intact file left out, a file without reason, one read otherwise than Pillow reads it."""
    wrong = []
    if len(rows) != sum(path.is_file() for path in folder.rglob("*")):
        wrong.append("files are missing from the manifest")
    for row in rows.itertuples():
        if row.status == QUARANTINED:
            if row.label == "intact" or not row.reason:
                wrong.append(f"{row.path}: {row.reason}")
            continue
        data = (folder / str(row.path)).read_bytes()
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.load()
            if (row.format, row.mode, row.width, row.height) != (image.format, image.mode, *image.size):
                wrong.append(f"{row.path}: is {image.format} {image.mode} {image.size}")
        decode(data, 64)
    return wrong


def show(rows: pd.DataFrame, wrong: list[str], seconds: float, peak: float) -> None:
    """Print the table."""
    print(f"{len(rows):,} files in {seconds:.1f} s, at most {peak:.0f} MiB\n")
    print("kind           files   read  quarantined")
    for kind, part in rows.groupby("label"):
        left_out = int((part["status"] == QUARANTINED).sum())
        print(f"{kind!s:14} {len(part):5}  {len(part) - left_out:5}  {left_out:11}")
    print("\nreasons")
    for reason, count in rows["reason"].str.split(":").str[0].value_counts().head(12).items():
        print(f"{count:5}  {reason}")
    for line in wrong:
        print("WRONG ", line)
    print()


if __name__ == "__main__":
    main()
