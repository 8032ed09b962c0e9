"""Where a task runs and for whom: never part of a cache key."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from sightline.heads.known import of
from sightline.project import Paths
from sightline.tracking.runs import Tracker, connect, flatten, how_it_ended

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sightline.data.reference import DataRef
    from sightline.train.checkpoint import Epoch
    from sightline.train.loop import Progress

WAITING = 0.3
"""Share of the training time in making batches above which the remedy is told."""


@dataclass(frozen=True)
class Context:
    """The project folder, the MLflow run of the flow, and the tags that every run of it carries."""

    root: str
    run: str
    tags: tuple[tuple[str, str], ...]
    workers: int = 1
    """Processes that train together."""

    @property
    def paths(self) -> Paths:
        """The project's folders."""
        return Paths(Path(self.root))


class Recorder:
    """Tells MLflow, Prefect's page and the log how a training stage is doing."""

    def __init__(self, tracker: Tracker, run: str, stage: str, score: str) -> None:
        self.tracker, self.run, self.stage, self._score = tracker, run, stage, score
        self._logger = get_run_logger()
        self._artifact: UUID | None = None
        self._warned = False

    def on_epoch(self, epoch: Epoch) -> None:
        """Log one pass, and say how it was."""
        self.measured(epoch)
        left = (epoch.epochs - epoch.epoch) * epoch.seconds
        self._logger.info(
            f"{self.stage}: epoch {epoch.epoch}/{epoch.epochs}  train loss {epoch.train_loss:.3f}  "
            f"val loss {epoch.val_loss:.3f}  val {self._score} {epoch.val_accuracy:.3f}  "
            f"{epoch.images_per_second:,.0f} images/s  {left:.0f} s left"
        )
        if epoch.data_share > WAITING and not self._warned:
            self._warned = True
            self._logger.warning(
                f"{self.stage}: {epoch.data_share:.0%} of the time goes into augmentation, not into the network; "
                "a recipe without trivial, rotate and scale takes less of it, and so does a smaller preprocess.size"
            )
        self._show(100 * epoch.epoch / epoch.epochs)

    def measured(self, epoch: Epoch) -> None:
        """Log the figures of one pass."""
        values = {key: value for key, value in asdict(epoch).items() if key not in {"epoch", "epochs", "step"}}
        self.tracker.log(self.run, values, step=epoch.epoch)

    def on_progress(self, done: Progress) -> None:
        """Say how far a long pass is, or what happened in it."""
        if done.remark:
            self._logger.info(f"{self.stage}: {done.remark}")
            return
        self._logger.info(
            f"{self.stage}: epoch {done.epoch}/{done.epochs}, step {done.step:,}/{done.steps:,}  "
            f"train loss {done.train_loss:.3f}  {done.images_per_second:,.0f} images/s"
        )
        self._show(100 * done.step / done.steps)

    def _show(self, share: float) -> None:
        if self._artifact is None:
            key, words = f"{self.stage}-progress", f"Training: {self.stage}"
            self._artifact = create_progress_artifact(share, key=key, description=words)  # type: ignore[assignment]
        else:
            update_progress_artifact(self._artifact, share)


@contextmanager
def recorded(context: Context, stage: str, data: DataRef, params: dict[str, Any]) -> Iterator[Recorder]:
    """An MLflow child run around a training stage: parameters and data set at its start, its end state at its end.

    Where there is a GPU, the run shows how busy it is.
    """
    from sightline.models.device import best_device
    from sightline.train.machine import machine

    tracker = connect(context.paths)
    here = {f"machine.{key}": value for key, value in machine().items()}
    run = tracker.start(stage, {**dict(context.tags), **here}, parent=context.run)
    tracker.params(run, flatten(params))
    profile = {"classes": len(data.classes), **dict(data.counts)}
    source = f"data/manifests/{data.use}/manifest.parquet"
    tracker.dataset(run, f"{tracker.name}-{data.use}", data.version, source, profile, "training")
    try:
        with tracker.watched(run) if best_device().type == "cuda" else nullcontext():
            yield Recorder(tracker, run, stage, of(data.task).score)
    except BaseException as error:
        tracker.finish(run, how_it_ended(error))
        raise
    tracker.finish(run)
