"""`params.yaml`: names, types and ranges are checked, comments survive."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sightline import config
from sightline.errors import ConfigError, ProjectError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("pretrain.epoch=3", "pretrain.epoch = 3: no such parameter; did you mean epochs"),
        ("pretrain.epochs=many", "pretrain.recipe.epochs = 'many': Input should be a valid integer"),
        ("pretrain.epochs=0", "epochs = 0 is outside 1"),
        ("preprocess.size=4", "size = 4 is outside 8"),
        ("training.epochs=3", "training.epochs: there is no such section"),
        ("datasets.target.roles.test=0.5", "must sum to 1"),
        ("datasets.target.train_per_class=0", "must be at least 1"),
        ("project.name=a/b", "must not be empty nor hold"),
    ],
)
def test_bad_value_is_named_with_its_key(project: Path, setting: str, words: str) -> None:
    """A wrong name, type or range gives the key, the value and what was expected."""
    with pytest.raises(ConfigError) as caught:
        config.load(project, dict([config.parse_setting(setting)]))
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["epochs=3", "pretrain.epochs", "=3"])
def test_setting_of_another_form_is_refused(text: str) -> None:
    """What is no section.key=value is told with an example."""
    with pytest.raises(ConfigError, match=r"section\.key=value"):
        config.parse_setting(text)


def test_setting_reads_numbers_as_yaml_does() -> None:
    """Numbers, null and lists arrive as such, also in scientific notation."""
    values = [config.parse_setting(f"a.b={text}")[1] for text in ("3", "1e-3", "null", "[1, 2]", "resnet18")]
    assert values == [3, 0.001, None, [1, 2], "resnet18"]


def test_recipe_may_be_left_out_of_a_key(project: Path) -> None:
    """pretrain.epochs means pretrain.recipe.epochs."""
    assert config.load(project, {"pretrain.epochs": 7}).pretrain.recipe.epochs == 7


def test_written_value_keeps_the_comments(project: Path) -> None:
    """Changing the file changes one line."""
    before = (project / "params.yaml").read_text().splitlines()
    config.write_value(project, "preprocess.size", 48)
    after = (project / "params.yaml").read_text().splitlines()
    assert [line for line in after if "48" in line] == ["  size: 48"]
    assert sum(line.count("#") for line in after) == sum(line.count("#") for line in before)


def test_no_project_is_told(tmp_path: Path) -> None:
    """Outside of a project the remedy is named."""
    with pytest.raises(ProjectError, match="sightline init"):
        config.find_root(tmp_path)


def test_broken_yaml_is_told(project: Path) -> None:
    """A file that is no YAML gives its name and place."""
    (project / "params.yaml").write_text("a: [1,")
    with pytest.raises(ConfigError, match=r"params\.yaml is not valid YAML"):
        config.load(project)


def test_preset_lies_beneath_what_is_written(project: Path) -> None:
    """A preset fills the recipes; a value written in a recipe, or set for the run, comes before it."""
    config.change(
        project / "params.yaml",
        project / "params.yaml",
        lambda values: values["finetune"].update(scratch={"crop": 0.2}),
    )
    params = config.load(project, {"project.preset": "fast", "finetune.scratch.min_steps": 7})
    assert (params.finetune.scratch.epochs, params.finetune.scratch.crop, params.finetune.scratch.min_steps) == (
        5,
        0.2,
        7,
    )
    assert params.pretrain.recipe.epochs == 5, "the template's own value"


@pytest.mark.parametrize("name", ["fast", "balanced", "best", "resnet"])
def test_every_preset_fits(project: Path, name: str) -> None:
    """The presets of the template hold values that recipes take."""
    assert config.load(project, {"project.preset": name}).project.preset == name


def test_unknown_preset_is_told(project: Path) -> None:
    """A preset that is not there is named beside those that are."""
    with pytest.raises(ConfigError, match=r"'quick'.*fast, balanced, best, resnet"):
        config.load(project, {"project.preset": "quick"})


def test_project_from_before_processes_loads(project: Path) -> None:
    """A params.yaml without the section `train` trains in one process."""
    values = (project / "params.yaml").read_text(encoding="utf-8")
    start = values.index("train:\n  workers")
    (project / "params.yaml").write_text(values[:start] + values[values.index("pretrain:", start) :], encoding="utf-8")
    assert config.load(project).train.workers == 1
