"""An answer as it is recorded: the columns of the captured files, and what each file says of itself."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import Damaged
from sightline.heads.located import Box, answer_of
from sightline.heads.targets import OBJECT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

Role: TypeAlias = Literal["champion", "canary", "shadow"]
"""Who answered: the version that follows the ledger or was named, or a challenger, heard or unheard."""
VERSION = 2
"""Of the columns: another one where they are others, or mean something else."""
ABOUT = b"sightline"
"""Key of what a file says of itself."""
ENDING = 8
"""Bytes that tell how long the part before them is, and that this is Parquet."""
NUMBERS = pa.list_(pa.float32())
EDGES = ("x1", "y1", "x2", "y2")
BOX = pa.struct([("label", pa.string()), *((name, pa.float64()) for name in ("probability", *EDGES))])
BOXES = pa.list_(BOX)
"""In pixels of the upright image, the surest first."""


def _kind(kind: pa.DataType, *, null: bool = False) -> dict[str, Any]:
    return {"kind": kind, "null": null}


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One answer. The fields are the columns, in their order."""

    at: datetime = field(metadata=_kind(pa.timestamp("us", tz="UTC")))
    """When it was given."""
    request: str = field(metadata=_kind(pa.string()))
    """As the caller was told."""
    place: int = field(metadata=_kind(pa.int32()))
    """Of the image in the request, from 0."""
    role: Role = field(metadata=_kind(pa.string()))
    version: str = field(metadata=_kind(pa.string()))
    digest: str = field(metadata=_kind(pa.string()))
    """Of the version's bundle."""
    label: str = field(metadata=_kind(pa.string()))
    probabilities: tuple[float, ...] = field(metadata=_kind(NUMBERS))
    """In the order of the file's classes."""
    likely: tuple[str, ...] | None = field(metadata=_kind(pa.list_(pa.string()), null=True))
    """The conformal set; null where the version has none, as with the three that follow."""
    abstain: bool | None = field(metadata=_kind(pa.bool_(), null=True))
    foreign: bool | None = field(metadata=_kind(pa.bool_(), null=True))
    foreign_score: float | None = field(metadata=_kind(pa.float32(), null=True))
    features: NDArray[np.float32] = field(metadata=_kind(NUMBERS))
    """What the last layer but one makes of the image."""
    statistics: NDArray[np.float32] = field(metadata=_kind(NUMBERS))
    """Of the pixels, as `sightline.models.foreign.describe` tells them."""
    energy: float = field(metadata=_kind(pa.float32()))
    """Of the logits, as it tells it."""
    sha256: str = field(metadata=_kind(pa.string()))
    """Of the image file."""
    size: int = field(metadata=_kind(pa.int64()))
    """Bytes of the image file."""
    width: int = field(metadata=_kind(pa.int32()))
    height: int = field(metadata=_kind(pa.int32()))
    site: str | None = field(metadata=_kind(pa.string(), null=True))
    camera: str | None = field(metadata=_kind(pa.string(), null=True))
    """As the caller's headers said."""
    picture: bytes | None = field(metadata=_kind(pa.binary(), null=True))
    """The image file, or a small JPEG of it; null where neither is kept."""
    boxes: tuple[dict[str, Any], ...] | None = field(metadata=_kind(BOXES, null=True))
    """That were answered; null where images have none to answer."""


COLUMNS = tuple(one.name for one in fields(Record))
SCHEMA = pa.schema([pa.field(one.name, one.metadata["kind"], nullable=one.metadata["null"]) for one in fields(Record)])
READ = {1: pa.schema([one for one in SCHEMA if one.name != "boxes"]), VERSION: SCHEMA}
"""The columns of each version that is read: the first had no boxes."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What a file says of itself: it holds answers of one version in one role."""

    role: Role
    version: str
    digest: str
    classes: tuple[str, ...]
    dropped: int
    """Answers of that version, role and day that were not recorded, since the server's file before."""
    schema: int = VERSION


def encode(records: Sequence[Record], about: About) -> bytes:
    """The Parquet file of these answers; a damaged page of it is found when it is read."""
    columns = [pa.array([getattr(record, one.name) for record in records], one.type) for one in SCHEMA]
    schema = SCHEMA.with_metadata({ABOUT: json.dumps(asdict(about)).encode()})
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), out, compression="zstd", write_page_checksum=True)
    return out.getvalue()


def as_label(row: Mapping[str, Any]) -> str:
    """The answer of a captured row as a label; of boxes as `heads.located` writes them, the surest first."""
    if row["boxes"] is None:
        return str(row["label"])
    boxes = [Box(one["label"], tuple(one[edge] for edge in EDGES), OBJECT) for one in row["boxes"]]
    return answer_of(row["width"], row["height"], boxes)


def mark(ending: bytes) -> str:
    """What a file is named by, from the bytes that it ends with: of what it says of its pages.

    The pages have checksums of their own, this part of a Parquet file has none.
    """
    return hashlib.sha256(ending[-ENDING - length(ending) :]).hexdigest()[:12]


def length(ending: bytes) -> int:
    """Bytes of it, by the last ENDING bytes of the file."""
    return int.from_bytes(ending[-ENDING:-4], "little")


def about(schema: pa.Schema) -> About:
    """What the file with that schema says of itself.

    Raises Damaged where it is no captured file, or one whose columns mean something else.
    """
    try:
        values = json.loads((schema.metadata or {})[ABOUT])
        known = READ.get(values["schema"])
        if known is None or not schema.remove_metadata().equals(known):
            told = " and ".join(map(str, READ))
            raise Damaged(f"its columns are of version {values['schema']}, and versions {told} are read here")
        return About(**{**values, "classes": tuple(values["classes"])})
    except (KeyError, TypeError, ValueError):
        raise Damaged("it does not say what it holds: it is no file that `sightline serve` wrote") from None
