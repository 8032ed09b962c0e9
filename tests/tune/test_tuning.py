"""A search for better values, on toys: real trainings in a real store."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from conftest import on_the_cpu
from tuned import opened, trained

from sightline import config
from sightline.data import shards
from sightline.errors import ConfigError, ModelError, ProjectError, RegistryError
from sightline.models.zoo import build
from sightline.report.tune import write_tune_page
from sightline.tracking import databases
from sightline.train import parts
from sightline.train.chain import SCRATCH
from sightline.tune import length, search, study, trial
from sightline.tune.search import Attempt
from sightline.tune.space import Asked, Rung, space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sightline.project import Paths
    from sightline.train.checkpoint import Epoch
    from sightline.tune.study import Search


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _on_the_cpu() -> Iterator[None]:
    with on_the_cpu():
        yield


@pytest.fixture
def paths(ingested: Paths) -> Paths:
    """A toy project, decoded."""
    shards.preprocess(ingested, "target")
    return ingested


def look(paths: Paths, looking: Search, trials: int) -> search.Found:
    search.search(looking, partial(trained, paths), paths.runs, 1, time.time() + 600, trials)
    return search.found(looking, paths.runs, 1)


SIZE = {"preprocess.size": 16}


@pytest.mark.slow
def test_present_recipe_is_the_first_trial(paths: Paths) -> None:
    """The search begins with the project's own values for half of their steps, and finds nothing worse than them."""
    looking = opened(paths, SIZE)
    found = look(paths, looking, 3)
    first = looking.study.trials[0]
    assert search.asked_by(looking, first) == Asked(
        way="scratch", rung=looking.space.rungs[0], recipe=paths.params.finetune.scratch
    )
    assert found.before == first.value
    assert first.value is not None
    assert found.value <= first.value
    assert (found.trials, len(looking.study.trials)) == (3, 3)
    assert not list((paths.runs / "trial").iterdir())


def test_no_image_of_the_test_release_is_decoded(paths: Paths) -> None:
    """Other image sizes are decoded for training and validation alone."""
    folder = trial.images_of(paths, 24)
    assert {one.role for one in shards.read_index(folder).shards} == {"train", "val"}
    assert shards.read_index(folder).size == 24


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch", "accumulate", "searched"), [(64, 1, {32, 64, 128}), (2, 1, {2, 4}), (8, 4, {8, 16}), (1, 1, {1, 2})]
)
def test_no_smaller_part_of_one_image_is_searched(batch: int, accumulate: int, searched: set[int]) -> None:
    """Half of a batch is tried where two images are left in each part: of one, some networks cannot learn."""
    given = {"finetune.scratch.batch_size": batch, "finetune.scratch.accumulate": accumulate}
    looked = space(config.load(ROOT, given), (SCRATCH,), (Rung(network="cnn", size=8),))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    asked = [looked.ask(study.ask()).recipe for _ in range(30)]
    assert {one.batch_size for one in asked} == searched
    if batch > 1:
        for one in asked:
            parts.check(build("cnn", 3, 8), "cnn", 8, one, SCRATCH, 1000)


def test_study_goes_on_where_it_was_left(paths: Paths) -> None:
    """Opened again it counts the trials of before and measures nothing anew; other values are another study."""
    before = look(paths, opened(paths, SIZE), 2)
    again = opened(paths, SIZE)
    assert again.length == opened(paths, SIZE).length
    assert look(paths, again, 3).trials == before.trials + 1
    other = opened(paths, SIZE | {"finetune.scratch.learning_rate": 0.05})
    assert other.study.study_name != again.study.study_name
    with pytest.raises(ModelError, match="no trial came to its end"):
        search.found(other, paths.runs, 1)


def test_budget_that_preparation_took_is_told_with_the_least_that_would_do(paths: Paths) -> None:
    """And no study is planned for it, whose trials would be of a step each however long the next search is."""
    words = r"^--budget 40s is over before the first trial: preparation took 44 s\. .* give --budget \d+m at least$"
    with pytest.raises(ConfigError, match=words):
        opened(paths, SIZE, seconds=-4.0, spent=44.0)
    assert opened(paths, SIZE).length.share == length.SHARE
    with pytest.raises(ConfigError, match=words):
        opened(paths, SIZE, seconds=-4.0, spent=44.0)


def test_longer_search_is_not_bound_to_short_trials(paths: Paths) -> None:
    """It opens a study of longer ones with the best recipe so far first, and says so; a shorter one goes on with that.

    The same budget given again goes on with its own study, however much more of it is left.
    """
    given = SIZE | {"finetune.scratch.epochs": 4000}
    short = opened(paths, given, seconds=0.5, spent=29.5)
    values = iter([0.9, 0.2, 0.8])

    def train(number: int, origin: int, asked: Asked, hopeless: Callable[[Epoch], bool], again: int = 0) -> Attempt:
        del number, origin, asked, hopeless, again
        return Attempt(value=next(values), score=0.5, run="")

    search.search(short, train, paths.runs, 1, time.time() + 600, 3)
    again = opened(paths, given, seconds=29.0, spent=1.0)
    assert (again.study.study_name, again.length, again.told) == (short.study.study_name, short.length, "")
    long = opened(paths, given, seconds=7190.0, spent=10.0)
    assert long.length == replace(short.length, share=long.length.share)
    assert long.length.share > 20 * short.length.share
    assert long.told.endswith("a new study begins, with the best recipe of that one first")
    first = search.asked_by(short, short.study.best_trial)
    assert not short.space.has(first)
    assert long.space.ask(long.study.ask()) == first
    assert long.space.has(long.space.ask(long.study.ask()))
    for seconds in (20.0, 7190.0):
        assert opened(paths, given, seconds=seconds, spent=10.0).study.study_name == long.study.study_name


@pytest.mark.slow
def test_hopeless_trial_is_given_up(paths: Paths) -> None:
    """A trial that is worse than others at its first look ends there, and does not become the best."""
    looking = opened(paths, SIZE)
    seen: dict[int, float] = {}

    def train(number: int, origin: int, asked: Asked, hopeless: Callable[[Epoch], bool], again: int = 0) -> Attempt:
        assert not again

        def worse(epoch: Epoch) -> bool:
            seen[number] = epoch.step / asked.recipe.steps
            return hopeless(replace(epoch, val_fitted_loss=0.1 + number))

        done = trained(paths, number, origin, asked, worse)
        return done if done.value is None else replace(done, value=0.1 + number)

    search.search(looking, train, paths.runs, 1, time.time() + 600, 12)
    found = search.found(looking, paths.runs, 1)
    assert found.number == 0
    assert found.is_present
    assert found.pruned > 3
    assert sum(share <= 0.5 for share in seen.values()) > 3


@pytest.mark.slow
def test_luck_of_a_seed_does_not_win(paths: Paths) -> None:
    """The best trials and the present recipe are trained from a second seed, and the mean of both counts."""
    looking = opened(paths, SIZE)
    asked_again: list[int] = []

    def train(number: int, origin: int, asked: Asked, hopeless: Callable[[Epoch], bool], again: int = 0) -> Attempt:
        del origin, asked, hopeless
        asked_again.extend([number] * again)
        # The last one is the best from the first seed alone.
        value = (1.5 if number == 5 else 0.5) if again else (0.1 if number == 5 else 1.0 - 0.1 * number)
        return Attempt(value=value, score=0.5, run="")

    search.search(looking, train, paths.runs, 1, time.time() + 600, 6)
    assert search.found(looking, paths.runs, 1).number == 5
    search.repeat(looking, train, paths.runs, 1, time.time() + 600)
    assert sorted(asked_again) == [0, 3, 4, 5]
    found = search.found(looking, paths.runs, 1)
    assert found.number == 4
    assert found.before == pytest.approx(0.75)
    assert search.found(looking, paths.runs, 1, {"train.workers": 1}).values.items() >= {("train.workers", 1)}
    assert found.value == pytest.approx(0.55)
    search.repeat(looking, train, paths.runs, 1, time.time() + 600)
    assert len(asked_again) == 4


OTHER = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from sightline.project import Paths
from test_tuning import look
from tuned import opened
look(paths := Paths(Path({root!r})), opened(paths, {given!r}), {trials})
"""


def other(paths: Paths, given: dict[str, Any], trials: int) -> subprocess.Popen[bytes]:
    """Another process at work on the study, until it has so many trials."""
    code = OTHER.format(path=sys.path, root=str(paths.root), given=given, trials=trials)
    return subprocess.Popen([sys.executable, "-c", code], cwd=paths.root)


@pytest.mark.slow
def test_killed_trial_is_tried_again_from_its_checkpoint(paths: Paths) -> None:
    """After kill -9 the same study repeats the lost trial with its values, and goes on inside its training."""
    given = SIZE | {"finetune.scratch.epochs": 400}
    process = other(paths, given, 5)
    for _ in range(1200):
        if any(paths.runs.glob("trial/*/checkpoint.pt")):
            break
        assert process.poll() is None
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    looking = opened(paths, given)
    lost = [one for one in looking.study.trials if one.state == optuna.trial.TrialState.FAIL]
    assert len(lost) == 1
    steps: list[int] = []

    def train(number: int, origin: int, asked: Asked, hopeless: Callable[[Epoch], bool], again: int = 0) -> Attempt:
        assert not again

        assert origin == lost[0].number

        def told(epoch: Epoch) -> bool:
            steps.append(epoch.step)
            return hopeless(epoch)

        return trained(paths, number, origin, asked, told)

    ended = len(search.finished(looking))
    search.search(looking, train, paths.runs, 1, time.time() + 600, ended + 1)
    again = search.finished(looking)[-1]
    assert again.params == lost[0].params
    assert steps[0] > 1
    reports = 30
    assert len(steps) < reports


@pytest.mark.slow
def test_two_processes_share_a_study(paths: Paths) -> None:
    """Both take trials of the same study, none twice, and stop together at the number that was asked for."""
    running = [other(paths, SIZE, 5) for _ in range(2)]
    assert [process.wait(280) for process in running] == [0, 0]
    looking = opened(paths, SIZE)
    ended = search.finished(looking)
    assert 5 <= len(ended) <= 6
    assert len({one.user_attrs["process"] for one in ended}) == 2
    assert len({one.number for one in ended}) == len(ended)


def test_found_values_make_a_run_of_the_same_time(paths: Paths) -> None:
    """Applied, they stand in params.yaml with its comments, the preset's values beside them, and load."""
    config.write_value(paths.root, "project.preset", "fast")
    for key in ("learning_rate", "clip", "min_steps", "epochs"):
        recipes = config.read(paths.root)
        for section, name in (("pretrain", "recipe"), ("finetune", "recipe"), ("finetune", "scratch")):
            recipes[section][name].pop(key, None)
    comment = "# Every value that a user changes"
    values = {"finetune.scratch.learning_rate": 0.2, "finetune.scratch.ema": 0.99, "preprocess.size": 48}
    for section, name in (("pretrain", "recipe"), ("finetune", "recipe"), ("finetune", "scratch")):
        config.write_value(paths.root, f"{section}.{name}", {"flip": True})
    config.save(paths.root, values | {"project.preset": "fast"})
    params = config.load(paths.root)
    assert (params.finetune.scratch.learning_rate, params.finetune.scratch.ema, params.preprocess.size) == (
        0.2,
        0.99,
        48,
    )
    assert (params.project.preset, params.finetune.scratch.min_steps, params.finetune.recipe.learning_rate) == (
        None,
        200,
        0.3,
    )
    assert (paths.root / config.PARAMS).read_text(encoding="utf-8").startswith(comment)


@pytest.mark.slow
def test_page_shows_trials_and_what_mattered(paths: Paths) -> None:
    """One file without any address outside, with Optuna's plot once there are trials enough."""
    looking = opened(paths, SIZE)
    found = look(paths, looking, 3)
    assert "Too few trials" in write_tune_page(paths, looking, found).read_text(encoding="utf-8")
    found = look(paths, looking, 14)
    html = write_tune_page(paths, looking, found).read_text(encoding="utf-8")
    assert "data:image/svg+xml;base64," in html
    assert '<th scope="col">value</th><th scope="col">found</th>' in html
    assert html.count("<tr") >= 15
    # By their short names, each cell with its heading: a phone shows a trial as lines.
    assert html.count('<td data-name="values">learning_rate ') == html.count('<td data-name="trial">') == found.trials
    assert 'src="http' not in html


def test_damaged_or_unknown_store_is_told(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is taken for an empty one: the message says which file or address, and what helps."""
    (paths.runs / "tune").mkdir(parents=True)
    (paths.runs / "tune" / "study.db").write_bytes(b"no database" * 1000)
    with pytest.raises(RegistryError, match=r"store of studies at .*damaged"):
        opened(paths, SIZE)
    (paths.runs / "tune" / "study.db").unlink()
    with closing(sqlite3.connect(paths.runs / "tune" / "study.db")) as store:
        store.execute("create table experiments (id integer)")
    monkeypatch.setattr(databases, "TRIES", 1)
    with pytest.raises(RegistryError, match="it holds something else"):
        opened(paths, SIZE)
    monkeypatch.setenv(study.ADDRESS, "postgresql+nothing://me:sesame@localhost/studies")
    with pytest.raises(ProjectError, match="SIGHTLINE_TUNE_URI") as told:
        opened(paths, SIZE)
    assert "sesame" not in str(told.value)
