"""Time budgets as people write them: `10m`, or `pretrain=20m` for a stage; and how far clocks may differ."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from sightline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

STAGES = ("pretrain", "finetune", "scratch")
"""Whose steps follow from a time of their own."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
LEAST = 6.0
"""Seconds below which no machine holds the chain: a fifth of what two cores take beside training."""
CLOCKS = timedelta(hours=1)
"""By which the clocks of two machines may differ."""
Budget = float | dict[str, float]
"""Seconds for a whole run, or for each training stage by its name."""


def parse(texts: Sequence[str]) -> Budget:
    """The budget that `10m` means, or `pretrain=20m` and `scratch=5m` together.

    Raises ConfigError on any other form, and on a time for the whole run that no machine can keep.
    """
    if len(texts) == 1 and "=" not in texts[0]:
        seconds = seconds_of(texts[0])
        if seconds < LEAST:
            raise ConfigError(
                f"--budget {texts[0]} cannot hold the chain: beside training it takes half a minute on two cores, so "
                "give 1m at least, or no budget"
            )
        return seconds
    pairs = [text.partition("=") for text in texts]
    unknown = [stage for stage, mark, _ in pairs if mark and stage not in STAGES]
    if unknown:
        raise ConfigError(
            f"--budget {unknown[0]}=…: there is no such stage; a time can be given to {', '.join(STAGES)}"
        )
    if not all(mark for _, mark, _ in pairs) or len({stage for stage, _, _ in pairs}) < len(pairs):
        raise ConfigError(
            f"--budget {' '.join(texts)}: give one time for the whole run, or one for each stage: "
            "--budget pretrain=20m --budget scratch=5m"
        )
    return {stage: seconds_of(time) for stage, _, time in pairs}


def seconds_of(text: str) -> float:
    """Seconds of `90s`, `10m` or `1.5h`.

    Raises ConfigError on any other form.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if found is None or float(found[1]) == 0:
        raise ConfigError(f"--budget {text!r} is no time: write 90s, 10m or 1.5h")
    return float(found[1]) * UNITS[found[2]]
