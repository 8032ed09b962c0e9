"""Train a registered version again, away from the project that made it, and compare what comes out.

Everything happens in a temporary folder: the project's commit with its patch, the data set versions out of DVC's
store, each file checked against its digest, and the values that counted. The project's working tree and the results
that it has cached are not read; they and the aliases stay as they are. The verdict is written to the version as tags.
"""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sightline.data.versions import archive
from sightline.digests import dvc_digest, git
from sightline.errors import RegistryError
from sightline.lineage import origin
from sightline.lineage.retrain import ANSWER, REQUEST, Retraining
from sightline.masking import fitting
from sightline.processes import tied
from sightline.project import Paths, environment
from sightline.tracking.runs import connect
from sightline.train.result import Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sightline.lineage.origin import Stage
    from sightline.tracking.runs import Tracker

IDENTICAL, AGREES, DIFFERS = "identical", "agrees", "differs"
LEVEL = 0.95
"""Of the interval in which the difference of the accuracies lies."""
AWAY = ("PREFECT", "MLFLOW", "SIGHTLINE", "DVC_SITE_CACHE_DIR", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables (by their beginning) that would lead the new process to the project's own stores, or to other threads."""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What training a version again came to."""

    model: str
    version: str
    verdict: str
    """identical: the same weights, bit by bit. agrees: other weights, the same accuracy as far as the images can tell.
    differs: neither, or other weights although nothing differs that may change them."""
    sentence: str
    expected: str
    """identical, or agrees where the machine, the libraries or the code are others than then."""
    changed: tuple[str, ...]
    """What is different from then, in sentences."""
    stages: tuple[dict[str, str], ...]
    """Each with `stage`, `then` and `now`: the digests of its weights."""
    shards: dict[str, bool]
    """Data set → whether its images gave the same shards."""
    accuracy: dict[str, float] | None
    """Where the weights differ: `then`, `now`, `low` and `high` of the difference, `images`."""


def reproduce(paths: Paths, version: str, notify: Callable[[str], None]) -> Reproduction:
    """Train `version` of the classifier again and record the verdict on it; `told` gets a line per step.

    Raises RegistryError where there is no such version or it does not say how it came to be, DataError where DVC's
    store no longer holds its data whole.
    """
    tracker = connect(paths)
    model = tracker.classifier_model
    tags = dict(tracker.version(model, version).tags)
    line, plan = origin.stages_of(tags), origin.plan_of(tags)
    if not line or plan is None:
        raise RegistryError(
            f"{model} version {version} was registered before Sightline recorded what training it again needs: "
            "`sightline run` makes a version that can be reproduced"
        )
    changed = _changed(tags, line)
    for sentence in changed:
        notify(sentence)
    with TemporaryDirectory(prefix="sightline-") as folder:
        there = Paths(Path(folder).resolve())
        shards = _furnish(paths, there, tracker, tags, plan, line, notify)
        notify(f"training again: {', '.join(one.stage for one in line)}")
        done = _in_fresh_process(there, line, tuple(use for use, made in shards.items() if made))
        same = {use: dvc_digest(there.shards(use)) == tags[f"shards.{use}"] for use in shards}
        identical = done[-1].weights == tags["weights"]
        accuracy = None if identical else _accuracy(tracker, version, there, done[-1])
    found = _judged(model, version, line, done, same, changed, accuracy)
    tracker.tag_version(model, version, _tags(found))
    return found


def _changed(tags: Mapping[str, str], line: Sequence[Stage]) -> tuple[str, ...]:
    """What is not as it was when the version was trained, and may change bits."""
    import torch

    from sightline.train.machine import machine

    sentences = []
    code = origin.training_code()
    if tags.get("code.training") != code:
        sentences.append(
            f"Sightline's training code has changed since: {tags.get('code.training')} then, {code} now; the code of "
            "then would have to be installed for the same bits"
        )
    here = machine(torch.device("cpu") if line[-1].machine["device"] == "cpu" else None)
    for key in sorted(here.keys() - {"threads"}):
        then = sorted({stage.machine.get(key, "unknown") for stage in line} - {here[key]})
        if then:
            sentences.append(f"{key} is another: {', '.join(then)} then, {here[key]} now")
    plan = origin.plan_of(tags) or {}
    if here["device"] != "cpu" and not plan.get("params", {}).get("project", {}).get("deterministic"):
        sentences.append(f"{here['device']} promises the same bits twice only with project.deterministic = true")
    return tuple(sentences)


def _furnish(
    paths: Paths,
    there: Paths,
    tracker: Tracker,
    tags: Mapping[str, str],
    plan: Mapping[str, Any],
    line: Sequence[Stage],
    notify: Callable[[str], None],
) -> dict[str, bool]:
    """Put commit, patch, values and data into the folder; data sets, and whether their shards are yet to be made."""
    commit = tags.get("git.commit", "")
    held = bool(commit) and check_out(paths, there.root, commit)
    if commit and tags.get("git.patch"):
        _apply(tracker, tags, there.root)
    beside = ", which holds nothing of the project: it was not committed yet" if commit and not held else ""
    patch = ", with its patch" if "git.patch" in tags else ""
    notify(f"commit {commit[:12] or 'none, the project was not under git'}{beside}{patch}")
    origin.write_params(there.root, plan)
    shards = {}
    for use in ("target", "source"):
        if use == "source" and (f"data.{use}" not in tags or line[0].stage != "pretrain"):
            continue
        notify(f"{use}: version {tags[f'data.{use}'][:8]} out of DVC's store")
        archive.restore(paths, tags[f"data.{use}"], there.manifest(use).parent)
        raw = tags.get(f"raw.{use}") if plan["params"]["datasets"][use]["raw"] == "raw" else None
        place = there.raw(use) if raw else there.shards(use)
        archive.restore(paths, raw or tags[f"shards.{use}"], place)
        shards[use] = raw is not None
    return shards


def check_out(paths: Paths, root: Path, commit: str) -> bool:
    """Write the project's files of a commit to `root`, without a trace in its git repository; False where it has none.

    In a larger repository the commit of a run may be from before the project was committed. Raises RegistryError where
    git does not hold the commit.
    """
    if not git(paths.root, "cat-file", "-t", commit):
        raise RegistryError(f"git does not hold commit {commit} any more: `git fetch` it, then try again")
    if not git(paths.root, "ls-tree", commit):
        return False
    done = subprocess.run(["git", "-C", str(paths.root), "archive", commit], capture_output=True, check=False)
    if done.returncode:
        raise RegistryError(f"git does not give the files of commit {commit}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as packed:
        # Python 3.11 knows filters from its fifth release on.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(root)  # noqa: S202 — our own repository, and the filter above where there is one
    return True


def _apply(tracker: Tracker, tags: Mapping[str, str], root: Path) -> None:
    """The changes that were not committed then."""
    digest, run = tags["git.patch"], tags.get("flow.run", "")
    patch = tracker.stored(run, origin.patch_path(digest))
    if patch is None:
        raise RegistryError(f"the patch {digest[:12]} of the dirty tree is not among the artifacts of run {run}")
    # The folder may lie inside some repository, of which git would then patch the root.
    limits = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)}
    words = ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"]
    patch = fitting(patch, root)
    done = subprocess.run(words, cwd=root, env=limits, input=patch, capture_output=True, check=False)
    if done.returncode:
        raise RegistryError(f"the patch {digest[:12]} does not fit its commit: {done.stderr.decode().strip()}")


def _in_fresh_process(there: Paths, line: Sequence[Stage], decode: tuple[str, ...]) -> list[Trained]:
    """Train in a process of its own that has no way to the project, its Prefect or its MLflow."""
    request = Retraining(
        threads={one.stage: one.machine["threads"] for one in line},
        workers={one.stage: int(one.machine.get("workers", 1)) for one in line},
        decode=decode,
    )
    (there.root / REQUEST).write_text(json.dumps(asdict(request)), encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(AWAY)}
    if line[-1].machine["device"] == "cpu":
        kept["CUDA_VISIBLE_DEVICES"] = ""
    done = subprocess.run(
        # -P: a folder of the project that is named like a library must not take its place.
        [sys.executable, "-P", "-m", "sightline.lineage.retrain"],
        cwd=there.root,
        **tied(environment(there.root, kept)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise RegistryError(f"training again failed: {why}")
    return [_trained(values) for values in json.loads((there.root / ANSWER).read_text(encoding="utf-8"))]


def _trained(values: dict[str, Any]) -> Trained:
    plain = {"classes": tuple(values["classes"]), "history": tuple(values["history"]), "notes": ()}
    return Trained(**{**values, **plain})


def _accuracy(tracker: Tracker, version: str, there: Paths, now: Trained) -> dict[str, float]:
    """Both models on the validation and calibration images, unseen in training; the test release stays shut."""
    import torch

    from sightline.data.loader import load
    from sightline.evaluate.compare import difference_interval, discordant
    from sightline.heads.known import of
    from sightline.heads.labels import LABELS
    from sightline.train.inference import predict

    parts = [load(there.shards("target"), role) for role in ("val", "calib")]
    pixels = torch.cat([one.pixels[:] for one in parts])
    labels = torch.from_numpy(LABELS[now.task].stacked([one.labels.numpy() for one in parts]))
    models = (tracker.predictor(tracker.classifier_model, version).model, now.load(there.root))
    hits = of(now.task).hits
    then, again = ((hits(predict(one, pixels, exact=True), labels) == 1).numpy() for one in models)
    gained, lost = discordant(then, again)
    low, high = difference_interval(gained, lost, len(labels), (1 - LEVEL) / 2)
    shares = {"then": float(then.mean()), "now": float(again.mean())}
    return shares | {"low": low, "high": high, "images": float(len(labels))}


def _judged(
    model: str,
    version: str,
    line: Sequence[Stage],
    done: Sequence[Trained],
    shards: dict[str, bool],
    changed: tuple[str, ...],
    accuracy: dict[str, float] | None,
) -> Reproduction:
    pairs = tuple(
        {"stage": was.stage, "then": was.weights, "now": now.weights} for was, now in zip(line, done, strict=True)
    )
    expected = AGREES if changed else IDENTICAL
    if accuracy is None:
        verdict, sentence = IDENTICAL, f"the weights are the same, bit by bit: {done[-1].weights[:12]}"
    else:
        agrees = accuracy["low"] <= 0 <= accuracy["high"]
        verdict = AGREES if agrees and changed else DIFFERS
        first = next(pair["stage"] for pair in pairs if pair["then"] != pair["now"])
        sentence = (
            f"other weights, from the stage {first} on; right in {accuracy['now']:.1%} of {accuracy['images']:.0f} "
            f"images after {accuracy['then']:.1%}, the {LEVEL:.0%} interval of the difference is "
            f"{100 * accuracy['low']:+.1f} to {100 * accuracy['high']:+.1f} points"
            + ("" if changed else ", although nothing is known to have changed")
        )
    return Reproduction(
        model=model,
        version=version,
        verdict=verdict,
        sentence=sentence,
        expected=expected,
        changed=changed,
        stages=pairs,
        shards=shards,
        accuracy=accuracy,
    )


def _tags(found: Reproduction) -> dict[str, str]:
    return {
        "reproduced": found.verdict,
        "reproduced.sentence": found.sentence,
        "reproduced.changed": "\n".join(found.changed) or "nothing",
        "reproduced.weights": found.stages[-1]["now"],
        "reproduced.at": datetime.now(UTC).isoformat(timespec="seconds"),
        "reproduced.by": getpass.getuser(),
    }
