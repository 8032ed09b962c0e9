"""Label Studio's JSON, both ways: tasks with their pictures inside, and the labels in what it exports.

https://labelstud.io/guide/task_format
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from sightline.errors import DataError
from sightline.heads.labels import joined, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sightline.heads.labels import Labels

TAG, IMAGE = "label", "image"
"""Names of the question and of what is shown, in the configuration."""


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
    """What each labelled task is about and its label, from an export in the format JSON; tasks without are passed over.

    An annotation without any choice, submitted and not skipped, is the empty set where an image may show none.

    Raises DataError where the file is something else.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
        for number, one in enumerate(tasks, start=1):
            data = one["data"]
            said = {label for given in one.get("annotations", ()) for label in _labels(given, labels)}
            about = {key: data[key] for key in ("sha256", "request", "place", "at")}
            if len(said) > 1:
                named = ", ".join(sorted(map(shown, said)))
                raise DataError(f"{path}: task {one.get('id', number)} has the labels {named}: let its people agree")
            for label in said:
                yield f"task {one.get('id', number)}", {**about, TAG: label}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} is no export of Label Studio of tasks that `sightline data label export` wrote ({error!r}): "
            "export in the format JSON"
        ) from None


def _labels(given: Mapping[str, Any], labels: Labels) -> list[str]:
    """Of an annotation that was not skipped."""
    if given.get("was_cancelled"):
        return []
    results = [one for one in given["result"] if one["type"] == "choices" and one["from_name"] == TAG]
    chosen = [str(label) for one in results for label in one["value"]["choices"]]
    return [joined(chosen)] if labels.are_sets else chosen


def _result(suggested: Sequence[str]) -> dict[str, Any]:
    return {"from_name": TAG, "to_name": IMAGE, "type": "choices", "value": {"choices": list(suggested)}}
