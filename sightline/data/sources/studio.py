"""Label Studio's tasks: where the image of one lies, and what people chose for it, as a row of a table has it.

https://labelstud.io/guide/task_format, and the tag Choices.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sightline.data.sources.item import suffix_of
from sightline.errors import DataError
from sightline.images.reading import SUFFIXES
from sightline.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

UPLOADED = re.compile(r"^/data/upload/(?:\d+/)?(?=[^/]+$)")
"""Before the name of a file that was uploaded."""
STORED = re.compile(r"^[0-9a-f]{8}-")
"""Before that again, lest two are called the same."""
LOCAL = "?d="
"""Before the path of a file that was not."""


def image_of(data: Mapping[str, Any]) -> str:
    """The path in the data of a task, under whatever key: one of an image, if any is."""
    told = [unquote(value).rpartition(LOCAL)[2] for value in data.values() if isinstance(value, str)]
    return next((one for one in told if suffix_of(one) in SUFFIXES), next(iter(told), ""))


def names(path: str) -> Iterator[str]:
    """How the file may be called that was uploaded, the likeliest first; nothing where it was not."""
    given = UPLOADED.match(path)
    if given:
        name = path[given.end() :]
        yield from dict.fromkeys((name, STORED.sub("", name)))


def answered(annotations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that were not skipped."""
    return [one for one in annotations if not one.get("was_cancelled")]


def is_one(value: Any) -> bool:
    """Whether it is a task, and no row of a table."""
    return isinstance(value, dict) and isinstance(value.get("data"), dict) and "annotations" in value


def row_of(task: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Path and label of a task; no label where nobody answered.

    Raises DataError where people disagree, or where it turns out to be something else.
    """
    told = f"{where}, task {task.get('id', '')}"
    try:
        said = {chosen for one in answered(task["annotations"]) if (chosen := _chosen(one))}
    except (AttributeError, KeyError, TypeError):
        raise DataError(f"{told} is not as Label Studio exports them") from None
    if len(said) > 1:
        labels = " and ".join(sorted(visible(repr(";".join(one))) for one in said))
        raise DataError(f"{told} has the labels {labels}: let its people agree")
    return {"path": image_of(task["data"]), "label": list(*said) or None}


def _chosen(annotation: Mapping[str, Any]) -> tuple[str, ...]:
    results = [one for one in annotation.get("result", ()) if one.get("type") == "choices"]
    return tuple(sorted(str(choice) for one in results for choice in one["value"]["choices"]))
