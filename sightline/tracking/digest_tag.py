"""The digests that a version carries, as one tag: MLflow's page of it shows what people read, and this beside it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities.model_registry import ModelVersion

    Found = TypeVar("Found", ModelVersion, ModelVersion | None)

TAG = "digests"
"""Tag that holds them: a JSON object. Versions that were registered before it have a tag for each."""
SEALS_TAG = "seals"
"""Key of the seals of the whole folder as it was registered; older versions have none."""
APART = {"weights", "flow.run", "git.commit"}
"""By the first versions are searched; the others are names of a run and of a commit."""
DIGEST = re.compile(r"[0-9a-f]{16,64}(\.dir)?")


def folded(tags: Mapping[str, str]) -> dict[str, str]:
    """The same tags with all digests in one."""
    inside = {key: value for key, value in tags.items() if key == SEALS_TAG or _is_digest(key, value)}
    others = {key: value for key, value in tags.items() if key not in inside}
    return others | ({TAG: json.dumps(inside)} if inside else {})


def unfolded(found: Found) -> Found:
    """The version with a tag for each digest; one that was set by itself since counts before that of the same name."""
    if found is not None and TAG in found.tags:
        own = dict(found.tags)
        found.tags.update(_read(own.pop(TAG)) | own)
        del found.tags[TAG]
    return found


def _is_digest(key: str, value: str) -> bool:
    return key not in APART and DIGEST.fullmatch(value) is not None


def _read(tag: str) -> dict[str, str]:
    """What is in the tag; nothing where somebody wrote something else into it, so that whoever needs it misses it."""
    try:
        found: Any = json.loads(tag)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
