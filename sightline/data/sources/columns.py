"""Tables of images: Parquet and Arrow files, with or without Hugging Face's description of their columns."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from sightline.data.sources import cells
from sightline.data.sources.item import split_of
from sightline.data.sources.label_sets import CATEGORIES, as_list, of_list
from sightline.data.sources.opened import Opened, Picture, broken, class_of
from sightline.errors import DataError
from sightline.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

BATCH = 64
"""Rows that are in memory at a time."""
BUFFER = 1 << 20
"""Bytes of a column that are read at a time: by default a whole group of rows is, which may be the file."""
DESCRIBED = b"huggingface"
IMAGES = ("image", "img", "picture", "photo")
"""Names of columns that are meant where several hold images."""
OBJECTS, BOX = "objects", "bbox"
"""The column of what lies where in an image, and the part of it that holds the edges."""
REWRITE = "write the set anew with one of them alone"


def opened(file: Path) -> Opened:
    """The images and labels of a table.

    Raises DataError where it cannot be read, where no column or several may hold the images or the labels.
    """
    import pyarrow as pa

    try:
        schema, batches = _opened(file)
    except (pa.ArrowException, OSError) as error:
        raise broken(file, error) from None
    again = [name for name, count in Counter(schema.names).items() if count > 1]
    if again:
        raise DataError(f"{file} has several columns of the name {_listed(again)}: {REWRITE}")
    features = _features(schema)
    image = _image(file, schema, features)
    boxes = _has_boxes(schema)
    label = OBJECTS if boxes else _label(file, [name for name in schema.names if name != image], features)
    others = cells.known([name for name in schema.names if name not in {image, label}], wanted=())
    how = f"with the column {image} as image, {label} as {'boxes' if boxes else 'label'}"
    bound = {ours: others[ours] for ours in ("split", "group") if ours in others}
    how += "".join(f", {name} as {ours}" for ours, name in bound.items() if name != ours)
    wanted = {"image": image, "label": label} | {ours: _spelled(schema, name) for ours, name in bound.items()}
    read = [name.strip().lower() for name in wanted.values()]
    if unread := [*cells.unread(schema.names, read)]:
        how += f", {cells.without(unread, wanted)}"
    names = _names(_category(features.get(OBJECTS)) if boxes else features.get(label))
    return Opened(how, _pictures(file, batches, wanted, names, boxes=boxes), boxes)


def _opened(file: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    import pyarrow as pa
    from pyarrow import parquet

    if file.suffix.lower() == ".parquet":
        table = parquet.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False)
        return table.schema_arrow, table.iter_batches(batch_size=BATCH)
    source = pa.OSFile(str(file))  # a file that ends before what it tells would kill whoever maps it
    try:
        whole = pa.ipc.open_file(source)
        return whole.schema, (whole.get_batch(number) for number in range(whole.num_record_batches))
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return stream.schema, iter(stream)


def _features(schema: pa.Schema) -> dict[str, Any]:
    """Hugging Face's description of the columns by name; empty where there is none, or what it says is none."""
    try:
        found = json.loads((schema.metadata or {}).get(DESCRIBED, b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {name: one for name, one in found.items() if name in schema.names} if isinstance(found, dict) else {}


def _image(file: Path, schema: pa.Schema, features: dict[str, Any]) -> str:
    """The column of the images."""
    found = [str(field.name) for field in schema if _holds_bytes(field.type)]
    told = [name for name in found if isinstance(features.get(name), dict) and features[name].get("_type") == "Image"]
    found = told or found
    meant = [name for name in found if name.strip().lower() in IMAGES]
    if len(found) > 1 and len(meant) == 1:
        found = meant
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{file}: the columns {_listed(found)} may hold the images: {REWRITE}")
    raise DataError(
        f"{file} holds no image: none of its columns {_listed(schema.names)} is of bytes; name a folder of images, or "
        "a table of them as CSV"
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column is of bytes, or of pairs of bytes and path as Hugging Face's."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_bytes(kind.field(place).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _label(file: Path, names: Sequence[str], features: dict[str, Any]) -> str:
    """The column of the labels: `label`, else the one that is described as classes, else one that is called so."""
    called = next((name for name in names if name.strip().lower() == cells.LABEL), None)
    classes = [name for name in names if _names(features.get(name))]
    if called or len(classes) == 1:
        return called or classes[0]
    if classes:
        raise DataError(f"{file}: the columns {_listed(classes)} may be the labels: {REWRITE}")
    lower = {name.strip().lower(): name for name in names}
    if theirs := cells.known(names, wanted=(cells.LABEL,)):
        return lower[theirs[cells.LABEL]]
    others = _listed(names) or "(there is no other)"
    raise DataError(f"{file}: none of the columns {others} is the label; call the one that is label")


def _has_boxes(schema: pa.Schema) -> bool:
    """Whether a column tells what lies where: lists of edges and of classes, or a list of pairs of them."""
    import pyarrow as pa

    place = schema.get_field_index(OBJECTS)
    kind = schema.field(place).type if place >= 0 else pa.null()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_struct(kind) and kind.get_field_index(BOX) >= 0)


def _category(feature: Any) -> Any:
    """The description of the classes of boxes, in that of their column."""
    if isinstance(feature, list) and len(feature) == 1:
        return _category(feature[0])
    if not isinstance(feature, dict):
        return None
    return next((feature[name] for name in CATEGORIES if name in feature), None) or _category(feature.get("feature"))


def _names(feature: Any) -> list[str]:
    """The names of the classes of a column, or of the lists in it, as they are described; else none."""
    if isinstance(feature, list) and len(feature) == 1:
        return _names(feature[0])
    if not isinstance(feature, dict):
        return []
    names = feature.get("names")
    if isinstance(names, list):
        return [str(name) for name in names]
    return _names(feature.get("feature"))


def _spelled(schema: pa.Schema, name: str) -> str:
    """The column as the file has it, of a name in lower case and without blanks around it."""
    return name if name in schema.names else next(one for one in schema.names if one.strip().lower() == name)


def _listed(names: Sequence[str]) -> str:
    return visible(", ".join(map(str, names)))


def _pictures(
    file: Path, batches: Iterator[pa.RecordBatch], wanted: dict[str, str], names: Sequence[str], *, boxes: bool
) -> Iterator[Picture]:
    """Row by row; raises DataError, with its number, where one is broken."""
    import pyarrow as pa

    number = 0
    try:
        for whole in batches:
            whole.validate(full=True)  # places beyond its bytes are read otherwise, and what is there
            for start in range(0, whole.num_rows, BATCH):
                batch = whole.slice(start, BATCH)
                held = {ours: batch.column(name).to_pylist() for ours, name in wanted.items()}
                for place in range(batch.num_rows):
                    number += 1
                    yield _picture(
                        {ours: values[place] for ours, values in held.items()},
                        names,
                        f"{file}, row {number}",
                        boxes=boxes,
                    )
    except (pa.ArrowException, OSError) as error:
        raise broken(file, error) from None


def _picture(row: dict[str, Any], names: Sequence[str], where: str, *, boxes: bool) -> Picture:
    data, given, split = row["image"], row["label"], row.get("split")
    if isinstance(data, dict):
        data = data["bytes"]
    side, group = _side(split, where), row.get("group")
    group = None if group is None else str(group)
    if boxes:
        return Picture(data, None, side, group, objects=_objects(given, names, where))
    given = as_list(given)
    several = isinstance(given, list)
    if isinstance(given, dict) or (several and any(isinstance(one, dict | list) for one in given)):
        raise DataError(f"{where}: its label is neither a name nor a list of names: {visible(str(given))[:60]}")
    label = of_list([class_of(one, names, where) for one in given], where) if several else class_of(given, names, where)
    return Picture(data, label, side, group, several)


def _side(split: Any, where: str) -> str | None:
    side = split_of(str(split)) if split is not None else None
    if split is not None and side is None:
        raise DataError(f"{where}: split {visible(str(split))!r} is none of train, val, test")
    return side


def _objects(given: Any, names: Sequence[str], where: str) -> dict[str, list[Any]]:
    """Edges and classes of all boxes of an image. Raises DataError where they are not as many."""
    if isinstance(given, list):
        given = {name: [one[name] for one in given] for name in given[0]} if given else {}
    boxes = (given or {}).get(BOX) or []
    kinds: list[Any] = (
        next((given[name] for name in CATEGORIES if isinstance(given.get(name), list)), []) if boxes else []
    )
    if len(kinds) != len(boxes):
        raise DataError(f"{where}: {len(boxes)} boxes, and {len(kinds)} classes of them")
    return {BOX: boxes, CATEGORIES[0]: [class_of(one, names, where) for one in kinds]}
