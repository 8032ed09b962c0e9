"""The command line: `sightline data label`, as far as it is about captured images and about boxes."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import typer

from flows.cli.common import alone, enter, say
from sightline.errors import ConfigError, DataError
from sightline.heads.labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.labelling.chosen import Choice
    from sightline.labelling.drawing import Drawing
    from sightline.labelling.drawings import Suggest
    from sightline.labelling.take import Taken
    from sightline.project import Paths


class Form(StrEnum):
    """What images leave as."""

    page = "page"
    label_studio = "label-studio"


def captured(folder: Path, *, audit: bool, queue: bool, count: int, form: Form, suggest: bool, as_json: bool) -> None:
    """Write captured images that are to be labelled into the new `folder`."""
    if audit and queue:
        raise ConfigError("--audit and --queue: give one; a verdict on accuracy takes images drawn at random alone")
    if audit and suggest:
        raise ConfigError("--suggest does not go with --audit: who sees the answer tends to agree with it")
    paths = enter()
    from sightline.labelling import chosen

    found = chosen.audit(paths, count) if audit else chosen.for_champion(paths, count)
    for sentence in found.trouble:
        say(sentence, err=True)
    if not found.images:
        raise DataError(_nothing(paths, found, audit=audit))
    if form is Form.label_studio:
        page = _tasks(paths, folder, found, suggest=suggest)
    else:
        from sightline.report.labelling import write_captured

        title = f"{paths.params.project.name}: {'audit sample' if audit else 'images that teach most'}"
        page = write_captured(paths, folder, found.images, title, suggest=suggest)
    bare = f"no {_needed(paths, audit=audit)} was kept of {found.bare:,}" if found.bare else ""
    tell(page, len(found.images), found.left, bare, as_json=as_json, bare=found.bare)


def _tasks(paths: Paths, folder: Path, found: Choice, *, suggest: bool) -> Path:
    from sightline.data import manifest
    from sightline.labelling import drawings, sheet

    task = paths.params.task_of("target")
    classes, labels = manifest.classes(manifest.read(paths.manifest("target")), task), LABELS[task]
    if labels.are_boxes:
        return drawings.write_tasks(folder, drawings.of_captured(found.images, suggest=suggest), classes)
    return sheet.write_tasks(folder, found.images, classes, labels, suggest=suggest)


def waiting(
    paths: Paths, folder: Path, *, everything: bool, count: int, form: Form, suggest: Suggest | None, as_json: bool
) -> None:
    """Write images of the data set that wait for boxes, or all with those that they have, into the new `folder`."""
    from sightline.labelling import drawings

    found, left, damaged = drawings.of_set(paths, count, everything=everything, suggest=suggest)
    bare = f"{damaged:,} cannot be read" if damaged else ""
    if not found:
        more = f", but for files that cannot be read ({damaged:,})" if damaged else ""
        raise DataError(f"no image of the data set waits for boxes{more}; --all writes every image with its boxes")
    page = write_drawings(
        paths, folder, found, "images of the data set" if everything else "images without boxes", form
    )
    tell(page, len(found), left, bare, as_json=as_json, bare=damaged)


def write_drawings(paths: Paths, folder: Path, images: Sequence[Drawing], what: str, form: Form) -> Path:
    """Write images of the target, which are `what`, into the new `folder`, with the page to draw boxes on; the page."""
    from sightline.data import manifest
    from sightline.labelling import drawings
    from sightline.report.labelling import write_drawing

    classes = manifest.classes(manifest.read(paths.manifest("target")), paths.params.task_of("target"))
    if form is Form.label_studio:
        return drawings.write_tasks(folder, images, classes)
    return write_drawing(folder, images, classes, f"{paths.params.project.name}: {what}")


def tell(page: Path, images: int, left: int, but: str, *, as_json: bool, **numbers: int) -> None:
    """Say how many images wait on the page."""
    from sightline.words import counted, with_verb

    if as_json:
        typer.echo(json.dumps({"page": str(page), "images": images, "left": left, **numbers}))
        return
    more = f", {with_verb(left, 'more waits', 'more wait')}" if left else ""
    say(f"{counted(images, 'image')} to label{more}{f'; {but}' if but else ''}: {page}")


def _nothing(paths: Paths, found: Choice, *, audit: bool) -> str:
    from sightline.words import counted

    policy, boxed = paths.params.capture, LABELS[paths.params.task_of("target")].are_boxes
    if found.bare:
        small = "no edge can be drawn exactly on thumbnails" if boxed else "thumbnails do for the verdict alone"
        return (
            f"no {_needed(paths, audit=audit)} was kept of {counted(found.bare, 'answer')}: set capture.keep = images "
            f"in params.yaml (it is {policy.keep}; {small}), and restart `sightline serve`"
        )
    if audit:
        return "no image of the audit sample waits for a label: `sightline monitor` draws from what was captured since"
    return f"no captured answer of the champion in {policy.folder} waits for a label: `sightline serve` records them"


def _needed(paths: Paths, *, audit: bool) -> str:
    """What must have been kept of an image."""
    return "picture" if audit and not LABELS[paths.params.task_of("target")].are_boxes else "whole picture"


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

        labels_came(paths, done.version, done.changed, partial(say, err=True))


def _show(done: Taken) -> None:
    from sightline.words import counted

    say(
        f"{counted(done.given, 'answer')} read, {done.changed:,} new or changed, {counted(done.added, 'image')} added; "
        f"version {done.version[:8]}"
    )
    if done.audited:
        say(f"{counted(done.audited, 'label')} of the audit sample count from the next `sightline monitor` on")
    for sentence in filter(None, (*done.said, done.left_out)):
        say(sentence)
    if done.release:
        say(f"test release {done.release} is made: it has the new test images")
    if done.new_classes:
        say(f"new classes, perhaps misspelt: {', '.join(done.new_classes)}")
