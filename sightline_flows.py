"""The flows as Prefect's deployments name them.

Prefect puts the working directory before everything else while it imports an entrypoint. A user's own `flows/`,
`tasks.py` or `torch.py` in the project would be taken for ours, so it is left out while ours are imported.
"""

from __future__ import annotations

import os
import sys

_before = sys.path[:]
if os.getcwd() in sys.path:  # noqa: PTH109 — as Prefect writes it
    # The first one is Prefect's; an editable installation may have the same folder again, further behind.
    sys.path.remove(os.getcwd())  # noqa: PTH109
try:
    from flows.monitor import monitor
    from flows.promote import promote
    from flows.retrain import retrain
    from flows.score import score
    from flows.train import train
    from flows.tune import tune
finally:
    sys.path[:] = _before

__all__ = ["monitor", "promote", "retrain", "score", "train", "tune"]
