"""Label Studio's JSON, both ways: tasks with their pictures inside, and the labels in what it exports.

https://labelstud.io/guide/task_format
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import quoteattr

from sightline.data.sources import studio
from sightline.errors import DataError
from sightline.heads.labels import joined, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sightline.heads.labels import Labels

    Result = Mapping[str, Any]

TAG, IMAGE = "label", "image"
"""Names of the question and of what is shown, in the configuration."""
CHOICES = "choices"
COMMENTS = frozenset(("textarea", "rating"))
"""Types of results that name no class."""
ABOUT = ("sha256", "request", "place", "at")
MIN = frozenset((*ABOUT, IMAGE, "why", "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"))
"""What a task of the form "min" has beside its controls."""


class Task(NamedTuple):
    """What an export says of a task."""

    told: str
    """What it is called in messages."""
    about: dict[str, str]
    given: list[list[Result]]
    """The results of each annotation that was not skipped, without comments."""


def config(classes: Sequence[str], labels: Labels) -> str:
    """The labelling interface: an image, and its class or its classes, by number keys."""
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in classes)
    choice = "multiple" if labels.are_sets else "single"
    return (
        f'<View>\n  <Image name="{IMAGE}" value="$image"/>\n'
        f'  <Choices name="{TAG}" toName="{IMAGE}" choice="{choice}" showInLine="true">\n'
        f"{choices}\n  </Choices>\n</View>\n"
    )


def task(
    line: Mapping[str, Any], why: str, kind: str, picture: bytes, suggested: Sequence[str] | None
) -> dict[str, Any]:
    """One image as a task; what tells it apart travels in its data, and comes back in the export."""
    about = {key: value for key, value in line.items() if key != TAG}
    made: dict[str, Any] = {"data": {"image": shown_in(kind, picture), **about, "why": why}}
    if suggested is not None:
        made["predictions"] = [{"model_version": "sightline", "result": [_result(suggested)]}]
    return made


def shown_in(kind: str, picture: bytes) -> str:
    """The picture inside a task, as an address that holds it."""
    return f"data:image/{kind.lower()};base64,{base64.b64encode(picture).decode('ascii')}"


def answers(path: Path, labels: Labels) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each labelled task is about and its label, from an export in the format JSON or JSON-MIN.

    Tasks that nobody answered, or that were skipped, are passed over. An annotation without any choice is the empty set
    where an image may show none. Raises DataError where the file is something else, or where it does not say which of
    its controls chose the labels.
    """
    try:
        tasks = [_read(one, number) for number, one in enumerate(json.loads(path.read_text("utf-8-sig")), start=1)]
        control = _control(path, [results for one in tasks for results in one.given])
        for one in tasks:
            said = {label for results in one.given for label in _labels(results, control, labels)}
            if len(said) > 1:
                named = ", ".join(sorted(map(shown, said)))
                raise DataError(f"{path}: {one.told} has the labels {named}: let its people agree")
            for label in said:
                yield one.told, {**one.about, TAG: label}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} is no export of Label Studio of tasks that `sightline data label export` wrote ({error!r}): "
            "export in the format JSON"
        ) from None


def _read(task: Mapping[str, Any], number: int) -> Task:
    """One of the export, whole or "min": there its data and what one person said lie side by side."""
    data = task.get("data", task)
    if "data" in task:
        given = [one["result"] for one in studio.answered(task.get("annotations", ()))]
    else:
        results = [result for key, value in task.items() if key not in MIN for result in _results_of_min(key, value)]
        # Tasks that nobody answered are listed, too.
        given = [results] if results or task.get("annotation_id") is not None else []
    told = [[one for one in results if one["type"] not in COMMENTS] for results in given]
    return Task(f"task {task.get('id', number)}", {key: str(data[key]) for key in ABOUT}, told)


def _results_of_min(name: str, value: Any) -> Iterator[Result]:
    """What the control of that name has in a task of the form "min": one choice as a text, all else as objects."""
    if isinstance(value, str):
        yield {"from_name": name, "type": CHOICES, "value": {CHOICES: [value]}}
    elif isinstance(value, list):
        for one in value:
            yield from _results_of_min(name, one)
    elif isinstance(value, dict):
        yield {"from_name": name, "type": CHOICES if CHOICES in value else next(iter(value), ""), "value": value}


def _control(path: Path, given: Sequence[Sequence[Result]]) -> str:
    """Name of the control whose choices are the labels: ours, or the only one that has choices.

    Raises DataError where it is not clear, or where some people answered another one alone: their answers would be
    lost, or mean that nothing is there.
    """
    controls = [{(str(one.get("from_name")), str(one["type"])) for one in results} for results in given]
    found = set[tuple[str, str]]().union(*controls)
    names = [name for name, kind in found if kind == CHOICES]
    name = names[0] if len(names) == 1 else TAG
    if found - set[tuple[str, str]]().union(*(one for one in controls if (name, CHOICES) in one)):
        there = ", ".join(f"{name} (of type {kind})" for name, kind in sorted(found))
        raise DataError(
            f"{path} has answers of the controls {there}; labels are the choices of a single one of type {CHOICES}, "
            f"or of the one called {TAG} where others are answered beside it: name it so in this file"
        )
    return name


def _labels(results: Sequence[Result], control: str, labels: Labels) -> list[str]:
    """Of an annotation."""
    told = [one["value"][CHOICES] for one in results if (one["type"], one.get("from_name")) == (CHOICES, control)]
    chosen = [str(label) for choices in told for label in choices]
    return [joined(chosen)] if labels.are_sets else chosen


def _result(suggested: Sequence[str]) -> dict[str, Any]:
    return {"from_name": TAG, "to_name": IMAGE, "type": CHOICES, "value": {CHOICES: list(suggested)}}
