"""What a version was trained on: the manifest and the verdict of exactly that data set version, and its pixels."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sightline.data.loader import Compressed, load
from sightline.data.manifest import OK
from sightline.data.validation.verdict import Verdict, sentences, tally
from sightline.data.versions import archive
from sightline.digests import dvc_digest
from sightline.errors import DataError
from sightline.evaluate import release
from sightline.images import jpeg
from sightline.registry import leaks
from sightline.registry.blessing import DATA, Blessing
from sightline.registry.learned import past_of
from sightline.registry.trained import LEARNED_FROM, trained_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from sightline.data.loader import Stored
    from sightline.evaluate.release import Release
    from sightline.project import Paths
    from sightline.registry.blessing import Bound
    from sightline.tracking.runs import Tracker


def data_blessing(tracker: Tracker, tags: Mapping[str, str], testing: Release, bound: Bound) -> Blessing:
    """The verdict of the data that a version with these `tags` was trained on, and that it has seen no test image.

    Nor may its backbone have seen a held-out image or a near copy, in whatever the weights that it began with learned
    from; where that is not known it is told. Raises DataError where manifest or verdict of that
    version can be found nowhere.
    """
    paths = tracker.paths
    found = verdict(paths, tags["validation.target"])
    rows = trained_on(paths, "target", bound.data)
    seen = rows[(rows["status"] == OK) & rows["role"].isin(LEARNED_FROM)]
    same_file = sorted(seen.loc[seen["sha256"].isin(testing.images), "path"])
    same_pixels = _same_pixels(paths, testing)
    known, past = leaks.leaks(paths, past_of(tracker, tags))
    figures: dict[str, Any] = {
        "checks": found.executed,
        "images": len(seen),
        "same_file": len(same_file),
        "same_pixels": same_pixels,
    }
    figures |= {"leaks": len(known), "unknown": list(past.unknown)} if past.data or past.unknown else {}
    trouble = [] if found.passed else [f"the data did not pass: {'; '.join(sentences(found))}"]
    if same_file:
        trouble.append(
            f"{len(same_file)} test images stand in the training data too (first {same_file[0]}): it may know them"
        )
    elif same_pixels:
        trouble.append(f"{same_pixels} test images have the same pixels as a training image")
    if known:
        trouble.append(leaks.sentence(known))
    if trouble:
        return Blessing(name=DATA, verdict="failed", sentence="; ".join(trouble), figures=figures, digests=bound)
    said = f"{tally(found)}; none of its {len(seen):,} images is a test image"
    said += ", and its backbone knows no held-out one" if past.data and not past.unknown else ""
    said += f"; {past.doubt}" if past.unknown else ""
    return Blessing(name=DATA, verdict="passed", sentence=said, figures=figures, digests=bound)


def verdict(paths: Paths, digest: str) -> Verdict:
    """The verdict with that DVC digest: in the project where it is the present one, else from DVC."""
    folder = paths.verdict("target").parent
    if folder.is_dir() and dvc_digest(folder) == digest:
        return Verdict.from_json(paths.verdict("target").read_text(encoding="utf-8"))
    return Verdict.from_json(archive.member(paths, digest, paths.verdict("target").name).read_text(encoding="utf-8"))


def _same_pixels(paths: Paths, testing: Release) -> int:
    """How many test images have a twin among the training images as these are now, whatever their files are called."""
    tested, _ = release.open_images(paths, testing)
    try:
        trained = load(paths.shards("target"), "train")
    except OSError as error:
        raise DataError(f"the training shards are not whole ({error}); run `sightline run` or `dvc repro`") from error
    known = set(_keys(trained.pixels))
    again = isinstance(trained.pixels, Compressed)
    return sum(key in known for key in _keys(tested.pixels, paths.params.preprocess.quality if again else 0))


def _keys(pixels: Tensor | Stored, quality: int = 0) -> Iterator[bytes]:
    """Digest of each image; with a `quality`, of what is left of it in a JPEG of that."""
    for part in pixels.split(1024):
        images = part.permute(0, 2, 3, 1).numpy()
        if quality:
            images = jpeg.decode([jpeg.encode(image, quality) for image in images], images.shape[1], 0, 1)
        yield from (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
