"""What every section of `params.yaml` is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from sightline.recipe import STRICT

Task = Literal["classify", "multilabel", "detect"]
"""What there is to learn of an image: `heads` has one implementation for each."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Base of every section: unknown keys and wrong types are errors."""

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT
