"""The commands behind the DVC stages: `python -m sightline.stage code|ingest|validate|preprocess [source|target]`.

`serve` does one after the other in one process, as `sightline.data.versions.warm` asks for them; `serve ahead` imports
meanwhile what validation will need.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sightline import space
from sightline.data.versions.code import STAGES, write_code_digests
from sightline.data.versions.warm import AHEAD, SERVE
from sightline.errors import ValidationFailed
from sightline.files import write_atomically
from sightline.processes import end_with_the_parent, importing
from sightline.project import Paths
from sightline.words import visible

if TYPE_CHECKING:
    from collections.abc import Hashable
    from threading import Thread


def run_stage(paths: Paths, stage: str, use: str) -> str:
    """Run one stage for one data set and say in a line what it did."""
    if stage == "ingest":
        from sightline.data.ingest import ingest

        return _summary(ingest(paths, use)["status"].value_counts().to_dict())
    if stage == "validate":
        return _validate(paths, use)
    from sightline.data.shards import preprocess

    return preprocess(paths, use).sentence


def _validate(paths: Paths, use: str) -> str:
    import pandas as pd

    from sightline.data import manifest
    from sightline.data.quality import findings
    from sightline.data.validation import baseline
    from sightline.data.validation.expectations import validate
    from sightline.data.validation.verdict import sentences, tally
    from sightline.report.quality import write_quality

    params = paths.params
    rows = manifest.read(paths.manifest(use))
    verdict = validate(
        rows,
        params.validate,
        params.datasets[use],
        use,
        paths.docs(use),
        baseline.read(paths.baseline(use)),
        params.task_of(use),
        pd.read_parquet(paths.boxes(use)) if paths.boxes(use).is_file() else None,
    )
    write_atomically(paths.verdict(use), verdict.to_json())
    write_quality(paths, use, rows, findings(rows, params.validate, params.task_of(use)))
    if not verdict.passed:
        raise ValidationFailed("\n".join([f"data set {use} is not fit for training:", *sentences(verdict)]))
    return tally(verdict)


def _summary(counts: dict[Hashable, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items(), key=str, reverse=True))


def main(words: list[str], told: list[str] | None = None) -> int:
    """Run the stage that `words` name in the project of the working directory; the exit status.

    Why it failed is printed; where there is a list, it is `told` there instead.
    """
    paths = Paths(Path.cwd())
    try:
        if words[:1] == [SERVE]:
            serve(importing("great_expectations") if words[1:] == [AHEAD] else None)
        elif words == ["code"]:
            write_code_digests(paths)
        elif len(words) == 2 and words[0] in STAGES:  # noqa: PLR2004
            print(visible(f"{words[0]} {words[1]}: {run_stage(paths, *words)}"))
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except Exception as error:
        said = space.sentences(paths.root, error)
        if not said:
            raise
        if told is not None:
            told += said
        else:
            print(*(visible(f"error: {sentence}", lines=True) for sentence in said), sep="\n", file=sys.stderr)
        return 2
    return 0


def serve(ahead: Thread | None) -> None:
    """Stages come on standard input, a line each; status and errors of each go to standard output, as JSON.

    What is imported `ahead` is there before any stage but the first, which does without.
    """
    # What a stage prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        told: list[str] = []
        if ahead is not None and not line.startswith("ingest"):
            ahead.join()
        status = main(line.split(), told)
        sys.stdout.flush()
        print(json.dumps([status, told]), file=answers, flush=True)


if __name__ == "__main__":
    end_with_the_parent()
    sys.exit(main(sys.argv[1:]))
