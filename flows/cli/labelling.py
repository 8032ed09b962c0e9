"""The command line: `sightline data label`, as far as it is about captured images."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from flows.cli.common import alone, enter, say
from sightline.errors import ConfigError, DataError
from sightline.heads.labels import LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.labelling.chosen import Choice
    from sightline.labelling.take import Taken
    from sightline.project import Paths


class Form(StrEnum):
    """What captured images leave as."""

    page = "page"
    label_studio = "label-studio"


def captured(folder: Path, *, audit: bool, queue: bool, count: int, form: Form, suggest: bool, as_json: bool) -> None:
    """Write captured images that are to be labelled into the new `folder`."""
    if audit and queue:
        raise ConfigError("--audit and --queue: give one; a verdict on accuracy takes images drawn at random alone")
    if audit and suggest:
        raise ConfigError("--suggest does not go with --audit: who sees the answer tends to agree with it")
    paths = enter()
    if LABELS[paths.params.task_of("target")].are_boxes:
        raise ConfigError("no page draws boxes yet: annotate captured images elsewhere, then `sightline data add`")
    from sightline.data import manifest
    from sightline.labelling import chosen, sheet
    from sightline.words import counted

    found = chosen.audit(paths, count) if audit else chosen.for_champion(paths, count)
    for sentence in found.trouble:
        say(sentence, err=True)
    if not found.images:
        raise DataError(_nothing(paths, found, audit=audit))
    task = paths.params.task_of("target")
    classes, labels = manifest.classes(manifest.read(paths.manifest("target")), task), LABELS[task]
    if form is Form.label_studio:
        page = sheet.write_tasks(folder, found.images, classes, labels, suggest=suggest)
    else:
        from sightline.report.labelling import write_labelling

        sheet.write(folder, found.images, suggest=suggest)
        title = f"{paths.params.project.name}: {'audit sample' if audit else 'images that teach most'}"
        page = write_labelling(folder, found.images, classes, labels, title, suggest=suggest)
    if as_json:
        typer.echo(json.dumps({"page": str(page), "images": len(found.images), "left": found.left, "bare": found.bare}))
        return
    more = f", {found.left:,} more wait" if found.left else ""
    bare = f"; no picture was kept of {found.bare:,}" if found.bare else ""
    say(f"{counted(len(found.images), 'image')} to label{more}{bare}: {page}")


def _nothing(paths: Paths, found: Choice, *, audit: bool) -> str:
    policy = paths.params.capture
    if found.bare:
        return (
            f"no picture was kept of {found.bare:,} answers: set capture.keep = images in params.yaml (it is "
            f"{policy.keep}; thumbnails do for the verdict alone), and restart `sightline serve`"
        )
    if audit:
        return "no image of the audit sample waits for a label: `sightline monitor` draws from what was captured since"
    return f"no captured answer of the champion in {policy.folder} waits for a label: `sightline serve` records them"


def is_captured(table: Path) -> bool:
    """Whether the file holds answers to captured images."""
    from sightline.labelling.sheet import is_ours

    return is_ours(table)


def take_captured(table: Path, *, as_json: bool) -> None:
    """Take the answers in, and tell what came of them."""
    from sightline.labelling.take import take

    with alone(enter()) as paths:
        done = take(paths, table)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    else:
        _show(done)
    if done.changed:
        from flows.signals import labels_came

        labels_came(paths, done.version, done.changed)


def _show(done: Taken) -> None:
    from sightline.words import counted

    say(
        f"{counted(done.given, 'answer')} read, {done.changed:,} new or changed, {counted(done.added, 'image')} added; "
        f"version {done.version[:8]}"
    )
    if done.audited:
        say(f"{counted(done.audited, 'label')} of the audit sample count from the next `sightline monitor` on")
    if done.left_out:
        say(done.left_out)
    if done.release:
        say(f"test release {done.release} is made: it has the new test images")
    if done.new_classes:
        say(f"new classes, perhaps misspelt: {', '.join(done.new_classes)}")
