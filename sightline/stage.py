"""The commands behind the DVC stages: `python -m sightline.stage code|ingest|validate|preprocess [source|target]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import SightlineError, ValidationFailed
from sightline.project import USES, Paths

if TYPE_CHECKING:
    from collections.abc import Hashable

STAGES = {
    "ingest": "sightline.data.ingest",
    "validate": "sightline.data.validation.expectations",
    "preprocess": "sightline.data.shards",
}
"""Stage → module whose import closure decides what it does."""


def write_code_digests(paths: Paths) -> None:
    """Write what DVC cannot see by itself: code, labels, baselines and external folders; the same is left alone."""
    from sightline.data.versions import external
    from sightline.digests import code_digest, file_digest

    external.write_listings(paths)
    text = "".join(f"{stage}: {code_digest(module)}\n" for stage, module in STAGES.items())
    for name, place in (("labels", paths.labels), ("baseline", paths.baseline)):
        digests = {use: file_digest(place(use)) if place(use).is_file() else "none" for use in USES}
        text += f"{name}:\n" + "".join(f"  {use}: {digest}\n" for use, digest in digests.items())
    if not paths.code.is_file() or paths.code.read_text(encoding="utf-8") != text:
        paths.code.parent.mkdir(parents=True, exist_ok=True)
        paths.code.write_text(text, encoding="utf-8")


def run_stage(paths: Paths, stage: str, use: str) -> str:
    """Run one stage for one data set and say in a line what it did."""
    if stage == "ingest":
        from sightline.data.ingest import ingest

        return _summary(ingest(paths, use)["status"].value_counts().to_dict())
    if stage == "validate":
        return _validate(paths, use)
    from sightline.data.shards import preprocess

    index = preprocess(paths, use)
    return f"{sum(shard.rows for shard in index.shards)} images at {index.size} px in {len(index.shards)} shards"


def _validate(paths: Paths, use: str) -> str:
    from sightline.data import assess, manifest
    from sightline.data.quality import findings
    from sightline.data.validation import baseline
    from sightline.data.validation.expectations import sentences, validate

    params = paths.params
    rows = manifest.read(paths.manifest(use))
    verdict = validate(
        rows,
        params.validate,
        params.datasets[use],
        use,
        paths.docs(use),
        baseline.read(paths.baseline(use)),
    )
    paths.verdict(use).parent.mkdir(parents=True, exist_ok=True)
    paths.verdict(use).write_text(verdict.to_json(), encoding="utf-8")
    assess.write_page(paths, use, rows, findings(rows, params.validate))
    if not verdict.passed:
        raise ValidationFailed("\n".join([f"data set {use} is not fit for training:", *sentences(verdict)]))
    return f"{verdict.executed} expectations hold"


def _summary(counts: dict[Hashable, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items(), key=str, reverse=True))


def main(words: list[str]) -> int:
    """Run the stage that `words` name in the project of the working directory; the exit status."""
    paths = Paths(Path.cwd())
    try:
        if words == ["code"]:
            write_code_digests(paths)
        elif len(words) == 2 and words[0] in STAGES:  # noqa: PLR2004
            print(f"{words[0]} {words[1]}: {run_stage(paths, *words)}")
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except SightlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
